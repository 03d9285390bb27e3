/**
 * What is done with the content of files: open, read, write, flush, truncate, and the handles that keep it open. What a
 * flush puts into the bucket is the business of WriteBack.
 */
import { makeGate } from '../concurrency/deferred.js';
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
import { joinPieces, type ObjectInfo } from '../object-store.js';
import type { ContentRange } from '../staging/file-content.js';
import type { VfsContext } from './context.js';
import { isStoreError, toFsError } from './fs-errors.js';
import { setGroupIdBit, setUserIdBit, groupExecuteBit, typeSymlink } from './modes.js';
import { abortable } from '../concurrency/abortable.js';
import { isHeld, isOtherVersion, type NodeFinder } from './node-finder.js';
import { countChange, hasUnstoredChanges, type FileHandle, type FileNode } from './nodes.js';
import { isBeingWritten, isPending } from './pending.js';
import { attributesOfObject } from './stored-attributes.js';

export class FileOperations {
  readonly #context: VfsContext;
  readonly #finder: NodeFinder;
  readonly #handles = new Map<HandleId, FileHandle>();
  #nextHandle: HandleId = 1;

  constructor(context: VfsContext, finder: NodeFinder) {
    this.#context = context;
    this.#finder = finder;
  }

  get openHandles(): number {
    return this.#handles.size;
  }

