/**
 * What is done with the content of files: open, read, write, flush, truncate, and the handles that keep it open. What a
 * flush puts into the bucket is the business of WriteBack.
 */
import { FsError } from '../errors.js';
import type {
  Call,
  CopyFileRangeRequest,
  FallocateRequest,
  HandleId,
  HandleRequest,
  OpenFlags,
  OpenReply,
  ReadRequest,
  SeekRequest,
  WriteRequest,
} from '../file-system.js';
import type { ContentRange } from '../staging/file-content.js';
import { isStoreError, toFsError } from './fs-errors.js';
import { setGroupIdBit, setUserIdBit, groupExecuteBit, typeSymlink } from './modes.js';
import { countChange, hasUnstoredChanges, type FileHandle, type FileNode } from './nodes.js';
import type { OpenFiles } from './open-files.js';
import { isBeingWritten, isPending } from './pending.js';
import { isOnlyRead, outdated, type VersionCheck } from './version-check.js';
import type { WorkingParts } from './working-parts.js';

interface FileOperationsOptions extends Pick<
  WorkingParts,
  'store' | 'openings' | 'contents' | 'reader' | 'resolver' | 'writeBack' | 'clock'
> {
  readonly files: OpenFiles;
  readonly versions: VersionCheck;
}

export class FileOperations {
  readonly #options: FileOperationsOptions;

  constructor(options: FileOperationsOptions) {
    this.#options = options;
  }

  /** Asks the bucket for the version to open. */
  async open(node: FileNode, flags: OpenFlags, call: Call): Promise<OpenReply> {
    const { files, resolver, contents } = this.#options;
    if (node.attributes.type === typeSymlink) throw new FsError('ELOOP', `open ${node.key}: a symbolic link`);
    if (isOnlyRead(flags) && node.parent) resolver.noteOpen(node.parent, node.name);
    const reply = await this.#openVersion(node, flags, call.signal);
    if (flags.truncate) {
      const content = contents.of(node);
      try {
        if (content.size > 0) await content.truncate(0, call.signal);
      } catch (error) {
        await this.release(reply.handle);
        throw toFsError(error, `truncating ${node.key}`);
      }
      this.#touch(node, call);
      countChange(files.get(reply.handle));
    }
    return reply;
  }

