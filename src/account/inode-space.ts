/**
 * Inodes of many buckets in one mount. Each bucket that the kernel knows has a place, and its inodes lie within that place.
 * Place 0 has only the root of the mount. The bucket's name keeps inode numbers (st_ino) of buckets apart.
 */
import { createHash } from 'node:crypto';
import { rootInode, type InodeId } from '../file-system.js';

/** 2^53, the integers that a number holds, divided: 131,072 places of 68,719,476,736 inodes. */
const inodesPerPlace = 2 ** 36;
const placeCount = 2 ** 17;
/** Smaller inode numbers are those of the mount itself. */
const firstFreeNumber = 16n;

/** st_ino of the mount's root. */
export const rootNumber = 1n;

export function inodeAt(place: number, inode: InodeId): InodeId {
  return place * inodesPerPlace + inode;
}

export function placeOf(inode: InodeId): number {
  return Math.floor(inode / inodesPerPlace);
}

/** The inode within the bucket's own file system. */
export function inodeWithin(inode: InodeId): InodeId {
  return inode % inodesPerPlace;
}

export function isTopOfBucket(inode: InodeId): boolean {
  return placeOf(inode) > 0 && inodeWithin(inode) === rootInode;
}

/** Gives each inode number of a bucket a number in the mount, which is the same after a remount. */
export function numbersOf(bucket: string): (number: bigint) => bigint {
  const mask = createHash('md5').update(bucket).digest().readBigUInt64LE(0);
  return (number) => {
    const mixed = number ^ mask;
    return mixed < firstFreeNumber ? mixed + firstFreeNumber : mixed;
  };
}

/** Hands out places. A place that was given back is used again last. */
export class Places<T> {
  readonly #taken = new Map<number, T>();
  #last = 0;

  get(place: number): T | undefined {
    return this.#taken.get(place);
  }

  /** Undefined if all are taken. */
  take(make: (place: number) => T): T | undefined {
    if (this.#taken.size >= placeCount - 1) return undefined;
    do this.#last = (this.#last % (placeCount - 1)) + 1;
    while (this.#taken.has(this.#last));
    const made = make(this.#last);
    this.#taken.set(this.#last, made);
    return made;
  }

  giveBack(place: number): void {
    this.#taken.delete(place);
  }

  values(): IterableIterator<T> {
    return this.#taken.values();
  }
}
