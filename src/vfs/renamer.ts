/** Rename of a file, and what is common to it and the rename of a directory. */
import { isSameVersion } from '../object-version.js';
import { FsError } from '../errors.js';
import type { Call, RenameFlags } from '../file-system.js';
import type { ObjectInfo, WriteCondition } from '../object-store.js';
import type { VfsContext } from './context.js';
import { DirectoryRenamer } from './directory-renamer.js';
import type { FileOperations } from './file-operations.js';
import { whileChangingNames, whileInPlace } from './moves.js';
import { lockRanks } from '../concurrency/lock-order.js';
import { Mutex } from '../concurrency/mutex.js';
import type { NamespaceOperations } from './namespace-operations.js';
import type { NodeFinder } from './node-finder.js';
import { ancestorsOf, lockFiles, type DirectoryNode, type FileNode, type Node } from './nodes.js';
import { attributesOfObject, headersOfAttributes, type StoredAttributes } from './stored-attributes.js';
import { mergeAttributes } from './merged-attributes.js';
import { isSameObject } from './same-object.js';
import { isStoreError } from './fs-errors.js';
import type { CopiedObject } from './file-contents.js';

/** How often what another client changes meanwhile is looked at anew. */
const maxAttempts = 5;

export class Renamer {
  readonly #context: VfsContext;
  readonly #finder: NodeFinder;
  readonly #files: FileOperations;
  readonly #names: NamespaceOperations;
  readonly #directories: DirectoryRenamer;
  readonly #acrossDirectories = new Mutex(lockRanks.directoryMoves);

  constructor(context: VfsContext, finder: NodeFinder, files: FileOperations, names: NamespaceOperations) {
    this.#context = context;
    this.#finder = finder;
    this.#files = files;
    this.#names = names;
    this.#directories = new DirectoryRenamer(context, names);
  }

  async rename(
    parent: DirectoryNode,
    name: string,
    newParent: DirectoryNode,
    newName: string,
    flags: RenameFlags,
    call: Call,
  ): Promise<void> {
    if (flags.exchange) throw new FsError('EINVAL', 'rename: S3 cannot exchange two objects at once');
    const rename = () =>
      whileChangingNames([parent, newParent], call.signal, () =>
        this.#renameNow(parent, name, newParent, newName, flags, call),
      );
    for (let attempt = 1; ; attempt += 1) {
      try {
        if (parent === newParent) await rename();
        else await this.#acrossDirectories.run(rename, call.signal);
        return;
      } catch (error) {
        if (!(error instanceof SourceGone) || attempt === maxAttempts) throw error;
        parent.askAtNextLookup(name); // what was known of the name is old: another client may have put a directory there
      }
    }
  }