  /** Asks the bucket for the version to open: the next open anywhere sees what was stored before. */
  async open(node: FileNode, flags: OpenFlags, call: Call): Promise<OpenReply> {
    if (flags.write && this.#context.isReadOnly)
      throw new FsError('EROFS', `open ${node.key}: read-only mount`);
    if (flags.write) await this.#context.proveEncryption(node.key, call.signal);
    if (node.attributes.type === typeSymlink) throw new FsError('ELOOP', `open ${node.key}: a symbolic link`);
    if (isRead(flags) && node.parent) this.#context.resolver.noteOpen(node.parent, node.name);
    const reply = await this.#openVersion(node, flags, call.signal);
    if (flags.truncate) {
      const content = this.#context.contents.of(node);
      try {
        if (content.size > 0) await content.truncate(0, call.signal);
      } catch (error) {
        await this.release(reply.handle);
        throw toFsError(error, `truncating ${node.key}`);
      }
      this.#touch(node, call);
      countChange(this.#handle(reply.handle));
    }
    return reply;
  }

  /** Opens a handle on content that is known to be current. */
  openHandle(node: FileNode, flags: OpenFlags, { hasChanged = false } = {}): OpenReply {
    this.#context.log.trace({ key: node.key, write: flags.write }, 'opened');
    const handle: FileHandle = {
      node,
      canRead: flags.read,
      canWrite: flags.write,
      stream: this.#context.reader.createStream(),
      generation: node.generation,
      lastChange: 0,
    };
    if (hasChanged) countChange(handle);
    const id = this.#nextHandle++;
    this.#handles.set(id, handle);
    node.addHandle(handle);
    const etag = node.version?.etag;
    // Pages of this very version are good, and so are those of a file that only this mount has.
    const keepCache = node.pageEtag === undefined ? false : node.pageEtag === etag;
    node.pageEtag = etag;
    return { handle: id, keepCache, directIo: false };
  }

  async read({ handle: handleId, offset, length }: ReadRequest, call: Call): Promise<readonly Uint8Array[]> {
    const handle = this.#handle(handleId);
    this.#checkGeneration(handle);
    const { node, stream } = handle;
    const pieces = await this.#readContent(node, { offset, length, stream }, call.signal);
    call.afterAnswer?.(() => this.#context.reader.done(pieces));
    return pieces;
  }

  /** Whether nothing had to be waited for, and it is done. */
  tryWrite({ handle: handleId, offset, data }: WriteRequest, call: Call): boolean {
    const handle = this.#writable(handleId);
    const { node } = handle;
    this.#checkGeneration(handle);
    this.#checkSize(node, offset + data.length);
    if (!node.content?.isDirty || !node.content.tryWrite(offset, data)) return false;
    countChange(handle);
    this.#touch(node, call);
    return true;
  }

  async write(request: WriteRequest, call: Call): Promise<void> {
    if (this.tryWrite(request, call)) return;
    const { offset, data } = request;
    const handle = this.#writable(request.handle);
    await this.#changeBy(handle, call, async () => {
      await this.#keepRest(handle, call.signal);
      await this.#context.contents.of(handle.node).write(offset, data, call.signal);
    });
  }

  /** The handle's changes are in the bucket when this resolves; a handle that changed nothing waits for nothing. */
  async flush(request: HandleRequest, call: Call): Promise<void> {
    const handle = this.#handle(request.handle);
    if (hasUnstoredChanges(handle)) await this.#store(handle, call.signal);
  }

  /** fsync: everything of the file, whoever wrote it. */
  async synchronize({ handle }: HandleRequest, call: Call): Promise<void> {
    await this.#store(this.#handle(handle), call.signal);
  }

  async release(handleId: HandleId): Promise<void> {
    const handle = this.#handles.get(handleId);
    if (!handle) return;
    const { reader, writeBack } = this.#context;
    const { node } = handle;
    this.#handles.delete(handleId);
    node.removeHandle(handle);
    reader.closeStream(handle.stream);
    this.#storeLeftOvers(node);
    await writeBack.letGo(node);
  }

  async truncate(node: FileNode, size: number, handleId: HandleId | undefined, call: Call): Promise<void> {
    this.#checkSize(node, size);
    if (handleId !== undefined) {
      const handle = this.#writable(handleId);
      this.#checkGeneration(handle);
      await this.#changeBy(handle, call, () => this.#context.contents.of(node).truncate(size, call.signal));
      return;
    }
    // truncate(2) has no close to wait for: it is stored when it returns.
    node.pins += 1;
    try {
      await this.#checkVersion(node, undefined, call.signal);
      if (node.isUnreadable) throw new FsError('EACCES', `truncate ${node.key}: not readable with this key`);
      await this.#change(node, call, () => this.#context.contents.of(node).truncate(size, call.signal));
      await this.#context.writeBack.store(node, call.signal);
    } finally {
      node.pins -= 1;
      this.#storeLeftOvers(node);
      await this.#context.writeBack.letGo(node);
    }
  }

  async fallocate(request: FallocateRequest, call: Call): Promise<void> {
    const { offset, length, mode } = request;
    const handle = this.#writable(request.handle);
    const { node } = handle;
    this.#checkGeneration(handle);
    if (!mode.keepSize) this.#checkSize(node, offset + length);
    await this.#changeBy(handle, call, async () => {
      const content = this.#context.contents.of(node);
      const end = offset + length;
      if (!mode.keepSize && end > content.size) await content.truncate(end, call.signal);
      if (!mode.punchHole && !mode.zeroRange) return; // space cannot be reserved in a bucket, nor run short here
      const zeroEnd = Math.min(end, content.size);
      if (zeroEnd > offset) await content.zeroRange(offset, zeroEnd - offset, call.signal);
    });
  }

  seek({ handle, offset, whence }: SeekRequest): number {
    const { node } = this.#handle(handle);
    const found = this.#context.contents.of(node).seek(offset, whence);
    if (found === undefined) throw new FsError('ENXIO', `seek in ${node.key}: past the end`);
    return found;
  }

  /** Bytes that are stored as they are stay on the server; staged ones are copied here. */
  async copyRange({ from, to, length }: CopyFileRangeRequest, call: Call): Promise<number> {
    const source = this.#handle(from.handle);
    const target = this.#writable(to.handle);
    this.#checkGeneration(source);
    this.#checkGeneration(target);
    const content = this.#context.contents.of(source.node);
    const count = Math.max(0, Math.min(length, content.size - from.offset));
    if (count === 0) return 0;
    this.#checkSize(target.node, to.offset + count);
    const findStored = () => content.storedRange(from.offset, count);
    if (source.node !== target.node && findStored()) {
      const isInserted = await this.#changeBy(target, call, () =>
        this.#context.contents.of(target.node).insertCopy(to.offset, count, findStored, call.signal),
      );
      if (isInserted) return count;
    }
    const step = Math.min(count, copyStepBytes);
    const range = { offset: from.offset, length: step, stream: source.stream };
    const pieces = await this.#readContent(source.node, range, call.signal);
    const bytes = Buffer.concat(pieces);
    await this.#changeBy(target, call, () =>
      this.#context.contents.of(target.node).write(to.offset, bytes, call.signal),
    );
    return bytes.length;
  }

  /**
   * Runs `remove`, which takes the object away, and keeps the content for the handles that are open, and for files that are to
   * have copies of it. Opens under way, and those that are to come again, are let through before. If it fails, the file is as
   * it was: no close of somebody who only reads it is to store it.
   */
  async detachFor<T>(node: FileNode, signal: AbortSignal, remove: () => Promise<T>): Promise<T> {
    const reopening = this.#context.reopenings.arrivalOf(node.key);
    if (reopening) await abortable(reopening, signal);
    if (node.openings.size > 0) await abortable(Promise.all(node.openings), signal);
    node.isLeaving = true;
    let attach: (() => void) | undefined;
    try {
      if (node.handles.size > 0) attach = await this.#context.contents.of(node).detach(signal);
      if (node.info) await this.#context.contents.stageCopiesOf(node.info, node.content, signal);
      return await remove();
    } catch (error) {
      if (!node.isRemoved) attach?.();
      throw error;
    } finally {
      node.isLeaving = false;
    }
  }

  async #openVersion(node: FileNode, flags: OpenFlags, signal: AbortSignal): Promise<OpenReply> {
    const endOpening = beginOpening(node);
    this.#context.reopenings.arrive(node.key);
    try {
      await this.#checkVersion(node, flags, signal);
      if (node.isLeaving) endOpening(); // it began to leave meanwhile, and is not to wait for who waits for it
      while (node.isLeaving) await this.#afterOwnStore(node, signal);
      if (node.isOutdated) throw this.#outdated(node);
      // The kernel may still have a name for it while it is being replaced; on ESTALE it looks the name up again.
      if (node.isRemoved && !node.content) {
        this.#context.reopenings.expect(node.key);
        throw new FsError('ESTALE', `open ${node.key}: removed`);
      }
      if (node.isUnreadable) {
        throw new FsError('EACCES', `open ${node.key}: encrypted under another customer key, or not allowed`);
      }
      return this.openHandle(node, flags);
    } finally {
      endOpening();
    }
  }

  async #checkVersion(node: FileNode, flags: OpenFlags | undefined, signal: AbortSignal): Promise<void> {
    const { resolver, clock, defaults, kernel } = this.#context;
    if (node.isOutdated) throw this.#outdated(node);
    // A file that has changes of its own, or is being stored, is ahead of the bucket.
    const known = node.info;
    if (node.isRemoved || !known || node.hasUnstoredContent || node.lock.isBusy) return;
    const validatedAtMs = clock.monotonicMs();
    try {
      const info = await this.#ask(node.key, known, flags, signal);
      if (node.info !== known || node.hasUnstoredContent || isBusy(node)) return; // changed here meanwhile
      const attributes = attributesOfObject(info, false, defaults);
      const isOther = isOtherVersion(node, info);
      const isOtherInode = isOther && (isHeld(node) || trustsSize(flags, known.size, info.size));
      if (attributes.type !== node.attributes.type || (isOtherInode && !node.hasUnstoredAttributes)) {
        // What the kernel has of the earlier version stays with those who have that open.
        node.parent?.listing?.set({ name: node.name, kind: 'file', object: info });
        this.#finder.supersede(node);
        throw new FsError('ESTALE', `open ${node.key}: replaced`);
      }
      if (!node.hasUnstoredAttributes) this.#finder.adopt(node, { info, isUnreadable: false }, attributes);
      node.validatedAtMs = validatedAtMs;
      // It would otherwise cut what is read at the size that it knows. This drops no pages, for which it might wait for us.
      if (isOther) await abortable(kernel.dropInode(node.id, -1), signal);
    } catch (error) {
      if (isStoreError(error, 'NotFound')) {
        // The kernel looks the name up again on ESTALE, and creates the file anew where that was asked for.
        node.validatedAtMs = -Infinity;
        if (node.parent) resolver.dropListing(node.parent);
        throw new FsError('ESTALE', `open ${node.key}: gone from the bucket`, { cause: error });
      }
      throw toFsError(error, `open ${node.key}`);
    }
  }

  /** What the bucket has now. Of a small file that is opened to be read the bytes come along, unless they are here or on their way. */
  async #ask(
    key: string,
    known: ObjectInfo,
    flags: OpenFlags | undefined,
    signal: AbortSignal,
  ): Promise<ObjectInfo> {
    const { store, reader, resolver, infos } = this.#context;
    if (
      !flags ||
      !isRead(flags) ||
      known.size === 0 ||
      known.size > fetchedAtOpenBytes ||
      reader.holds(known)
    ) {
      return await resolver.head(key, signal);
    }
    try {
      const range = { offset: 0, length: fetchedAtOpenBytes };
      const reply = await store.get({ key, range }, signal);
      const info = infos.set(reply.info);
      const bytes = joinPieces(reply.pieces);
      reader.seed(info, 0, bytes);
      return info;
    } catch (error) {
      if (isStoreError(error, 'RangeNotSatisfiable')) return await resolver.head(key, signal); // empty by now
      throw error;
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
    return await this.#context.reader.read({ version: node.info, ...range }, signal);
  }

  /** Resolves when what is being stored, moved or copied of this file is done. */
  async #afterOwnStore(node: FileNode, signal: AbortSignal): Promise<void> {
    try {
      await this.#context.writeBack.waitForMoves(node, signal);
      await node.lock.run(() => Promise.resolve(), signal);
    } catch (error) {
      throw toFsError(error, `reading ${node.key}`);
    }
  }

  /** The kernel looks the name up again, but only once: it must not be told what a listing said a while ago. */
  #outdated(node: FileNode): FsError {
    node.parent?.askAtNextLookup(node.name);
    return new FsError('ESTALE', `open ${node.key}: replaced or removed`);
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
    const now = this.#context.clock.nowNs();
    let { permissions } = node.attributes;
    if (call.uid !== 0) {
      permissions &= ~setUserIdBit;
      if (permissions & groupExecuteBit) permissions &= ~setGroupIdBit;
    }
    node.attributes = { ...node.attributes, permissions, mtimeNs: now, ctimeNs: now, hasTimesOfWrite: true };
    if (!node.hasUnstoredContent) this.#context.writeBack.scheduleAttributes(node);
  }

  /** After a flush that failed, or of a writable mapping: who only reads it has no close that will store it. */
  #storeLeftOvers(node: FileNode): void {
    if (node.hasUnstoredContent && isPending(node) && !isBeingWritten(node))
      this.#context.writeBack.scheduleContent(node);
  }

  async #store(handle: FileHandle, signal: AbortSignal): Promise<void> {
    const { node } = handle;
    await this.#context.writeBack.store(node, signal);
    if (node.isOutdated && hasUnstoredChanges(handle)) {
      // Whoever stored it first was told already, perhaps a program that had ended by then.
      throw new FsError('ESTALE', `storing ${node.key}: replaced by another client since it was opened`);
    }
  }

  #checkGeneration(handle: FileHandle): void {
    if (handle.generation === handle.node.generation) return;
    throw new FsError('ESTALE', `${handle.node.key}: replaced by another client since it was opened`);
  }

  #checkSize(node: FileNode, end: number): void {
    const { maxObjectSize } = this.#context.store.limits;
    if (end > maxObjectSize) throw new FsError('EFBIG', `${node.key}: larger than ${maxObjectSize} bytes`);
  }

  #handle(id: HandleId): FileHandle {
    const handle = this.#handles.get(id);
    if (!handle) throw new FsError('EBADF', `handle ${id} is not open`);
    return handle;
  }

  #writable(id: HandleId): FileHandle {
    const handle = this.#handle(id);
    if (!handle.canWrite) throw new FsError('EBADF', `${handle.node.key}: not open for writing`);
    return handle;
  }
}

