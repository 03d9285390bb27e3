/** unlink and rmdir. */
import { FsError } from '../errors.js';
import { filesBelow, type DirectoryNode, type FileNode } from './nodes.js';
import type { WorkingParts } from './working-parts.js';

type RemoverOptions = Pick<
  WorkingParts,
  'store' | 'finder' | 'upkeep' | 'openings' | 'records' | 'superseder' | 'inodes' | 'writeBack'
>;

export class Remover {
  readonly #options: RemoverOptions;

  constructor(options: RemoverOptions) {
    this.#options = options;
  }

  async unlink(parent: DirectoryNode, name: string, signal: AbortSignal): Promise<void> {
    const { finder, inodes } = this.#options;
    const node = await finder.requireChild(parent, name, signal);
    try {
      if (node.kind === 'directory') throw new FsError('EISDIR', `unlink ${node.key}: a directory`);
      await node.lock.run(() => this.#unlinkLocked(parent, node, signal), signal);
    } finally {
      inodes.release(node);
    }
  }

  async removeDirectory(parent: DirectoryNode, name: string, signal: AbortSignal): Promise<void> {
    const { finder, inodes } = this.#options;
    const node = await finder.requireChild(parent, name, signal);
    try {
      if (node.kind !== 'directory') throw new FsError('ENOTDIR', `rmdir ${node.key}: not a directory`);
      // Attributes that are being stored would bring the marker back; those that are to be stored find it removed.
      await node.lock.run(() => this.#removeLocked(parent, node, signal), signal);
    } finally {
      inodes.release(node);
    }
  }

  /** This mount has removed the object. The node keeps its content for the handles that are open. */
  async forget(node: FileNode): Promise<void> {
    const { records, writeBack } = this.#options;
    writeBack.cancel(node);
    records.recordFileRemoved(node);
    await writeBack.letGo(node);
  }

  async #unlinkLocked(parent: DirectoryNode, node: FileNode, signal: AbortSignal): Promise<void> {
    const { store, upkeep, openings } = this.#options;
    if (node.isRemoved) return;
    await openings.leave(node, signal, async () => {
      if (node.info) {
        await upkeep.ensureMarker(parent, signal);
        await store.delete(node.key, signal);
      }
      await this.forget(node);
    });
    upkeep.touch(parent);
  }

  async #removeLocked(parent: DirectoryNode, node: DirectoryNode, signal: AbortSignal): Promise<void> {
    const { store, upkeep, records, superseder, writeBack } = this.#options;
    if (node.isRemoved) throw new FsError('ENOENT', `rmdir ${node.key}: removed`);
    await upkeep.requireEmpty(node, signal);
    await upkeep.ensureMarker(parent, signal);
    await store.delete(node.key, signal);
    writeBack.cancel(node);
    // Another client has removed what was open below.
    for (const file of [...filesBelow(node)]) superseder.supersede(file);
    records.recordDirectoryRemoved(node);
    upkeep.touch(parent);
  }
}
