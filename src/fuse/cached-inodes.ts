/**
 * Of which files the kernel may have pages. After a direct write that a program did not wait for (io_submit(2), io_uring), the
 * kernel leaves pages that were read while the write was on its way, unlike after one that it waited for: from then on
 * everybody reads the former bytes. So the driver has it drop them before it says that such a write is done.
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
   * To be called when a direct write has been done, and before it is answered; does not wait where there can be no pages. What
   * may hold it up is a page that somebody reads or writes just now, whose request needs nothing of this one.
   */
  dropAfterDirectWrite(
    caches: KernelCaches,
    { inode, offset, length }: { inode: InodeId; offset: number; length: number },
    { signal }: Call,
  ): Promise<void> | undefined {
    if (!this.#inodes.has(inode) || length === 0) return undefined;
    const dropped = caches.dropInode(inode, offset, length);
    // The write is done: who is told to stop need not wait for what others read.
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
