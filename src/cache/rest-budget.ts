/**
 * Decides how much of the rest of an object is fetched in the background for a reader that jumps about in it: nothing before it
 * has jumped often, and later for no longer, in sum, than its jumps would have taken without. So what turns out to be useless
 * costs no more time than the reads themselves, and whoever goes on jumping soon finds everything here. Pure: its times come
 * from the caller.
 */

const kibibyte = 1024;

/** Many programs look at a header, an index and a few places, and are done. */
const minJumps = 8;

const startBytes = 512 * kibibyte;

/**
 * A read that needs a block of a fetch under way waits for all of it. So it must not take much longer than a request of its own, unless
 * nobody notices; the more there is to a fetch, the fewer times the link's delay is waited for.
 */
const unnoticedMs = 100;
const longFactor = 3;

export interface RestBudgetOptions {
  /** Of what is fetched together. */
  readonly minFetchBytes: number;
  readonly maxFetchBytes: number;
}

export class RestBudget {
  readonly #options: RestBudgetOptions;
  #misses = 0;
  /** What all jumps would have waited. */
  #waitedMs = 0;
  #missedMs = 0;
  #spentMs = 0;
  #fetchBytes: number;

  constructor(options: RestBudgetOptions) {
    this.#options = options;
    this.#fetchBytes = Math.min(Math.max(startBytes, options.minFetchBytes), options.maxFetchBytes);
  }

  /** The most bytes that may be fetched next; 0 if there is to be none now. */
  get allowedBytes(): number {
    return this.#misses < minJumps || this.#spentMs > this.#waitedMs ? 0 : this.#fetchBytes;
  }

  /** The reader jumped to where nothing was, and waited so long. */
  noteMiss(waitedMs: number): void {
    this.#misses += 1;
    this.#missedMs += waitedMs;
    this.#waitedMs += waitedMs;
  }

  /** The reader jumped to what was here, or on its way; it would have waited as long as it does for others. */
  noteHit(): void {
    this.#waitedMs += this.#meanMissMs;
  }

  get #meanMissMs(): number {
    return this.#misses === 0 ? 0 : this.#missedMs / this.#misses;
  }

  /** What was fetched together, of `allowedBytes`, took so long. */
  noteFetch(tookMs: number): void {
    this.#spentMs += tookMs;
    const { minFetchBytes, maxFetchBytes } = this.#options;
    const longMs = Math.max(unnoticedMs, longFactor * this.#meanMissMs);
    if (tookMs > longMs) this.#fetchBytes = Math.max(this.#fetchBytes / 2, minFetchBytes);
    else if (tookMs < (2 / 3) * longMs) this.#fetchBytes = Math.min(this.#fetchBytes * 2, maxFetchBytes);
  }
}
