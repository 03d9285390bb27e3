/**
 * Bounds the memory of inodes that the kernel knows and nobody uses. The kernel lets go of them only when it runs short
 * itself, while a walk over millions of files would fill the heap of this process long before. So above a number the kernel is
 * told to forget the names of the files that it has known for longest. It then looks them up again when they are wanted.
 *
 * Not directories: the kernel would also unhash one that is a program's working directory, of which nothing is known here.
 */
import type { KernelCaches } from '../file-system.js';
import type { Log } from '../log.js';
import type { InodeTable } from './inode-table.js';
import type { FileNode, Node } from './nodes.js';

interface IdleInodesOptions {
  readonly inodes: InodeTable;
  /** Above this number idle inodes are given back, until three quarters are left. Inodes in use stay. */
  readonly maxKnown: number;
  readonly kernel: () => KernelCaches;
  readonly log: Log;
}

/** Names that the kernel is told to forget at once: it works on two at a time. */
const batchSize = 64;
/** In parts of the limit: so much is given back at once, and must have come since for another try. */
const stepDivisor = 4;

export class IdleInodes {
  readonly #options: IdleInodesOptions;
  readonly #step: number;
  /** Above this number it is worth looking for idle ones: raised where most are in use. */
  #lookAbove: number;
  #isGivingBack = false;

  constructor(options: IdleInodesOptions) {
    this.#options = options;
    this.#lookAbove = options.maxKnown;
    this.#step = Math.ceil(options.maxKnown / stepDivisor);
  }

  /** To be called when the kernel is given an inode. Returns at once. */
  noteKnown(): void {
    const { inodes, maxKnown } = this.#options;
    this.#lookAbove = Math.max(maxKnown, Math.min(this.#lookAbove, inodes.size + this.#step));
    if (this.#isGivingBack || inodes.size <= this.#lookAbove) return;
    this.#isGivingBack = true;
    void this.#giveBack().finally(() => (this.#isGivingBack = false));
  }

  /** Never rejects. */
  async #giveBack(): Promise<void> {
    const { inodes, maxKnown, kernel, log } = this.#options;
    const wanted = inodes.size - (maxKnown - this.#step);
    let count = 0;
    let batch: Promise<void>[] = [];
    for (const node of inodes.nodes()) {
      if (count === wanted) break;
      if (!isIdle(node)) continue;
      count += 1;
      batch.push(kernel().dropEntry(node.parent.id, node.name));
      if (batch.length < batchSize) continue;
      await Promise.all(batch);
      batch = [];
    }
    await Promise.all(batch);
    // Where fewer are idle, or the kernel keeps them since they are in use, looking again at once would find the same.
    this.#lookAbove = inodes.size + this.#step;
    log.debug({ count, known: inodes.size }, 'the kernel was told to forget files that nobody uses');
  }
}

function isIdle(node: Node): node is FileNode & { readonly parent: NonNullable<FileNode['parent']> } {
  return (
    node.kind === 'file' &&
    node.parent !== undefined &&
    node.lookups > 0 &&
    node.pins === 0 &&
    node.handles.size === 0 &&
    node.openings.size === 0 &&
    node.content === undefined &&
    !node.hasUnstoredAttributes &&
    !node.isRemoved &&
    !node.lock.isBusy
  );
}