  async read({ handle: handleId, offset, length }: ReadRequest, call: Call): Promise<readonly Uint8Array[]> {
    const { node, stream } = this.#options.files.current(handleId);
    const pieces = await this.#readContent(node, { offset, length, stream }, call.signal);
    call.afterAnswer?.(() => this.#options.reader.done(pieces));
    return pieces;
  }

  /** Whether nothing had to be waited for, and it is done. */
  tryWrite({ handle: handleId, offset, data }: WriteRequest, call: Call): boolean {
    const handle = this.#options.files.writable(handleId);
    const { node } = handle;
    this.#checkSize(node, offset + data.length);
    if (!node.content?.isDirty || !node.content.tryWrite(offset, data)) return false;
    countChange(handle);
    this.#touch(node, call);
    return true;
  }

  async write(request: WriteRequest, call: Call): Promise<void> {
    if (this.tryWrite(request, call)) return;
    const { offset, data } = request;
    const handle = this.#options.files.writable(request.handle);
    await this.#changeBy(handle, call, async () => {
      await this.#keepRest(handle, call.signal);
      await this.#options.contents.of(handle.node).write(offset, data, call.signal);
    });
  }

  /** The handle's changes are in the bucket when this resolves; a handle that changed nothing waits for nothing. */
  async flush(request: HandleRequest, call: Call): Promise<void> {
    const handle = this.#options.files.get(request.handle);
    if (hasUnstoredChanges(handle)) await this.#store(handle, call.signal);
  }

  /** fsync: stores everything of the file, also what other handles wrote. */
  async synchronize({ handle }: HandleRequest, call: Call): Promise<void> {
    await this.#store(this.#options.files.get(handle), call.signal);
  }

  async release(handleId: HandleId): Promise<void> {
    const { files, writeBack } = this.#options;
    const handle = files.close(handleId);
    if (!handle) return;
    const { node } = handle;
    this.#storeLeftOvers(node);
    await writeBack.letGo(node);
  }

  async truncate(node: FileNode, size: number, handleId: HandleId | undefined, call: Call): Promise<void> {
    this.#checkSize(node, size);
    if (handleId !== undefined) {
      const handle = this.#options.files.writable(handleId);
      await this.#changeBy(handle, call, () => this.#options.contents.of(node).truncate(size, call.signal));
      return;
    }
    // truncate(2) has no close to wait for: it is stored when it returns.
    node.pins += 1;
    try {
      await this.#options.versions.check(node, undefined, call.signal);
      if (node.isUnreadable) throw new FsError('EACCES', `truncate ${node.key}: not readable with this key`);
      await this.#change(node, call, () => this.#options.contents.of(node).truncate(size, call.signal));
      await this.#options.writeBack.store(node, call.signal);
    } finally {
      node.pins -= 1;
      this.#storeLeftOvers(node);
      await this.#options.writeBack.letGo(node);
    }
  }

  async fallocate(request: FallocateRequest, call: Call): Promise<void> {
    const { offset, length, mode } = request;
    const handle = this.#options.files.writable(request.handle);
    const { node } = handle;
    if (!mode.keepSize) this.#checkSize(node, offset + length);
    await this.#changeBy(handle, call, async () => {
      const content = this.#options.contents.of(node);
      const end = offset + length;
      if (!mode.keepSize && end > content.size) await content.truncate(end, call.signal);
      if (!mode.punchHole && !mode.zeroRange) return; // space cannot be reserved in a bucket, nor run short here
      const zeroEnd = Math.min(end, content.size);
      if (zeroEnd > offset) await content.zeroRange(offset, zeroEnd - offset, call.signal);
    });
  }

  seek({ handle, offset, whence }: SeekRequest): number {
    const { node } = this.#options.files.get(handle);
    const found = this.#options.contents.of(node).seek(offset, whence);
    if (found === undefined) throw new FsError('ENXIO', `seek in ${node.key}: past the end`);
    return found;
  }

  /** Bytes that are stored as they are stay on the server; staged ones are copied here. */
  async copyRange({ from, to, length }: CopyFileRangeRequest, call: Call): Promise<number> {
    const source = this.#options.files.current(from.handle);
    const target = this.#options.files.writable(to.handle);
    const content = this.#options.contents.of(source.node);
    const count = Math.max(0, Math.min(length, content.size - from.offset));
    if (count === 0) return 0;
    this.#checkSize(target.node, to.offset + count);
    const findStored = () => content.storedRange(from.offset, count);
    if (source.node !== target.node && findStored()) {
      const isInserted = await this.#changeBy(target, call, () =>
        this.#options.contents
          .of(target.node)
          .insertCopy({ offset: to.offset, length: count }, findStored, call.signal),
      );
      if (isInserted) return count;
    }
    const step = Math.min(count, copyStepBytes);
    const range = { offset: from.offset, length: step, stream: source.stream };
    const pieces = await this.#readContent(source.node, range, call.signal);
    const bytes = Buffer.concat(pieces);
    await this.#changeBy(target, call, () =>
      this.#options.contents.of(target.node).write(to.offset, bytes, call.signal),
    );
    return bytes.length;
  }

  async #openVersion(node: FileNode, flags: OpenFlags, signal: AbortSignal): Promise<OpenReply> {
    const { files, versions, openings } = this.#options;
    const endOpening = openings.begin(node);
    try {
      await versions.check(node, flags, signal);
      if (node.isLeaving) endOpening(); // the removal must not wait for this open, which waits for it
      while (node.isLeaving) await this.#afterOwnStore(node, signal);
      if (node.isOutdated) throw outdated(node);
      // The kernel may still have a name for it while it is being replaced; on ESTALE it looks the name up again.
      if (node.isRemoved && !node.content) {
        openings.expectAgain(node);
        throw new FsError('ESTALE', `open ${node.key}: removed`);
      }
      if (node.isUnreadable) {
        throw new FsError('EACCES', `open ${node.key}: encrypted under another customer key, or not allowed`);
      }
      return files.open(node, flags);
    } finally {
      endOpening();
    }
  }

  /**
   * Before the first change of a part of a small object: brings the rest of it into the cache. The commit needs it, and if
   * another client replaces the object meanwhile, ours can still be kept whole beside theirs.
   */
  async #keepRest({ node, stream }: FileHandle, signal: AbortSignal): Promise<void> {
    const base = node.version;
    if (node.hasUnstoredContent || !base || base.size === 0 || base.size > keptRestBytes) return;
    await this.#readContent(node, { offset: 0, length: base.size, stream }, signal);
  }

  async #readContent(
    node: FileNode,
    range: ContentRange,
    signal: AbortSignal,
  ): Promise<readonly Uint8Array[]> {
    const before = node.version;
    try {
      return await this.#readVersion(node, range, signal);
    } catch (error) {
      if (!isStoreError(error, 'NotFound', 'PreconditionFailed'))
        throw toFsError(error, `reading ${node.key}`);
      // A copy of our own (chmod, rename) replaces the object a moment before we know its new ETag.
      await this.#afterOwnStore(node, signal);
      if (node.version !== before) return await this.#readAgain(node, range, signal);
      throw this.#staleOf(node, error);
    }
  }

  async #readAgain(node: FileNode, range: ContentRange, signal: AbortSignal): Promise<readonly Uint8Array[]> {
    try {
      return await this.#readVersion(node, range, signal);
    } catch (error) {
      if (isStoreError(error, 'NotFound', 'PreconditionFailed')) throw this.#staleOf(node, error);
      throw toFsError(error, `reading ${node.key}`);
    }
  }

  /** What was not changed here is read from the cache. */
  async #readVersion(
    node: FileNode,
    range: ContentRange,
    signal: AbortSignal,
  ): Promise<readonly Uint8Array[]> {
    if (node.content) return await node.content.read(range, signal);
    if (!node.info) throw new Error(`${node.key} is neither here nor in the bucket`);
    return await this.#options.reader.read({ version: node.info, ...range }, signal);
  }

  /** Resolves when what is being stored, moved or copied of this file is done. */
  async #afterOwnStore(node: FileNode, signal: AbortSignal): Promise<void> {
    try {
      await this.#options.writeBack.waitForMoves(node, signal);
      await node.lock.run(() => Promise.resolve(), signal);
    } catch (error) {
      throw toFsError(error, `reading ${node.key}`);
    }
  }

  #staleOf(node: FileNode, cause: Error): FsError {
    node.validatedAtMs = -Infinity;
    return new FsError('ESTALE', `reading ${node.key}: replaced by another client`, { cause });
  }

  async #changeBy<T>(handle: FileHandle, call: Call, action: () => Promise<T>): Promise<T> {
    try {
      return await this.#change(handle.node, call, action);
    } finally {
      countChange(handle); // also of what failed a first part may be there
    }
  }

  async #change<T>(node: FileNode, call: Call, action: () => Promise<T>): Promise<T> {
    let result: T;
    try {
      result = await action();
    } catch (error) {
      if (isStoreError(error, 'NotFound', 'PreconditionFailed')) {
        throw new FsError('ESTALE', `changing ${node.key}: replaced by another client`, { cause: error });
      }
      throw toFsError(error, `changing ${node.key}`);
    }
    this.#touch(node, call);
    return result;
  }

  /** A change of content sets mtime and ctime, and takes set-id bits from a file that somebody else than root wrote. */
  #touch(node: FileNode, call: Call): void {
    const now = this.#options.clock.nowNs();
    let { permissions } = node.attributes;
    if (call.uid !== 0) {
      permissions &= ~setUserIdBit;
      if (permissions & groupExecuteBit) permissions &= ~setGroupIdBit;
    }
    node.attributes = { ...node.attributes, permissions, mtimeNs: now, ctimeNs: now, hasTimesOfWrite: true };
    if (!node.hasUnstoredContent) this.#options.writeBack.scheduleAttributes(node);
  }

  /** After a flush that failed, or for a writable mapping: the close of a handle that only reads stores nothing. */
  #storeLeftOvers(node: FileNode): void {
    if (node.hasUnstoredContent && isPending(node) && !isBeingWritten(node))
      this.#options.writeBack.scheduleContent(node);
  }

  async #store(handle: FileHandle, signal: AbortSignal): Promise<void> {
    const { node } = handle;
    await this.#options.writeBack.store(node, signal);
    if (node.isOutdated && hasUnstoredChanges(handle)) {
      // The store that lost the race told its own caller, perhaps a program that had ended by then.
      throw new FsError('ESTALE', `storing ${node.key}: replaced by another client since it was opened`);
    }
  }

  #checkSize(node: FileNode, end: number): void {
    const { maxObjectSize } = this.#options.store.limits;
    if (end > maxObjectSize) throw new FsError('EFBIG', `${node.key}: larger than ${maxObjectSize} bytes`);
  }
}

/** An object up to this size comes in one request. */
const keptRestBytes = 1024 * 1024;

/** Staged bytes are copied in steps of this size, so that one call holds little memory. */
const copyStepBytes = 4 * 1024 * 1024;
