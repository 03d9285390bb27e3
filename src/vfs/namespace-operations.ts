/**
 * What is done with names: create, make and remove directories, symlinks, unlink. Rename is in `renamer.ts`.
 */
import { FsError } from '../errors.js';
import type { Call } from '../file-system.js';
import { joinPieces, type GetReply } from '../object-store.js';
import type { VfsContext } from './context.js';
import { noExtendedAttributes } from './extended-attributes.js';
import { entryOfUnstored } from './resolver.js';
import type { FileOperations } from './file-operations.js';
import { isStoreError, toFsError } from './fs-errors.js';
import {
  maxLinkBytes,
  permissionMask,
  setGroupIdBit,
  typeBlockDevice,
  typeCharacterDevice,
  typeDirectory,
  typeRegular,
  typeSymlink,
} from './modes.js';
import { keyOfEntry, reservedName } from './names.js';
import type { NodeFinder } from './node-finder.js';
import { filesBelow, type DirectoryNode, type FileNode } from './nodes.js';
import {
  headersOfAttributes,
  type FileType,
  type SpecialType,
  type StoredAttributes,
} from './stored-attributes.js';

export class NamespaceOperations {
  readonly #context: VfsContext;
  readonly #finder: NodeFinder;
  readonly #files: FileOperations;

  constructor(context: VfsContext, finder: NodeFinder, files: FileOperations) {
    this.#context = context;
    this.#finder = finder;
    this.#files = files;
  }

  /** A new file that the bucket sees at its first flush. The name is free as far as is known. */
  createFile(parent: DirectoryNode, name: string, mode: number, replaces: boolean, call: Call): FileNode {
    const { inodes, clock } = this.#context;
    this.checkNewName(parent, name, 'file');
    const attributes = this.#newAttributes(parent, typeRegular, mode, call);
    const node = inodes.addFile(parent, name, attributes, undefined, clock.monotonicMs());
    node.creation = { atMs: clock.monotonicMs(), replaces };
    this.#context.contents.of(node);
    parent.listing?.set(entryOfUnstored(name, node.key, 0));
    this.touchDirectory(parent);
    return node;
  }

  /** mknod(2) of a regular file: there is no close to wait for, so it is stored at once. */
  async makeFile(parent: DirectoryNode, name: string, mode: number, call: Call): Promise<FileNode> {
    await this.#context.writeBack.waitForMoves(parent, call.signal);
    await this.#requireFree(parent, name, call.signal);
    const stored = await this.#finder.findStored(parent, name, call.signal);
    if (stored) {
      this.#context.inodes.release(stored);
      throw new FsError('EEXIST', `${name}: exists`);
    }
    const node = this.createFile(parent, name, mode, false, call);
    const { writeBack } = this.#context;
    node.pins += 1; // until it can be handed out
    try {
      await writeBack.store(node, call.signal);
    } catch (error) {
      this.#forgetNew(node);
      node.pins -= 1;
      await writeBack.letGo(node);
      throw error;
    }
    node.pins -= 1;
    await writeBack.closeUnused(node);
    return node;
  }

  async makeSymlink(parent: DirectoryNode, name: string, target: string, call: Call): Promise<FileNode> {
    const attributes = this.#newAttributes(parent, typeSymlink, 0o777, call);
    const node = await this.#makeStored(parent, name, attributes, Buffer.from(target), call);
    if (node.info) node.linkTarget = { etag: node.info.etag, target };
    return node;
  }

  /** mknod(2) of a pipe, a socket or a device: `mode` with permissions, `deviceNumber` of a device. */
  async makeSpecial(
    parent: DirectoryNode,
    name: string,
    { type, mode, deviceNumber }: { type: SpecialType; mode: number; deviceNumber: number },
    call: Call,
  ): Promise<FileNode> {
    const common = this.#newAttributes(parent, type, mode, call);
    const isDevice = type === typeCharacterDevice || type === typeBlockDevice;
    const attributes = isDevice ? { ...common, deviceNumber } : common;
    return await this.#makeStored(parent, name, attributes, new Uint8Array(), call);
  }

