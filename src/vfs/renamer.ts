/** rename(2): finds both names, takes the locks in their order, and leaves the rest to the rename of a file or of a directory. */
import { lockRanks } from '../concurrency/lock-order.js';
import { Mutex } from '../concurrency/mutex.js';
import { FsError } from '../errors.js';
import type { RenameFlags } from '../file-system.js';
import type { DirectoryRenamer } from './directory-renamer.js';
import type { FileRenamer } from './file-renamer.js';
import { SourceGone } from './latest-copy.js';
import { whileChangingNames } from './moves.js';
import { ancestorsOf, type DirectoryNode, type Node } from './nodes.js';
import type { WorkingParts } from './working-parts.js';

interface RenamerOptions extends Pick<WorkingParts, 'store' | 'finder' | 'upkeep' | 'writeBack'> {
  readonly files: FileRenamer;
  readonly directories: DirectoryRenamer;
}

/** What rename(2) is asked for. */
interface Rename {
  readonly parent: DirectoryNode;
  readonly name: string;
  readonly newParent: DirectoryNode;
  readonly newName: string;
  readonly flags: RenameFlags;
}

/** How often a source is looked up anew that another client has changed meanwhile. */
const maxAttempts = 5;

export class Renamer {
  readonly #options: RenamerOptions;
  readonly #acrossDirectories = new Mutex(lockRanks.directoryMoves);

  constructor(options: RenamerOptions) {
    this.#options = options;
  }

  async rename(order: Rename, signal: AbortSignal): Promise<void> {
    const { parent, name, newParent, flags } = order;
    if (flags.exchange) throw new FsError('EINVAL', 'rename: S3 cannot exchange two objects at once');
    const rename = () =>
      whileChangingNames([parent, newParent], signal, () => this.#renameNow(order, signal));
    for (let attempt = 1; ; attempt += 1) {
      try {
        if (parent === newParent) await rename();
        else await this.#acrossDirectories.run(rename, signal);
        return;
      } catch (error) {
        if (!(error instanceof SourceGone) || attempt === maxAttempts) throw error;
        parent.askAtNextLookup(name); // what was known of the name is old: another client may have put a directory there
      }
    }
  }

  async #renameNow(order: Rename, signal: AbortSignal): Promise<void> {
    const { finder, upkeep, writeBack } = this.#options;
    const { parent, name, newParent, newName } = order;
    const source = await finder.requireChild(parent, name, signal);
    source.pins += 1; // attributes that are set meanwhile are to find it
    let target: Node | undefined;
    try {
      target = await this.#findTarget(source, order, signal);
      upkeep.checkNewName(newParent, newName, source.kind);
      if (source === target) return;
      await finder.requireReadable(source, signal);
      await this.#renameFound(source, target, order, signal);
    } finally {
      source.pins -= 1;
      await writeBack.letGo(source);
      if (target) await writeBack.letGo(target);
    }
    upkeep.touch(parent);
    if (newParent !== parent) upkeep.touch(newParent);
  }

  /** Where nothing is known of the new name, the bucket is asked: nothing may be hidden by, or mixed with, a directory made elsewhere. */
  async #findTarget(
    source: Node,
    { newParent, newName }: Rename,
    signal: AbortSignal,
  ): Promise<Node | undefined> {
    const { finder, upkeep } = this.#options;
    const known = await finder.findChild(newParent, newName, signal);
    if (known) return known;
    upkeep.checkNewName(newParent, newName, source.kind);
    if (source.kind === 'file' && !(await this.#isDirectory(newParent, newName, signal))) return undefined;
    newParent.askAtNextLookup(newName);
    return await finder.findChild(newParent, newName, signal);
  }

  async #isDirectory(parent: DirectoryNode, name: string, signal: AbortSignal): Promise<boolean> {
    const { store } = this.#options;
    const prefix = `${parent.prefix}${name}/`;
    if (Buffer.byteLength(prefix) > store.limits.maxKeyBytes) return false;
    return (await store.list({ prefix, maxKeys: 1 }, signal)).objects.length > 0;
  }

  async #renameFound(
    source: Node,
    target: Node | undefined,
    { newParent, newName, flags }: Rename,
    signal: AbortSignal,
  ): Promise<void> {
    const { files, directories } = this.#options;
    checkKinds(source, target, flags);
    if (isAtOrBelow(newParent, source)) throw new FsError('EINVAL', `rename ${source.key}: into itself`);
    if (source.kind === 'file') {
      const replaced = target?.kind === 'file' ? target : undefined;
      await files.rename({ source, newParent, newName, replaced, noReplace: flags.noReplace }, signal);
    } else {
      const replaced = target?.kind === 'directory' ? target : undefined;
      await directories.rename({ source, newParent, newName, replaced }, signal);
    }
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

function isAtOrBelow(directory: DirectoryNode, above: Node): boolean {
  if (directory === above) return true;
  for (const ancestor of ancestorsOf(directory)) if (ancestor === above) return true;
  return false;
}
