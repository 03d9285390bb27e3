/** The arithmetic between bytes of an object and its blocks. */

/** In bytes. */
export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** Block numbers from `first` up to `end`, which is not included. */
export interface BlockRange {
  readonly first: number;
  readonly end: number;
}

/** The blocks that hold these bytes. */
export function blocksCovering({ offset, length }: ByteRange, blockBytes: number): BlockRange {
  return { first: Math.floor(offset / blockBytes), end: Math.ceil((offset + length) / blockBytes) };
}

/** The bytes of an object of `size` bytes that these blocks hold. The last block may be short. */
export function bytesOfBlocks({ first, end }: BlockRange, size: number, blockBytes: number): ByteRange {
  const offset = first * blockBytes;
  return { offset, length: Math.min(end * blockBytes, size) - offset };
}

/**
 * The blocks that lie completely within these bytes. The object's last block may be short. There are none if `first` is not below
 * `end`.
 */
export function blocksWithin({ offset, length }: ByteRange, size: number, blockBytes: number): BlockRange {
  const end = offset + length;
  return {
    first: Math.ceil(offset / blockBytes),
    end: end >= size ? Math.ceil(size / blockBytes) : Math.floor(end / blockBytes),
  };
}

/**
 * The longest runs of wanted blocks within `range`, each of at most `maxBlocks`, in ascending order. Each run is looked for when
 * it is asked for.
 */
export function* runsOf(
  range: BlockRange,
  isWanted: (block: number) => boolean,
  maxBlocks: number,
): Generator<BlockRange> {
  let first: number | undefined;
  for (let block = range.first; block <= range.end; block += 1) {
    const continues = block < range.end && isWanted(block);
    if (first !== undefined && (!continues || block - first === maxBlocks)) {
      yield { first, end: block };
      first = undefined;
    }
    if (continues) first ??= block;
  }
}