  /** What is whole from the start: stored at once. */
  async #makeStored(
    parent: DirectoryNode,
    name: string,
    attributes: StoredAttributes,
    content: Uint8Array,
    call: Call,
  ): Promise<FileNode> {
    const { store, inodes, records, clock } = this.#context;
    await this.#requireFree(parent, name, call.signal);
    const key = this.checkNewName(parent, name, 'file');
    const headers = headersOfAttributes(attributes, undefined);
    const { etag } = await orExists(
      parent,
      name,
      store.put({ key, body: [content], headers, condition: { ifNoneMatch: '*' } }, call.signal),
    );
    const node = inodes.addFile(parent, name, attributes, undefined, clock.monotonicMs());
    records.recordFile(node, { key, etag, size: content.length }, headers);
    this.touchDirectory(parent);
    return node;
  }

  async readLink(node: FileNode, call: Call): Promise<string> {
    if (node.attributes.type !== typeSymlink) throw new FsError('EINVAL', `${node.key}: not a symbolic link`);
    const { info } = node;
    if (info && node.linkTarget?.etag === info.etag) return node.linkTarget.target;
    // Whoever may write to the bucket says what is a symbolic link.
    if (info && info.size > maxLinkBytes) throw tooLongForLink(node);
    const reply = await this.#getLink(node, call.signal);
    const target = Buffer.from(joinPieces(reply.pieces)).toString();
    if (target === '' || target.includes('\0')) {
      throw new FsError('EIO', `${node.key}: a symbolic link without a target`);
    }
    node.linkTarget = { etag: reply.info.etag, target };
    // The kernel keeps the target as the inode's first page, and is not told of another one.
    node.pageEtag = reply.info.etag;
    return target;
  }

  async #getLink(node: FileNode, signal: AbortSignal): Promise<GetReply> {
    try {
      const condition = node.info && { ifMatch: node.info.etag };
      return await this.#context.store.get({ key: node.key, ...condition, maxBytes: maxLinkBytes }, signal);
    } catch (error) {
      if (isStoreError(error, 'EntityTooLarge')) throw tooLongForLink(node, error);
      if (!isStoreError(error, 'PreconditionFailed', 'NotFound')) throw error;
      // The kernel looks the name up again, but only once: the listing must not answer.
      node.parent?.askAtNextLookup(node.name);
      throw new FsError('ESTALE', `readlink ${node.key}: replaced or removed`, { cause: error });
    }
  }

  async makeDirectory(parent: DirectoryNode, name: string, mode: number, call: Call): Promise<DirectoryNode> {
    const { inodes, writeBack, clock } = this.#context;
    await this.#requireFree(parent, name, call.signal);
    this.checkNewName(parent, name, 'directory');
    const attributes = this.#newAttributes(parent, typeDirectory, mode, call);
    const node = inodes.addDirectory(parent, name, attributes, clock.monotonicMs());
    node.marker = undefined; // as was just asked
    try {
      await orExists(parent, name, writeBack.makeMarker(node, call.signal));
    } catch (error) {
      inodes.remove(node);
      throw error;
    }
    parent.listing?.set({ name, kind: 'directory' });
    this.touchDirectory(parent);
    return node;
  }

  async unlink(parent: DirectoryNode, name: string, call: Call): Promise<void> {
    const node = await this.#finder.requireChild(parent, name, call.signal);
    try {
      if (node.kind === 'directory') throw new FsError('EISDIR', `unlink ${node.key}: a directory`);
      await node.lock.run(() => this.#unlinkLocked(parent, node, call.signal), call.signal);
    } finally {
      this.#context.inodes.release(node);
    }
  }

  async #unlinkLocked(parent: DirectoryNode, node: FileNode, signal: AbortSignal): Promise<void> {
    if (node.isRemoved) return;
    await this.#files.detachFor(node, signal, async () => {
      if (node.info) {
        await this.ensureMarker(parent, signal);
        await this.#context.store.delete(node.key, signal);
      }
      await this.forgetRemoved(node);
    });
    this.touchDirectory(parent);
  }

  async removeDirectory(parent: DirectoryNode, name: string, call: Call): Promise<void> {
    const { inodes } = this.#context;
    const node = await this.#finder.requireChild(parent, name, call.signal);
    try {
      if (node.kind !== 'directory') throw new FsError('ENOTDIR', `rmdir ${node.key}: not a directory`);
      // Attributes that are being stored would bring the marker back; those that are to be stored find it removed.
      await node.lock.run(() => this.#removeLocked(parent, node, call.signal), call.signal);
    } finally {
      inodes.release(node);
    }
  }

  async #removeLocked(parent: DirectoryNode, node: DirectoryNode, signal: AbortSignal): Promise<void> {
    const { inodes, store, infos, knownMarkers, writeBack, resolver } = this.#context;
    if (node.isRemoved) throw new FsError('ENOENT', `rmdir ${node.key}: removed`);
    await this.requireEmpty(node, signal);
    await this.ensureMarker(parent, signal);
    await store.delete(node.key, signal);
    infos.delete(node.key);
    knownMarkers.forget(node.key);
    resolver.dropListing(node);
    writeBack.cancel(node);
    parent.listing?.remove(node.name);
    // Another client has removed what was open below.
    for (const file of [...filesBelow(node)]) this.#finder.supersede(file);
    inodes.remove(node);
    this.touchDirectory(parent);
  }

  /** Rejects with ENOTEMPTY unless the directory has nothing but an empty marker, hidden keys included. */
  async requireEmpty(directory: DirectoryNode, signal: AbortSignal): Promise<void> {
    const { store, markers } = this.#context;
    const hasUnstored = [...filesBelow(directory)].some((file) => file.isAheadOfBucket);
    const page = await store.list({ prefix: directory.prefix, maxKeys: 2 }, signal);
    const marker = page.objects.find((object) => object.key === directory.prefix);
    const hasContent = marker !== undefined && marker.size > 0;
    if (hasContent) markers.tell(marker.key, marker.size);
    if (hasUnstored || hasContent || page.objects.some((object) => object !== marker)) {
      throw new FsError('ENOTEMPTY', `${directory.key}: not empty`);
    }
  }

  /** A directory that only its entries make visible would vanish with the last of them: give it a marker first. */
  async ensureMarker(directory: DirectoryNode, signal: AbortSignal): Promise<void> {
    if (directory.parent === undefined || typeof directory.marker === 'object') return;
    if (directory.marker === 'inaccessible') return;
    if (directory.listing?.marker) return;
    const { markers, infos } = this.#context;
    try {
      directory.marker = await markers.make(directory.key, directory.attributes, signal);
      infos.setWritten(directory.marker);
    } catch (error) {
      if (isStoreError(error, 'AccessDenied')) {
        // Who may not make it may still remove what is in the directory.
        this.#context.log.debug(
          { key: directory.key, err: error },
          'the marker of a directory may not be made',
        );
        directory.marker = 'inaccessible';
        return;
      }
      if (!isStoreError(error, 'PreconditionFailed')) throw error;
      // Somebody made it, perhaps under another customer key: that it is there is enough.
      const { marker } = await this.#context.resolver.headMarker(directory.key, signal);
      directory.marker = marker ?? 'inaccessible';
    }
  }

  /** The object is gone by our own hand: the node keeps its content for those who have it open. */
  async forgetRemoved(node: FileNode): Promise<void> {
    const { inodes, infos, reader, writeBack } = this.#context;
    infos.delete(node.key);
    reader.drop(node.key);
    node.parent?.listing?.remove(node.name);
    writeBack.cancel(node);
    const now = this.#context.clock.nowNs();
    node.attributes = { ...node.attributes, ctimeNs: now };
    inodes.remove(node);
    await writeBack.letGo(node);
  }

  /** Throws EPERM for the reserved name, ENAMETOOLONG for one that makes too long a key. Returns the key. */
  checkNewName(parent: DirectoryNode, name: string, kind: 'file' | 'directory'): string {
    if (parent.parent === undefined && name === reservedName) {
      throw new FsError('EPERM', `${name}: the name is reserved`);
    }
    if (parent.isRemoved) throw new FsError('ENOENT', `${parent.key}: the directory was removed`);
    return keyOfEntry(parent.prefix, name, kind, this.#context.store.limits.maxKeyBytes);
  }

  /** Entries came or went. Kept here until something else stores the directory's attributes. */
  touchDirectory(directory: DirectoryNode): void {
    const now = this.#context.clock.nowNs();
    directory.attributes = { ...directory.attributes, mtimeNs: now, ctimeNs: now };
  }

  async #requireFree(parent: DirectoryNode, name: string, signal: AbortSignal): Promise<void> {
    const existing = await this.#finder.findChild(parent, name, signal);
    if (!existing) return;
    this.#context.inodes.release(existing);
    throw new FsError('EEXIST', `${existing.key}: exists`);
  }

  #forgetNew(node: FileNode): void {
    node.parent?.listing?.remove(node.name);
    this.#context.inodes.remove(node);
  }

  #newAttributes(parent: DirectoryNode, type: FileType, mode: number, call: Call): StoredAttributes {
    const now = this.#context.clock.nowNs();
    const inheritsGroup = (parent.attributes.permissions & setGroupIdBit) !== 0;
    const inheritedBit = inheritsGroup && type === typeDirectory ? setGroupIdBit : 0;
    return {
      type,
      permissions: (mode & permissionMask) | inheritedBit,
      uid: call.uid,
      gid: inheritsGroup ? parent.attributes.gid : call.gid,
      atimeNs: now,
      mtimeNs: now,
      ctimeNs: now,
      hasTimesOfWrite: true,
      extended: noExtendedAttributes,
      otherMetadata: {},
      contentType: undefined,
    };
  }
}

/** Runs an operation on names and turns its failure into an FsError that names the operation and the entry. */
export async function asFsError<T>(what: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw toFsError(error, what);
  }
}

/** Of a write that makes a name, and may not replace anything. What is there instead is what the next look-up tells. */
async function orExists<T>(parent: DirectoryNode, name: string, writing: Promise<T>): Promise<T> {
  try {
    return await writing;
  } catch (error) {
    if (!isStoreError(error, 'PreconditionFailed')) throw error;
    parent.askAtNextLookup(name);
    throw new FsError('EEXIST', `${parent.prefix}${name}: another client made it first`, { cause: error });
  }
}

function tooLongForLink(node: FileNode, cause?: unknown): FsError {
  return new FsError('EIO', `${node.key}: too long for a symbolic link`, { cause });
}
