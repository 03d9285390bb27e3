/**
 * Decides how much of the rest of an object is fetched in the background for a reader that jumps about in it. Nothing is fetched
 * before the reader has jumped often. After that the fetches take, in sum, no longer than its jumps would have taken without
 * them. So useless fetches cost no more time than the reads themselves, and a reader that goes on jumping soon finds everything
 * in the cache. Pure: the caller passes in the times.
 */

const kibibyte = 1024;

/** Many programs read a header, an index and a few places, and are done. */
const minJumps = 8;

const startBytes = 512 * kibibyte;

/**
 * A read that needs a block of a fetch under way waits for all of that fetch. So a fetch must not take much longer than a request
 * of the read's own, unless it is too short to notice. Larger fetches wait fewer times for the delay of the link.
 */
const unnoticedMs = 100;
const longFactor = 3;

export interface RestBudgetOptions {
  /** How much is fetched together. */
  readonly minFetchBytes: number;
  readonly maxFetchBytes: number;
}

export class RestBudget {
  readonly #options: RestBudgetOptions;
  #misses = 0;
  /** How long all jumps would have waited. */
  #waitedMs = 0;
  #missedMs = 0;
  #spentMs = 0;
  #fetchBytes: number;

  constructor(options: RestBudgetOptions) {
    this.#options = options;
    this.#fetchBytes = Math.min(Math.max(startBytes, options.minFetchBytes), options.maxFetchBytes);
  }

  /** The most bytes to fetch next. 0: nothing now. */
  get allowedBytes(): number {
    return this.#misses < minJumps || this.#spentMs > this.#waitedMs ? 0 : this.#fetchBytes;
  }

  /** The reader jumped to blocks that were missing, and waited so long for them. */
  noteMiss(waitedMs: number): void {
    this.#misses += 1;
    this.#missedMs += waitedMs;
    this.#waitedMs += waitedMs;
  }

  /**
   * The reader jumped to blocks that were in the cache or on their way. Without the fetches it would have waited as long as for
   * others.
   */
  noteHit(): void {
    this.#waitedMs += this.#meanMissMs;
  }

  get #meanMissMs(): number {
    return this.#misses === 0 ? 0 : this.#missedMs / this.#misses;
  }

  /** A fetch of up to `allowedBytes` took so long. */
  noteFetch(tookMs: number): void {
    this.#spentMs += tookMs;
    const { minFetchBytes, maxFetchBytes } = this.#options;
    const longMs = Math.max(unnoticedMs, longFactor * this.#meanMissMs);
    if (tookMs > longMs) this.#fetchBytes = Math.max(this.#fetchBytes / 2, minFetchBytes);
    else if (tookMs < (2 / 3) * longMs) this.#fetchBytes = Math.min(this.#fetchBytes * 2, maxFetchBytes);
  }
}
