/**
 * How a file's content becomes an object: by one PUT, or by a multipart upload that sends only the changed ranges and lets the
 * server copy the ranges that it has. Pure arithmetic.
 */
import type { ObjectVersion } from '../object-version.js';
import type { StoreLimits } from '../object-store.js';
import { isStored, type Extent } from './extent-map.js';

export interface PlanLimits extends Pick<StoreLimits, 'minPartSize' | 'maxPartSize' | 'maxParts'> {
  /** The largest content that is stored by one PUT. */
  readonly putBytes: number;
  /** The length of a part that is sent, up to twice that, unless the server's limits need more. */
  readonly sendPartBytes: number;
  /** The same for a part that the server copies. Large copies are split so that several run in parallel. */
  readonly copyPartBytes: number;
}

/** 8 MiB: large enough that the request costs little beside its bytes, small enough to have several in memory. */
export const defaultPartBytes = 8 * 1024 * 1024;
/** RGW copies 512 MiB in 3.3 s as one part and in 2.1 s as eight, four at a time. */
export const defaultCopyPartBytes = 64 * 1024 * 1024;

/** `copyFrom`: the server copies the part from there. Without it the bytes are sent. */
export interface PlannedPart {
  readonly offset: number;
  readonly length: number;
  readonly copyFrom: { readonly version: ObjectVersion; readonly offset: number } | undefined;
}

interface Run {
  offset: number;
  length: number;
  copyFrom: { readonly version: ObjectVersion; readonly offset: number } | undefined;
}

/** `extents` is the whole content. Undefined means one PUT. */
export function planUpload(extents: readonly Extent[], limits: PlanLimits): PlannedPart[] | undefined {
  const size = extents.reduce((sum, { length }) => sum + length, 0);
  return size <= limits.putBytes ? undefined : planParts(extents, limits);
}

/**
 * Parts for `extents`, which are contiguous, in order. Every part has at least `minPartSize`; the last part only if the file goes
 * on behind it. No part has more than `maxPartSize`, and there are at most `maxParts`. Throws a RangeError if no such parts
 * exist.
 */
export function planParts(
  extents: readonly Extent[],
  limits: PlanLimits,
  behind: 'end of file' | 'more' = 'end of file',
): PlannedPart[] {
  const { minPartSize, maxPartSize, maxParts } = limits;
  const runs = planRuns(extents, limits, behind);

  let sendPartBytes = Math.min(Math.max(limits.sendPartBytes, minPartSize), maxPartSize);
  let copyPartBytes = Math.min(Math.max(limits.copyPartBytes, minPartSize), maxPartSize);
  for (;;) {
    const countOf = (run: Run) => pieceCount(run, run.copyFrom ? copyPartBytes : sendPartBytes, maxPartSize);
    if (runs.reduce((sum, run) => sum + countOf(run), 0) <= maxParts) {
      return runs.flatMap((run) => split(run, countOf(run)));
    }
    // Larger copies cost nothing. Larger parts to send cost memory.
    if (copyPartBytes < maxPartSize) copyPartBytes = Math.min(copyPartBytes * 2, maxPartSize);
    else if (sendPartBytes < maxPartSize) sendPartBytes = Math.min(sendPartBytes * 2, maxPartSize);
    else throw new RangeError(`parts of ${maxPartSize} bytes are more than ${maxParts}`);
  }
}

/**
 * As `planParts`, but with as many parts as there can be, of about the same length. It is for an upload that has so many parts
 * already, none of which can be left out. `sendPartBytes` and `copyPartBytes` do not matter.
 */
export function planMostParts(
  extents: readonly Extent[],
  limits: PlanLimits,
  behind: 'end of file' | 'more' = 'end of file',
): PlannedPart[] {
  const { minPartSize, maxPartSize, maxParts } = limits;
  const runs = planRuns(extents, limits, behind);
  const totalOf = (partBytes: number) =>
    runs.reduce((sum, run) => sum + pieceCount(run, partBytes, maxPartSize), 0);
  let [partBytes, largest] = [minPartSize, maxPartSize];
  while (partBytes < largest) {
    const middle = Math.floor((partBytes + largest) / 2);
    if (totalOf(middle) <= maxParts) largest = middle;
    else partBytes = middle + 1;
  }
  let left = maxParts - totalOf(partBytes);
  if (left < 0) throw new RangeError(`parts of ${maxPartSize} bytes are more than ${maxParts}`);
  return runs.flatMap((run) => {
    const count = pieceCount(run, partBytes, maxPartSize);
    // There are too few numbers left for another piece of every run.
    const more = Math.min(left, Math.max(0, Math.floor(run.length / minPartSize) - count));
    left -= more;
    return split(run, count + more);
  });
}

