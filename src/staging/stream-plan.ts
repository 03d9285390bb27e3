/**
 * The arithmetic of an upload that begins while the file is still written: where its parts begin, how long they are, and which
 * parts it needs before and behind them at its completion. Pure; `streamed-upload.ts` sends the parts.
 */
import type { StoreLimits } from '../object-store.js';
import type { ExtentMap } from './extent-map.js';
import { planMostParts, planParts, type PlanLimits, type PlannedPart } from './upload-plan.js';

export interface StreamLimits extends PlanLimits, Pick<StoreLimits, 'maxObjectSize'> {
  /** How much must be staged before a stream begins. A first part is needed in any case. */
  readonly thresholdBytes: number;
  /** Streamed parts begin at multiples of it, and their lengths are multiples, so that a chunk belongs to one part. */
  readonly chunkBytes: number;
  /** Larger parts than this could not be put together here. A multiple of `chunkBytes`; a first part may be larger. */
  readonly maxStreamPartBytes: number;
}

/** What is before `start`, the head, is planned when the upload is completed, with the part numbers 1 to `reservedParts`. */
interface StreamStart {
  readonly start: number;
  readonly reservedParts: number;
}

/** What is known of a stream when it is completed. */
export interface StreamShape extends StreamStart {
  /** Where the streamed parts end. */
  readonly frontier: number;
  /** Of the first part behind them. */
  readonly nextPartNumber: number;
  /** Whether the server has a part that is none of the object if so many come before and behind the streamed ones. */
  hasOthers(headCount: number, tailCount: number): boolean;
}

export interface PartsAround {
  readonly head: readonly PlannedPart[];
  readonly tail: readonly PlannedPart[];
}

/** Beside the numbers that copying the head takes: for changes in it. */
const reservedForChanges = 100;

/**
 * Where a stream may begin: at the beginning of the file, or behind what is in objects if all that follows is staged. That
 * head may change until it is planned at the commit, and is copied on the server then. Undefined: there is no such place, or too
 * little is staged.
 */
export function planStreamStart(
  extents: Pick<ExtentMap, 'size' | 'endOfRun' | 'endOfStoredPrefix'>,
  limits: StreamLimits,
): StreamStart | undefined {
  const { minPartSize, maxPartSize, maxParts, copyPartBytes, thresholdBytes, chunkBytes } = limits;
  const stagedFrom = extents.endOfStoredPrefix();
  const stagedEnd = extents.endOfRun(stagedFrom, 'staged');
  if (stagedEnd - stagedFrom < thresholdBytes) return undefined;
  const hasHead = stagedFrom > 0;
  if (hasHead && stagedEnd < extents.size) return undefined;
  const headParts = 2 * Math.ceil(stagedFrom / copyPartBytes) + reservedForChanges;
  const reservedParts = hasHead ? Math.min(headParts, Math.floor(maxParts / 4)) : 0;
  const start = hasHead ? roundUp(Math.max(stagedFrom, minPartSize), chunkBytes) : 0;
  const firstPartBytes = streamPartBytes(reservedParts + 1, limits);
  if (start + firstPartBytes > stagedEnd || start > reservedParts * maxPartSize) return undefined;
  return { start, reservedParts };
}

/**
 * The length of part `partNumber` (from 1) of an upload whose final size is not known yet: `sendPartBytes` at first, then growing
 * with the fourth power of the number, so that `maxParts` reach `maxObjectSize`. With S3's limits the parts of the first 18 GiB have
 * 8 MiB, those around 100 GiB about 100 MiB. A multiple of `chunkBytes`.
 */
export function streamPartBytes(partNumber: number, limits: StreamLimits): number {
  const { minPartSize, maxPartSize, maxParts, maxObjectSize, sendPartBytes, chunkBytes } = limits;
  const smallest = roundUp(Math.max(sendPartBytes, minPartSize), chunkBytes);
  const power = 4;
  // The sum of smallest * (n / pivot)^power up to maxParts is at least its integral; this pivot makes that maxObjectSize.
  const pivot = maxParts * ((smallest * maxParts) / ((power + 1) * maxObjectSize)) ** (1 / power);
  const lengthFor = (number: number) => roundUp(smallest * Math.max(1, number / pivot) ** power, chunkBytes);
  const largest = Math.max(chunkBytes, Math.floor(maxPartSize / chunkBytes) * chunkBytes);
  const first = Math.min(lengthFor(1), largest);
  return Math.min(lengthFor(partNumber), largest, Math.max(limits.maxStreamPartBytes, first));
}

/**
 * The parts before and behind those that were streamed: few, unless the server has more than those, none of which can be left
 * out then. Undefined if there are too few part numbers.
 */
export function planAround(
  stream: StreamShape,
  extents: Pick<ExtentMap, 'size' | 'slice'>,
  limits: PlanLimits,
): PartsAround | undefined {
  const planWith = (plan: typeof planParts): PartsAround => {
    const { start, reservedParts, frontier, nextPartNumber } = stream;
    const head =
      start === 0 ? [] : plan(extents.slice(0, start), { ...limits, maxParts: reservedParts }, 'more');
    const maxParts = limits.maxParts + 1 - nextPartNumber;
    const rest = extents.slice(frontier, extents.size - frontier);
    return { head, tail: plan(rest, { ...limits, maxParts }) };
  };
  try {
    const few = planWith(planParts);
    if (!stream.hasOthers(few.head.length, few.tail.length)) return few;
    // An earlier try to complete it has sent more.
    return planWith(planMostParts);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function roundUp(bytes: number, unit: number): number {
  return Math.ceil(bytes / unit) * unit;
}
