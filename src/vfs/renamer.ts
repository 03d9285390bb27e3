/** Rename of a file, and what is common to it and the rename of a directory. */
import { FsError } from '../errors.js';
import type { Call, RenameFlags } from '../file-system.js';
import type { WriteCondition } from '../object-store.js';
import type { VfsContext } from './context.js';
import { DirectoryRenamer } from './directory-renamer.js';
import type { FileOperations } from './file-operations.js';
import { whileInPlace } from './moves.js';
import type { NamespaceOperations } from './namespace-operations.js';
import type { NodeFinder } from './node-finder.js';
import { ancestorsOf, lockFiles, type DirectoryNode, type FileNode, type Node } from './nodes.js';
import { headersOfAttributes } from './stored-attributes.js';

export class Renamer {
  readonly #context: VfsContext;
  readonly #finder: NodeFinder;
  readonly #files: FileOperations;
  readonly #names: NamespaceOperations;
  readonly #directories: DirectoryRenamer;

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
    const { writeBack } = this.#context;
    await writeBack.waitForMoves(parent, call.signal);
    await writeBack.waitForMoves(newParent, call.signal);
    const source = await this.#finder.requireChild(parent, name, call.signal);
    const target = await this.#finder.findChild(newParent, newName, call.signal);
    try {
      this.#names.checkNewName(newParent, newName, source.kind);
      if (source === target) return;
      await this.#finder.requireReadable(source, call.signal);
      await this.#renameFound(source, newParent, newName, target, flags, call.signal);
    } finally {
      this.#context.inodes.release(source);
      if (target) this.#context.inodes.release(target);
    }
    this.#names.touchDirectory(parent);
    if (newParent !== parent) this.#names.touchDirectory(newParent);
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
    if (isWithin(newParent, source)) throw new FsError('EINVAL', `rename ${source.key}: into itself`);
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
      if (source.content?.isDirty) await writeBack.storeLocked(source, signal);
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
    const { store, rewriter, writeBack, inodes, infos, clock } = this.#context;
    const { info, parent, name, key: oldKey } = source;
    if (!info) throw new FsError('ENOENT', `rename ${oldKey}: gone`);
    const newKey = `${newParent.prefix}${newName}`;
    const attributes = { ...source.attributes, ctimeNs: clock.nowNs() };
    const headers = headersOfAttributes(attributes, info);
    const condition: WriteCondition = flags.noReplace ? { ifNoneMatch: '*' } : {};
    const { etag } = await rewriter.copy(info, newKey, headers, condition, signal);
    if (parent) await this.#names.ensureMarker(parent, signal);
    let forgotten: Promise<void> | undefined;
    if (replaced) {
      replaced.info = undefined; // its object is the new one now
      // Not waited for yet: at no moment may the name lead to nothing.
      forgotten = this.#names.forgetRemoved(replaced);
    }
    parent?.listing?.remove(name);
    inodes.move(source, newParent, newName);
    source.attributes = attributes;
    writeBack.cancel(source);
    writeBack.recordMoved(source, { from: info, to: { key: newKey, etag, size: info.size }, headers });
    infos.delete(oldKey);
    await forgotten;
    await store.delete(oldKey, signal);
  }
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

function isWithin(directory: DirectoryNode, above: Node): boolean {
  if (directory === above) return true;
  for (const ancestor of ancestorsOf(directory)) if (ancestor === above) return true;
  return false;
}
