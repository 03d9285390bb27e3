/**
 * Where each byte of a file is at the moment: in a stored object, in the staging area, or nowhere because it is zero. A pure data
 * structure without the bytes.
 */
import { isSameVersion, type ObjectVersion } from '../object-version.js';

/**
 * - `zero`: nowhere.
 * - `staged`: in the staging area.
 * - `sent`: only in a part of the multipart upload under way. It can be read when the upload is complete.
 * - a version: in that object.
 */
export type ExtentSource = ObjectVersion | 'zero' | 'staged' | 'sent';

export interface Extent {
  readonly offset: number;
  readonly length: number;
  readonly source: ExtentSource;
  /** Where the extent begins within the object. 0 without an object. */
  readonly sourceOffset: number;
}

export class ExtentMap {
  /** Sorted, without gaps or empty extents, from 0 to the size. Neighbours that continue each other are one extent. */
  #extents: Extent[] = [];

  /** Has the content of `base`, or none. */
  constructor(base: ObjectVersion | undefined) {
    if (base && base.size > 0) {
      this.#extents.push({ offset: 0, length: base.size, source: base, sourceOffset: 0 });
    }
  }

  get size(): number {
    const last = this.#extents.at(-1);
    return last ? endOf(last) : 0;
  }

  /** The extents of [offset, offset + length), cut to this range and at the size. */
  slice(offset: number, length: number): Extent[] {
    const end = Math.min(offset + length, this.size);
    const found: Extent[] = [];
    for (let index = this.#find(offset); index < this.#extents.length; index++) {
      const extent = this.#extents[index];
      if (!extent || extent.offset >= end) break;
      found.push(cut(extent, offset, end));
    }
    return found;
  }

  /** Sets where [offset, offset + length) is from now on. Bytes between the size and the offset become zero. */
  replace(offset: number, length: number, source: ExtentSource, sourceOffset = 0): void {
    if (length === 0) return;
    const { size } = this;
    if (offset > size) this.#splice(size, offset, { source: 'zero', sourceOffset: 0 });
    this.#splice(offset, offset + length, { source, sourceOffset });
  }

  /** Cuts the end off, or adds zeros. */
  resize(size: number): void {
    if (size > this.size) {
      this.replace(this.size, size - this.size, 'zero');
      return;
    }
    const kept = this.#find(size);
    const last = this.#extents[kept];
    this.#extents.length = kept;
    if (last && last.offset < size) this.#extents.push(cut(last, 0, size));
  }

  /** The same bytes are another version of the same size now. */
  relabel(from: ObjectVersion, to: ObjectVersion): void {
    this.#extents = join(
      this.#extents.map((extent) => (isSameSource(extent.source, from) ? { ...extent, source: to } : extent)),
    );
  }

  /** The end of the extent at `offset` if it has this source, else `offset`. */
  endOfRun(offset: number, source: 'zero' | 'staged' | 'sent'): number {
    const extent = this.#extents[this.#find(offset)];
    return extent?.source === source ? endOf(extent) : offset;
  }

  /** Whether a byte of [offset, offset + length) has this source. */
  has(source: 'zero' | 'staged' | 'sent', offset: number, length: number): boolean {
    const end = offset + length;
    for (let index = this.#find(offset); length > 0 && index < this.#extents.length; index++) {
      const extent = this.#extents[index];
      if (!extent || extent.offset >= end) return false;
      if (extent.source === source) return true;
    }
    return false;
  }

  /** Up to where the file consists of objects, from its beginning. */
  endOfStoredPrefix(): number {
    const first = this.#extents.find(({ source }) => !isStored(source));
    return first ? first.offset : this.size;
  }

  /** Whether the content is exactly the object's. */
  isExactly(version: ObjectVersion): boolean {
    if (this.size !== version.size) return false;
    const [extent] = this.#extents;
    return (
      !extent ||
      (this.#extents.length === 1 && isSameSource(extent.source, version) && extent.sourceOffset === 0)
    );
  }

  /** The first data or hole at or after `offset`, as lseek(2) finds it. The end counts as a hole. */
  seek(offset: number, whence: 'data' | 'hole'): number | undefined {
    if (offset >= this.size) return undefined;
    for (let index = this.#find(offset); index < this.#extents.length; index++) {
      const extent = this.#extents[index];
      if (extent && (extent.source === 'zero') === (whence === 'hole'))
        return Math.max(offset, extent.offset);
    }
    return whence === 'hole' ? this.size : undefined;
  }

  /** For tests. */
  checkInvariants(): void {
    let end = 0;
    let previous: Extent | undefined;
    for (const extent of this.#extents) {
      if (extent.offset !== end) throw new Error(`an extent begins at ${extent.offset}, not at ${end}`);
      if (extent.length <= 0) throw new Error(`an empty extent at ${extent.offset}`);
      if (isStored(extent.source)) {
        if (extent.sourceOffset < 0 || extent.sourceOffset + extent.length > extent.source.size) {
          throw new Error(`the extent at ${extent.offset} reaches out of its object`);
        }
      } else if (extent.sourceOffset !== 0) {
        throw new Error(`the extent at ${extent.offset} has an offset in nothing`);
      }
      if (previous && continues(previous, extent)) throw new Error(`not joined at ${extent.offset}`);
      previous = extent;
      end = endOf(extent);
    }
  }

  /** The index of the first extent that ends after `offset`. */
  #find(offset: number): number {
    let low = 0;
    let high = this.#extents.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const extent = this.#extents[middle];
      if (extent && endOf(extent) <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #splice(offset: number, end: number, what: Pick<Extent, 'source' | 'sourceOffset'>): void {
    // Takes one extent more on each side, because the new one may continue it.
    const from = Math.max(0, this.#find(offset) - 1);
    const until = Math.min(this.#extents.length, this.#find(end) + 1);
    const pieces: Extent[] = [];
    for (let index = from; index < until; index++) {
      const extent = this.#extents[index];
      if (extent && extent.offset < offset) pieces.push(cut(extent, 0, offset));
    }
    pieces.push({ offset, length: end - offset, ...what });
    for (let index = from; index < until; index++) {
      const extent = this.#extents[index];
      if (extent && endOf(extent) > end) pieces.push(cut(extent, end, Infinity));
    }
    this.#extents.splice(from, until - from, ...join(pieces));
  }
}

export function isStored(source: ExtentSource): source is ObjectVersion {
  return typeof source !== 'string';
}

function endOf(extent: Extent): number {
  return extent.offset + extent.length;
}

function cut(extent: Extent, start: number, end: number): Extent {
  const offset = Math.max(extent.offset, start);
  const length = Math.min(endOf(extent), end) - offset;
  const sourceOffset = isStored(extent.source) ? extent.sourceOffset + offset - extent.offset : 0;
  return { offset, length, source: extent.source, sourceOffset };
}

function isSameSource(a: ExtentSource, b: ExtentSource): boolean {
  return isStored(a) && isStored(b) ? isSameVersion(a, b) : a === b;
}

function continues(left: Extent, right: Extent): boolean {
  return (
    isSameSource(left.source, right.source) &&
    (!isStored(left.source) || left.sourceOffset + left.length === right.sourceOffset)
  );
}

function join(pieces: readonly Extent[]): Extent[] {
  const joined: Extent[] = [];
  for (const piece of pieces) {
    const last = joined.at(-1);
    if (last && continues(last, piece)) {
      joined[joined.length - 1] = { ...last, length: last.length + piece.length };
    } else {
      joined.push(piece);
    }
  }
  return joined;
}
