/**
 * Fetches what is missing of an object in the background, for one reader that jumps about in it. It goes on piece by piece from
 * where the reader jumped first, as far as its `RestBudget` allows, and only if memory has room for the whole object.
 */
import type { ObjectVersion } from '../object-version.js';
import type { BlockFetch } from './block-fetch.js';
import { type BlockRange, blocksCovering, runsOf } from './block-range.js';
import { RestBudget, type RestBudgetOptions } from './rest-budget.js';

/** Blocks that were read before divide the rest into pieces. At most so many are fetched at once. */
const maxRuns = 4;

interface RestFetchOptions extends RestBudgetOptions {
  readonly blockBytes: number;
  readonly version: ObjectVersion;
  /** Whether a block is neither in memory nor on its way. */
  readonly isMissing: (block: number) => boolean;
  /** Whether all of the object has room in memory, beside the objects of other readers. */
  readonly hasRoom: () => boolean;
  /** Begins a fetch. Failures are reported elsewhere. */
  readonly fetchAhead: (blocks: BlockRange) => BlockFetch;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

export class RestFetch {
  readonly #options: RestFetchOptions;
  readonly #budget: RestBudget;
  /** Where the next fetch begins. Undefined before the first. */
  #next: number | undefined;
  #isUnderWay = false;
  #isStopped = false;

  constructor(options: RestFetchOptions) {
    this.#options = options;
    this.#budget = new RestBudget(options);
  }

  /** The reader jumped to missing blocks, up to `end`, and waited for them. */
  noteMiss(end: number, waitedMs: number): void {
    this.#budget.noteMiss(waitedMs);
    if (!this.#isUnderWay) void this.#run(this.#next ?? end);
  }

  /** The reader jumped to blocks that were in memory or on their way. */
  noteHit(): void {
    this.#budget.noteHit();
  }

  /** Begins no more fetches. Their owner ends those under way. */
  stop(): void {
    this.#isStopped = true;
  }

  /**
   * Runs until the budget or the room is used up, nothing is missing, or a fetch fails. The next miss continues it. Never
   * rejects.
   */
  async #run(from: number): Promise<void> {
    const { blockBytes, hasRoom, fetchAhead, now } = this.#options;
    this.#isUnderWay = true;
    let hasFailed = false;
    for (let next = from; !hasFailed && !this.#isStopped && this.#budget.allowedBytes > 0 && hasRoom();) {
      const runs = this.#missingRuns(next, Math.floor(this.#budget.allowedBytes / blockBytes));
      const last = runs.at(-1);
      if (!last) break;
      const beganMs = now();
      const outcomes = await Promise.allSettled(runs.map((run) => fetchAhead(run).arrival));
      hasFailed = outcomes.some(({ status }) => status === 'rejected');
      this.#budget.noteFetch(now() - beganMs);
      this.#next = next = last.end;
    }
    this.#isUnderWay = false;
  }

  /** At most so many missing blocks, from `from` on, then from the object's beginning. */
  #missingRuns(from: number, maxCount: number): BlockRange[] {
    const { version, blockBytes, isMissing } = this.#options;
    const { end } = blocksCovering({ offset: 0, length: version.size }, blockBytes);
    const found: BlockRange[] = [];
    let left = maxCount;
    for (const range of [
      { first: from, end },
      { first: 0, end: Math.min(from, end) },
    ]) {
      for (const run of runsOf(range, isMissing, maxCount)) {
        const part = { first: run.first, end: Math.min(run.end, run.first + left) };
        found.push(part);
        left -= part.end - part.first;
        if (left === 0 || found.length === maxRuns) return found;
      }
    }
    return found;
  }
}
