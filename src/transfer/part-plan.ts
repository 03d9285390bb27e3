/** How content of a known size is cut for transfers, and how much of it may be in memory. Pure. */
import type { StoreLimits } from '../object-store.js';
import { mebibyte } from '../units.js';

/** Content up to this size goes in one request. Larger content goes in parts of this size, or of more if 10,000 are too few. */
export const preferredPartBytes = 16 * mebibyte;
/** Parts on their way at once, over all objects. */
export const parallelParts = 8;
/** A part that is larger than this waits until it is alone. */
export const maxBytesInFlight = parallelParts * preferredPartBytes;

export interface PlannedRange {
  /** From 1. */
  readonly partNumber: number;
  readonly offset: number;
  readonly length: number;
}

/** Ranges that cover `size` bytes; one empty range for none. */
export function planRanges(size: number, { maxParts }: Pick<StoreLimits, 'maxParts'>): PlannedRange[] {
  const partBytes = Math.max(preferredPartBytes, Math.ceil(size / maxParts / mebibyte) * mebibyte);
  const count = Math.max(1, Math.ceil(size / partBytes));
  return Array.from({ length: count }, (_, index) => {
    const offset = index * partBytes;
    return { partNumber: index + 1, offset, length: Math.min(partBytes, size - offset) };
  });
}
