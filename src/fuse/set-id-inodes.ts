/**
 * Which files were last shown to the kernel with set-id bits. Having agreed to FUSE_HANDLE_KILLPRIV_V2, the kernel
 * leaves it to the driver to drop those bits when a caller without CAP_FSETID writes, and marks every such write.
 * With this set the mark costs nothing for files without these bits, which are nearly all.
 */
import type { Attributes, InodeId } from '../file-system.js';

const setIdBits = 0o6000;
const typeBits = 0o170000;
const regularFile = 0o100000;

export class SetIdInodes {
  /** No larger than the number of inodes that the kernel knows: `forget` takes them out. */
  readonly #inodes = new Set<InodeId>();

  /** Call it with all attributes that go to the kernel. */
  note(inode: InodeId, { mode }: Attributes): void {
    if ((mode & typeBits) === regularFile && (mode & setIdBits) !== 0) this.#inodes.add(inode);
    else if (this.#inodes.size > 0) this.#inodes.delete(inode);
  }

  forget(inode: InodeId): void {
    if (this.#inodes.size > 0) this.#inodes.delete(inode);
  }

  has(inode: InodeId): boolean {
    return this.#inodes.has(inode);
  }
}
