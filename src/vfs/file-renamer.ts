/** Rename of a file: its object is copied, the node moves, and the old object is deleted. */
import { isSameVersion } from '../object-version.js';
import { copyLatest, SourceGone, type CopiedFile } from './latest-copy.js';
import { mergeAttributes } from './merged-attributes.js';
import { whileInPlace } from './moves.js';
import { lockFiles, type DirectoryNode, type FileNode } from './nodes.js';
import type { Remover } from './remover.js';
import type { StoredAttributes } from './stored-attributes.js';
import type { WorkingParts } from './working-parts.js';

interface FileRenamerOptions extends Pick<
  WorkingParts,
  | 'store'
  | 'inodes'
  | 'infos'
  | 'upkeep'
  | 'openings'
  | 'contents'
  | 'writeBack'
  | 'superseder'
  | 'resolver'
  | 'rewriter'
  | 'defaults'
  | 'clock'
> {
  readonly remover: Remover;
}

interface FileRename {
  readonly source: FileNode;
  readonly newParent: DirectoryNode;
  readonly newName: string;
  /** The file that has the new name. */
  readonly replaced: FileNode | undefined;
  readonly noReplace: boolean;
}

export class FileRenamer {
  readonly #options: FileRenamerOptions;

  constructor(options: FileRenamerOptions) {
    this.#options = options;
  }

  async rename(order: FileRename, signal: AbortSignal): Promise<void> {
    const { openings, writeBack } = this.#options;
    const { source, replaced } = order;
    await lockFiles([source, ...(replaced ? [replaced] : [])], signal, async () => {
      if (source.hasUnstoredContent) await writeBack.storeLocked(source, signal);
      // What has to be stored of it meanwhile, for those who have it open, waits until it has its new key.
      const move = () => whileInPlace(source, signal, () => this.#move(order, signal));
      if (replaced) await openings.leave(replaced, signal, move);
      else await move();
    });
  }

  async #move(
    { source, newParent, newName, replaced, noReplace }: FileRename,
    signal: AbortSignal,
  ): Promise<void> {
    const { store, inodes, infos, upkeep, remover } = this.#options;
    const { info, parent, name, key: oldKey, attributes } = source;
    if (!info) throw new SourceGone(oldKey);
    if (parent) await upkeep.ensureMarker(parent, signal);
    const newKey = `${newParent.prefix}${newName}`;
    const copied = await copyLatest(this.#options, { info, attributes, newKey, noReplace }, signal);
    let forgotten: Promise<void> | undefined;
    if (replaced) {
      replaced.info = undefined; // its object is the new one now
      // Not waited for yet: at no moment may the name lead to nothing.
      forgotten = remover.forget(replaced);
    }
    parent?.listing?.remove(name);
    inodes.move(source, newParent, newName);
    infos.delete(oldKey);
    if (isSameVersion(info, copied.from)) this.#recordMoved(source, copied, attributes);
    else this.#leaveToOthers(source, copied);
    // At once: what others store under the old name from now on goes with it.
    await Promise.all([store.delete(oldKey, signal), forgotten]);
  }

  /** `before`: the attributes that were copied. What was set since is still to be stored, under the new name. */
  #recordMoved(node: FileNode, copied: CopiedFile, before: StoredAttributes): void {
    const { contents, writeBack } = this.#options;
    if (node.attributes === before) writeBack.cancel(node);
    node.attributes = mergeAttributes(before, node.attributes, copied.attributes);
    contents.recordMoved(node, copied);
  }

  /** The name now is for what another client has stored; what was written here since is kept beside it when it is stored. */
  #leaveToOthers(node: FileNode, { to }: CopiedFile): void {
    const { resolver, contents, writeBack, superseder } = this.#options;
    if (node.parent) {
      resolver.dropListing(node.parent);
      node.parent.askAtNextLookup(node.name);
    }
    contents.drop(to.key);
    if (node.hasUnstoredContent) return;
    writeBack.cancel(node);
    superseder.supersede(node);
  }
}
