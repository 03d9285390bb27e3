/**
 * Limits the entries of all listings in memory. The directory that was listed longest ago loses its listing first. The buckets of one
 * mount share the limit.
 */
import type { DirectoryNode } from './nodes.js';

export class ListedDirectories {
  readonly #maxEntries: number;
  /** Least recently listed first. */
  readonly #directories = new Set<DirectoryNode>();

  /** `maxEntries`: of about 300 bytes each. */
  constructor(maxEntries: number) {
    this.#maxEntries = maxEntries;
  }

  /** The positions of all remembered listings, removed ones included. */
  get entries(): number {
    let total = 0;
    for (const directory of this.#directories) total += directory.listing?.length ?? 0;
    return total;
  }

  /** A directory that has a new listing. */
  add(newest: DirectoryNode): void {
    this.#directories.delete(newest);
    this.#directories.add(newest);
    // An empty one counts as well: so many directories are remembered at most.
    let total = this.entries + this.#directories.size;
    for (const directory of this.#directories) {
      if (total <= this.#maxEntries || directory === newest) return;
      total -= (directory.listing?.length ?? 0) + 1;
      this.drop(directory);
    }
  }

  drop(directory: DirectoryNode): void {
    directory.listing = undefined;
    this.#directories.delete(directory);
  }

  /** Drops all listings below the root of a file system, its own too. */
  dropAll(root: DirectoryNode): void {
    for (const directory of this.#directories) if (rootOf(directory) === root) this.drop(directory);
  }
}

/** Removed directories keep their last parent. */
function rootOf(directory: DirectoryNode): DirectoryNode {
  let top = directory;
  while (top.parent) top = top.parent;
  return top;
}
