/**
 * Fetches attributes of a directory's next files beforehand for programs that look its files up one after the other, as
 * `cat *`, `cp -r` and `tar` do: each would otherwise wait for one HEAD per file before it can open it.
 */

/** What is walked: a DirectoryListing. */
interface Positions {
  readonly length: number;
}

export interface SiblingAttributesOptions<Listing extends Positions> {
  /** Fetches and remembers what is not known of the entry at this position. Never rejects. */
  readonly fetch: (listing: Listing, position: number) => Promise<void>;
}

/** So many look-ups in the order of the listing before the next files are believed to follow. */
const minRun = 2;
/** Programs skip what they do not want, such as subdirectories. */
const maxGap = 4;
/**
 * How many entries’ attributes are fetched ahead, here and of a listing with attributes, and so at the same time. A request costs
 * about a millisecond of processor: more at once make a listing no faster, unless the server is 100 ms away, and hold up whoever
 * else wants something.
 */
export const entriesAhead = 32;

interface Run {
  /** The last look-up's. */
  position: number;
  length: number;
  /** Everything before has been asked for. */
  fetchedUntil: number;
}

export class SiblingAttributes<Listing extends Positions> {
  readonly #fetch: SiblingAttributesOptions<Listing>['fetch'];
  readonly #runs = new WeakMap<Listing, Run>();

  constructor({ fetch }: SiblingAttributesOptions<Listing>) {
    this.#fetch = fetch;
  }

  /** The entry at this position is being looked up. */
  noteLookup(listing: Listing, position: number): void {
    const run = this.#runs.get(listing);
    const gap = run ? position - run.position : 0;
    if (!run || gap < 0 || gap > maxGap) {
      this.#runs.set(listing, { position, length: 1, fetchedUntil: position + 1 });
      return;
    }
    if (gap === 0) return; // the same file, for another operation
    run.position = position;
    run.length += 1;
    if (run.length < minRun) return;
    // Twice as many as were looked up: a program that stops early has caused few requests in vain.
    const end = Math.min(position + 1 + Math.min(2 * run.length, entriesAhead), listing.length);
    for (let next = Math.max(run.fetchedUntil, position + 1); next < end; next += 1) {
      void this.#fetch(listing, next);
    }
    run.fetchedUntil = Math.max(run.fetchedUntil, end);
  }
}
