/**
 * Decides, for one reader of one object version, what to fetch before it is asked for. Pure: it remembers nothing and fetches
 * nothing. A sequential reader gets a window that grows with what it has read. Any other reader gets none.
 */
import { mebibyte } from '../units.js';
import type { ByteRange } from './block-range.js';

const kibibyte = 1024;

/** No GET is larger. At this size a request's fixed cost (2.5 ms on Ceph) is less than a tenth of its time. */
export const maxFetchBytes = 4 * mebibyte;

/** Smaller GETs ahead would mostly wait for their answer, not for their bytes. */
const minFetchBytes = 512 * kibibyte;

/** What a reader that starts at offset 0 gets ahead at once. Most such readers go on. */
export const startWindowBytes = 512 * kibibyte;

/** The same after a reader has read a large file whole: four requests of 2 MiB at once. */
export const maxStartWindowBytes = 8 * mebibyte;

/** The window is this many times what the run has consumed. So at most three times as much is fetched as is read. */
const windowFactor = 2;

/** The kernel sends several requests at once (of 128 KiB buffered, 1 MiB direct). They arrive a little out of order. */
const minReorderBytes = mebibyte;

/** A run that has skipped more than this is no run. Requests under way leave holes, but they fill them soon. */
const maxHoleBytes = 2 * mebibyte;

/** A run of requests, each near the end of those before. */
export interface ReadAheadState {
  readonly runStart: number;
  /** The end of the furthest request: at least `runStart`. */
  readonly runEnd: number;
  /** Bytes between `runStart` and `runEnd` that were not asked for, from 0 to `maxHoleBytes`. */
  readonly holeBytes: number;
  readonly requestCount: number;
  /** Up to where blocks are fetched ahead: a multiple of the block size, at least `runEnd`. */
  readonly plannedEnd: number;
}

export interface ReadAheadRequest extends ByteRange {
  /** A part of it was neither in the cache nor on its way: what was fetched ahead is lost from here on. */
  readonly isMiss: boolean;
}

export interface ReadAheadLimits {
  /** The size of the object, in bytes. */
  readonly size: number;
  readonly blockBytes: number;
  readonly maxWindowBytes: number;
  /** Into how many fetches a whole window is divided, at least 1. */
  readonly fetchesPerWindow: number;
  /** What a reader that starts at offset 0 gets ahead at once. */
  readonly startWindowBytes: number;
}

export interface ReadAheadPlan {
  readonly state: ReadAheadState;
  /** The request begins a new run: what waits to be fetched for the old run is not wanted any more. */
  readonly isNewRun: boolean;
  /** How far ahead of the run's end to fetch. 0 for a reader that is not sequential. */
  readonly windowBytes: number;
  /** Ranges of whole blocks after the request, each of at most `maxFetchBytes`, none past the object's end. */
  readonly fetches: readonly ByteRange[];
}

/** `state` is undefined before the first request. The request lies within the object and is not empty. */
export function planReadAhead(
  state: ReadAheadState | undefined,
  request: ReadAheadRequest,
  limits: ReadAheadLimits,
): ReadAheadPlan {
  const continued = state && continueRun(state, request);
  const run = continued ?? startRun(request);
  const reached = alignUp(run.runEnd, limits.blockBytes);
  let plannedEnd = request.isMiss ? reached : Math.max(run.plannedEnd, reached);
  const isAdvance = state === undefined || continued === undefined || continued.runEnd > state.runEnd;
  const windowBytes = isAdvance ? windowOf(run, limits) : 0;
  const fetches: ByteRange[] = [];
  if (windowBytes > 0) {
    const target = Math.min(run.runEnd + windowBytes, limits.size);
    const fetchBytes = fetchBytesOf(windowBytes, limits);
    const isLast = target === limits.size;
    while (plannedEnd + fetchBytes <= target || (isLast && plannedEnd < target)) {
      const length = Math.min(fetchBytes, limits.size - plannedEnd);
      fetches.push({ offset: plannedEnd, length });
      plannedEnd += fetchBytes;
    }
  }
  return { state: { ...run, plannedEnd }, isNewRun: !continued, windowBytes, fetches };
}

function startRun({ offset, length }: ByteRange): ReadAheadState {
  const end = offset + length;
  return { runStart: offset, runEnd: end, holeBytes: 0, requestCount: 1, plannedEnd: end };
}

/** Undefined if the request does not belong to the run. */
function continueRun(state: ReadAheadState, { offset, length }: ByteRange): ReadAheadState | undefined {
  if (Math.abs(offset - state.runEnd) > Math.max(minReorderBytes, 2 * length)) return undefined;
  const runEnd = Math.max(state.runEnd, offset + length);
  const holeBytes = Math.max(0, state.holeBytes + (runEnd - state.runEnd) - length);
  if (holeBytes > maxHoleBytes) return undefined;
  return { ...state, runEnd, holeBytes, requestCount: state.requestCount + 1 };
}

function windowOf(
  run: ReadAheadState,
  { blockBytes, maxWindowBytes, startWindowBytes }: ReadAheadLimits,
): number {
  const isFromStart = run.runStart === 0;
  if (run.requestCount === 1 && !isFromStart) return 0;
  const consumedBytes = run.runEnd - run.runStart - run.holeBytes;
  const earnedBytes = Math.max(windowFactor * consumedBytes, isFromStart ? startWindowBytes : 0);
  // Holes count as fetched already: they lie in what was fetched ahead.
  const windowBytes = Math.min(earnedBytes - run.holeBytes, maxWindowBytes);
  return windowBytes < blockBytes ? 0 : windowBytes;
}

/**
 * A part of the window, within limits. The next fetch is planned when there is room for all of it: the reader has consumed as
 * much, and the other parts are still ahead.
 */
function fetchBytesOf(windowBytes: number, { blockBytes, fetchesPerWindow }: ReadAheadLimits): number {
  const part = Math.max(windowBytes / fetchesPerWindow, Math.min(windowBytes, minFetchBytes));
  const wanted = Math.min(part, maxFetchBytes);
  return Math.max(blockBytes, wanted - (wanted % blockBytes));
}

function alignUp(offset: number, blockBytes: number): number {
  return Math.ceil(offset / blockBytes) * blockBytes;
}
