/**
 * Fetches what is missing of an object in the background, for one reader that jumps about in it: piece by piece, onward from where
 * it jumped first, as far as its `RestBudget` allows it, and only if there is room for all of it in memory.
 */
import type { ObjectVersion } from '../object-version.js';
import type { BlockFetch } from './block-fetch.js';
import { type BlockRange, blocksCovering, runsOf } from './block-range.js';
import { RestBudget, type RestBudgetOptions } from './rest-budget.js';

/** What was read before cuts the rest into pieces: so many are fetched at once. */
const maxRuns = 4;

interface RestFetchOptions extends RestBudgetOptions {
  readonly blockBytes: number;
  readonly version: ObjectVersion;
  /** Whether a block is neither in memory nor on its way. */
  readonly isMissing: (block: number) => boolean;
  /** Whether all of the object has room in memory, others' included. */
  readonly hasRoom: () => boolean;
  /** Begins a fetch; what fails is reported elsewhere. */
  readonly fetchAhead: (blocks: BlockRange) => BlockFetch;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

export class RestFetch {
  readonly #options: RestFetchOptions;
  readonly #budget: RestBudget;
  /** Where the next fetch begins; undefined before the first. */
  #next: number | undefined;
  #isUnderWay = false;
  #isStopped = false;

  constructor(options: RestFetchOptions) {
    this.#options = options;
    this.#budget = new RestBudget(options);
  }

  /** The reader jumped to blocks that were missing, up to `end`, and waited for them. */
  noteMiss(end: number, waitedMs: number): void {
    this.#budget.noteMiss(waitedMs);
    if (!this.#isUnderWay) void this.#run(this.#next ?? end);
  }

  /** The reader jumped to what was there, or on its way. */
  noteHit(): void {
    this.#budget.noteHit();
  }

  /** Begins no more; who owns what is under way lets it go. */
  stop(): void {
    this.#isStopped = true;
  }

  /** Until the budget, the room or what is missing ends, or a fetch fails: the next miss has it go on. Never rejects. */
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

  /** Of at most so many blocks, from `from` on, then from the object's beginning. */
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
