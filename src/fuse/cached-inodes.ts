/**
 * The files of which the kernel may have pages. After a direct write that a program did not wait for (io_submit(2), io_uring), the
 * kernel leaves pages that were read while the write was on its way, unlike after one that it waited for: from then on
 * all programs read the former bytes. So the driver has it drop them before it says that such a write is done.
 */
import type { Call, InodeId, KernelCaches } from '../file-system.js';

export class CachedInodes {
  /** No larger than the number of inodes that the kernel knows: `forget` takes them out. */
  readonly #inodes = new Set<InodeId>();

  /** Data of this file goes through the page cache. */
  note(inode: InodeId): void {
    this.#inodes.add(inode);
  }

  forget(inode: InodeId): void {
    this.#inodes.delete(inode);
  }

  /**
   * Call it when a direct write is done, and before its answer. Does not wait where there can be no pages. It may wait for a page that
   * is being read or written just now; that request needs nothing of this one.
   */
  dropAfterDirectWrite(
    caches: KernelCaches,
    { inode, offset, length }: { inode: InodeId; offset: number; length: number },
    { signal }: Call,
  ): Promise<void> | undefined {
    if (!this.#inodes.has(inode) || length === 0) return undefined;
    const dropped = caches.dropInode(inode, offset, length);
    // The write is done: an interrupted caller need not wait for other readers.
    return new Promise((resolve) => {
      const finish = () => {
        signal.removeEventListener('abort', finish);
        resolve();
      };
      if (signal.aborted) finish();
      else signal.addEventListener('abort', finish);
      void dropped.then(finish);
    });
  }
}