  async #renameNow(
    parent: DirectoryNode,
    name: string,
    newParent: DirectoryNode,
    newName: string,
    flags: RenameFlags,
    call: Call,
  ): Promise<void> {
    const source = await this.#finder.requireChild(parent, name, call.signal);
    source.pins += 1; // attributes that are set meanwhile are to find it
    let target: Node | undefined;
    try {
      target = await this.#findTarget(source, newParent, newName, call.signal);
      this.#names.checkNewName(newParent, newName, source.kind);
      if (source === target) return;
      await this.#finder.requireReadable(source, call.signal);
      await this.#renameFound(source, newParent, newName, target, flags, call.signal);
    } finally {
      source.pins -= 1;
      await this.#context.writeBack.letGo(source);
      if (target) await this.#context.writeBack.letGo(target);
    }
    this.#names.touchDirectory(parent);
    if (newParent !== parent) this.#names.touchDirectory(newParent);
  }

  /** Where nothing is known of the new name, the bucket is asked: nothing may be hidden by, or mixed with, a directory made elsewhere. */
  async #findTarget(
    source: Node,
    newParent: DirectoryNode,
    newName: string,
    signal: AbortSignal,
  ): Promise<Node | undefined> {
    const known = await this.#finder.findChild(newParent, newName, signal);
    if (known) return known;
    this.#names.checkNewName(newParent, newName, source.kind);
    if (source.kind === 'file' && !(await this.#isDirectory(newParent, newName, signal))) return undefined;
    newParent.askAtNextLookup(newName);
    return await this.#finder.findChild(newParent, newName, signal);
  }

  async #isDirectory(parent: DirectoryNode, name: string, signal: AbortSignal): Promise<boolean> {
    const { store } = this.#context;
    const prefix = `${parent.prefix}${name}/`;
    if (Buffer.byteLength(prefix) > store.limits.maxKeyBytes) return false;
    return (await store.list({ prefix, maxKeys: 1 }, signal)).objects.length > 0;
  }

  async #renameFound(
    source: Node,
    newParent: DirectoryNode,
    newName: string,
    target: Node | undefined,
    flags: RenameFlags,
    signal: AbortSignal,
  ): Promise<void> {
    checkKinds(source, target, flags);
    if (isAtOrBelow(newParent, source)) throw new FsError('EINVAL', `rename ${source.key}: into itself`);
    if (source.kind === 'file') await this.#renameFile(source, newParent, newName, target, flags, signal);
    else await this.#directories.rename(source, newParent, newName, target, signal);
  }

  async #renameFile(
    source: FileNode,
    newParent: DirectoryNode,
    newName: string,
    target: Node | undefined,
    flags: RenameFlags,
    signal: AbortSignal,
  ): Promise<void> {
    const { writeBack } = this.#context;
    const replaced = target?.kind === 'file' ? target : undefined;
    await lockFiles([source, ...(replaced ? [replaced] : [])], signal, async () => {
      if (source.hasUnstoredContent) await writeBack.storeLocked(source, signal);
      const moveFile = () => this.#moveFile(source, newParent, newName, replaced, flags, signal);
      // What has to be stored of it meanwhile, for those who have it open, waits until it has its new key.
      const move = () => whileInPlace(source, signal, moveFile);
      if (replaced) await this.#files.detachFor(replaced, signal, move);
      else await move();
    });
  }

  async #moveFile(
    source: FileNode,
    newParent: DirectoryNode,
    newName: string,
    replaced: FileNode | undefined,
    flags: RenameFlags,
    signal: AbortSignal,
  ): Promise<void> {
    const { store, inodes, infos } = this.#context;
    const { info, parent, name, key: oldKey, attributes } = source;
    if (!info) throw new SourceGone(oldKey);
    if (parent) await this.#names.ensureMarker(parent, signal);
    const newKey = `${newParent.prefix}${newName}`;
    const copied = await this.#copyLatest(source, info, newKey, flags.noReplace, signal);
    let forgotten: Promise<void> | undefined;
    if (replaced) {
      replaced.info = undefined; // its object is the new one now
      // Not waited for yet: at no moment may the name lead to nothing.
      forgotten = this.#names.forgetRemoved(replaced);
    }
    parent?.listing?.remove(name);
    inodes.move(source, newParent, newName);
    infos.delete(oldKey);
    if (isSameVersion(info, copied.from)) this.#recordMoved(source, copied, attributes);
    else this.#leaveToOthers(source, copied);
    // At once: what others store under the old name from now on goes with it.
    await Promise.all([store.delete(oldKey, signal), forgotten]);
  }

  /**
   * Copies what is under the file's name when the copy is complete: another version that somebody stores meanwhile is copied
   * again, since the name is to be removed.
   */
  async #copyLatest(
    source: FileNode,
    known: ObjectInfo,
    newKey: string,
    noReplace: boolean,
    signal: AbortSignal,
  ): Promise<CopiedFile> {
    const { resolver, rewriter, clock, defaults } = this.#context;
    const { key } = source;
    let condition: WriteCondition = noReplace ? { ifNoneMatch: '*' } : {};
    let from = known;
    let attributes = source.attributes;
    let copied: CopiedFile | undefined;
    for (let attempt = 0; attempt < maxAttempts; attempt += 1) {
      attributes = { ...attributes, ctimeNs: clock.nowNs() };
      const headers = headersOfAttributes(attributes, from);
      try {
        const { etag } = await rewriter.copy(from, newKey, headers, condition, signal);
        copied = { from, to: { key: newKey, etag, size: from.size }, headers, attributes };
        if (noReplace) condition = { ifMatch: etag };
      } catch (error) {
        if (!isStoreError(error, 'PreconditionFailed', 'NotFound')) throw error;
      }
      const now = await resolver.headIfExists(key, signal);
      if (!now && !copied) throw new SourceGone(key);
      if (copied && (!now || isSameObject(now, copied.from))) return copied;
      if (!now) break;
      if (noReplace && isSameObject(now, from)) throw new FsError('EEXIST', `rename to ${newKey}: exists`);
      const base = attributesOfObject(from, false, defaults);
      attributes = mergeAttributes(base, attributes, attributesOfObject(now, false, defaults));
      from = now;
    }
    throw new FsError('EBUSY', `rename ${key}: other clients change it all the time`);
  }

  /** `before`: the attributes that were copied. What was set since is still to be stored, under the new name. */
  #recordMoved(node: FileNode, copied: CopiedFile, before: StoredAttributes): void {
    const { contents, writeBack } = this.#context;
    if (node.attributes === before) writeBack.cancel(node);
    node.attributes = mergeAttributes(before, node.attributes, copied.attributes);
    contents.recordMoved(node, copied);
  }

  /** The name now is for what another client has stored; what was written here since is kept beside it when it is stored. */
  #leaveToOthers(node: FileNode, { to }: CopiedFile): void {
    if (node.parent) {
      this.#context.resolver.dropListing(node.parent);
      node.parent.askAtNextLookup(node.name);
    }
    this.#context.reader.drop(to.key);
    if (node.hasUnstoredContent) return;
    this.#context.writeBack.cancel(node);
    this.#finder.supersede(node);
  }
}

/** There is nothing under the name that was to be renamed, at least no file. */
class SourceGone extends FsError {
  constructor(key: string) {
    super('ENOENT', `rename ${key}: gone`);
  }
}

interface CopiedFile extends CopiedObject {
  readonly from: ObjectInfo;
  readonly attributes: StoredAttributes;
}

function checkKinds(source: Node, target: Node | undefined, flags: RenameFlags): void {
  if (!target) return;
  if (flags.noReplace) throw new FsError('EEXIST', `${target.key}: exists`);
  if (source.kind === 'directory' && target.kind === 'file') {
    throw new FsError('ENOTDIR', `${target.key}: not a directory`);
  }
  if (source.kind === 'file' && target.kind === 'directory')
    throw new FsError('EISDIR', `${target.key}: a directory`);
}

function isAtOrBelow(directory: DirectoryNode, above: Node): boolean {
  if (directory === above) return true;
  for (const ancestor of ancestorsOf(directory)) if (ancestor === above) return true;
  return false;
}