/** What is copied and what is sent. Each run can be split into parts that keep to the limits. */
function planRuns(
  extents: readonly Extent[],
  { minPartSize, maxPartSize, maxParts }: PlanLimits,
  behind: 'end of file' | 'more',
): Run[] {
  const size = extents.reduce((sum, { length }) => sum + length, 0);
  const fewestParts = Math.ceil(size / maxPartSize);
  if (fewestParts > maxParts) throw new RangeError(`${size} bytes do not fit into ${maxParts} parts`);

  const isEnd = behind === 'end of file';
  if (!isEnd && size < minPartSize) throw new RangeError(`${size} bytes are too few for a part`);

  const runs = makeRuns(extents, minPartSize, isEnd);
  extendShortRuns(runs, minPartSize);
  if (!isEnd) extendLastRun(runs, minPartSize);
  // Half of the numbers are for splitting long runs.
  mergeClosestRuns(runs, Math.max(1, Math.min(Math.floor(maxParts / 2), maxParts - fewestParts)));
  return runs;
}

/** Copies what the server has enough of for a part (at the end less will do), and sends everything between. */
function makeRuns(extents: readonly Extent[], minPartSize: number, isEnd: boolean): Run[] {
  const runs: Run[] = [];
  for (const [index, { offset, length, source, sourceOffset }] of extents.entries()) {
    const mayBeShort = isEnd && index === extents.length - 1;
    const copyFrom =
      isStored(source) && (length >= minPartSize || mayBeShort)
        ? { version: source, offset: sourceOffset }
        : undefined;
    runs.push({ offset, length, copyFrom });
  }
  joinSentRuns(runs);
  return runs;
}

function joinSentRuns(runs: Run[]): void {
  let kept = 0;
  for (const run of runs) {
    const previous = runs[kept - 1];
    if (previous && !previous.copyFrom && !run.copyFrom) previous.length += run.length;
    else runs[kept++] = run;
  }
  runs.length = kept;
}

/** Gives every run but the last `minPartSize`, with as few bytes as possible that the server could have copied. */
function extendShortRuns(runs: Run[], minPartSize: number): void {
  let kept = 0;
  for (let next = 0; next < runs.length;) {
    const run = runs[next++];
    if (!run) break;
    // Only a run that is sent can be short and have a right neighbour. Then its neighbours are copies.
    for (let right = runs[next]; right && run.length < minPartSize; right = runs[next]) {
      const missing = minPartSize - run.length;
      const left = runs[kept - 1];
      const isRightLast = next + 1 === runs.length;
      if (right.copyFrom && right.length - missing >= (isRightLast ? 1 : minPartSize)) {
        right.offset += missing;
        right.length -= missing;
        right.copyFrom = { ...right.copyFrom, offset: right.copyFrom.offset + missing };
        run.length += missing;
      } else if (left && left.length - missing >= minPartSize) {
        left.length -= missing;
        run.offset -= missing;
        run.length += missing;
      } else {
        run.length += right.length;
        next += 1;
        const following = runs[next];
        if (following && !following.copyFrom) {
          run.length += following.length;
          next += 1;
        }
      }
    }
    runs[kept++] = run;
  }
  runs.length = kept;
}

/** Gives the last run `minPartSize` too. All other runs have it. */
function extendLastRun(runs: Run[], minPartSize: number): void {
  const last = runs.at(-1);
  const left = runs.at(-2);
  if (!last || !left || last.length >= minPartSize) return;
  const missing = minPartSize - last.length;
  const taken = left.length - missing >= minPartSize ? missing : left.length;
  left.length -= taken;
  last.offset -= taken;
  last.length += taken;
  last.copyFrom = undefined;
  if (left.length === 0) runs.splice(-2, 1);
  joinSentRuns(runs);
}

/** Sends the shortest copies instead, until there are at most `maxRuns`. */
function mergeClosestRuns(runs: Run[], maxRuns: number): void {
  while (runs.length > maxRuns) {
    const copies = runs.filter(({ copyFrom }) => copyFrom).sort((a, b) => a.length - b.length);
    // One copy less means up to two runs less.
    const count = Math.max(1, Math.floor((runs.length - maxRuns) / 2));
    for (const copy of copies.slice(0, count)) copy.copyFrom = undefined;
    joinSentRuns(runs);
  }
}

/** Into how many pieces of `partBytes` to less than twice that a run is split. More only where maxPartSize needs them. */
function pieceCount({ length }: Run, partBytes: number, maxPartSize: number): number {
  return Math.max(1, Math.floor(length / partBytes), Math.ceil(length / maxPartSize));
}

function split({ offset, length, copyFrom }: Run, count: number): PlannedPart[] {
  const parts: PlannedPart[] = [];
  for (let index = 0; index < count; index++) {
    const start = Math.floor((length * index) / count);
    const end = Math.floor((length * (index + 1)) / count);
    parts.push({
      offset: offset + start,
      length: end - start,
      copyFrom: copyFrom && { version: copyFrom.version, offset: copyFrom.offset + start },
    });
  }
  return parts;
}