/** An object up to this size comes in one request. */
const keptRestBytes = 1024 * 1024;

/** Staged bytes are copied in steps of this size, so that one call holds little memory. */
/** A GET of this size takes RGW hardly longer than a HEAD. */
const fetchedAtOpenBytes = 128 * 1024;
const copyStepBytes = 4 * 1024 * 1024;

/** The compiler takes a lock that was free before a wait for free afterwards. */
function isBusy(node: FileNode): boolean {
  return node.lock.isBusy;
}

/** Returns what ends it, which may be called again. */
function beginOpening(node: FileNode): () => void {
  const { opened: opening, open: end } = makeGate();
  node.addOpening(opening);
  return () => {
    node.removeOpening(opening);
    end();
  };
}

/**
 * Whether the kernel would go by the size it knows of a file that another client has changed. The answer to an open tells it
 * none: it would append at the former end, and read on to it in several requests at once, of which it takes a short answer
 * for the end only if no other comes before. Where there is more by now, read(2) asks before it goes beyond, but sendfile(2) and
 * splice(2) end there.
 */
function trustsSize(flags: OpenFlags | undefined, known: number, now: number): boolean {
  if (!flags || flags.truncate) return false; // it sets the size
  return now !== known;
}

function isRead({ read, write }: OpenFlags): boolean {
  return read && !write;
}
