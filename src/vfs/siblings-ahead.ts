/**
 * Fetches ahead for programs that take one file of a directory after the other, as `cat *`, `cp -r` and `tar` do: attributes where they
 * only look files up, and the content of small files where they open them too. Otherwise they would wait for each file by itself.
 */

/** What is walked: a DirectoryListing. */
interface Positions {
  readonly length: number;
}

export type Wanted = 'attributes' | 'content';

interface SiblingsAheadOptions<Listing extends Positions> {
  /** Fetches and remembers what is not here of the entry at this position. */
  readonly fetch: (listing: Listing, position: number, wanted: Wanted) => void;
  /** How many bytes that is if content is wanted: 0 for entries of which only the attributes are ever fetched. */
  readonly bytesAt: (listing: Listing, position: number) => number;
}

/** After so many look-ups in the order of the listing, the next files are expected to follow. */
const minRun = 2;
/** Programs skip what they do not want, such as subdirectories. */
const maxGap = 4;
/**
 * How many entries’ attributes are fetched ahead, here and of a listing with attributes, and so at the same time. A request costs
 * about a millisecond of processor. More at once make a listing no faster, unless the server is 100 ms away, and hold up other
 * requests.
 */
export const entriesAhead = 32;
/** Of the content of entries that nobody has opened yet: at most so many times what was opened, so that little is fetched in vain. */
const contentFactor = 2;
const minBytesAhead = 64 * 1024;
const maxBytesAhead = 8 * 1024 * 1024;

interface Run {
  /** That of the last entry that was looked up or opened. */
  position: number;
  length: number;
  /** How many of them were opened, and the position of the last. */
  openCount: number;
  openedAt: number | undefined;
  openedBytes: number;
  wanted: Wanted;
  /** Everything before has been asked for. */
  fetchedUntil: number;
}

export class SiblingsAhead<Listing extends Positions> {
  readonly #options: SiblingsAheadOptions<Listing>;
  readonly #runs = new WeakMap<Listing, Run>();

  constructor(options: SiblingsAheadOptions<Listing>) {
    this.#options = options;
  }

  /** The entry at this position is being looked up. */
  noteLookup(listing: Listing, position: number): void {
    const run = this.#goOn(listing, position);
    if (run) this.#fetchNext(listing, run);
  }

  /** It is being opened to be read. Programs whose kernel knows the name have not looked it up before. */
  noteOpen(listing: Listing, position: number): void {
    const isNext = this.#goOn(listing, position) !== undefined;
    const run = this.#runs.get(listing);
    if (!run || run.openedAt === position) return;
    run.openCount += 1;
    run.openedAt = position;
    run.openedBytes += this.#options.bytesAt(listing, position);
    if (isNext) this.#fetchNext(listing, run);
  }

  /** The run of which this position is the next; undefined if it is the one where the run is already, or begins another. */
  #goOn(listing: Listing, position: number): Run | undefined {
    const run = this.#runs.get(listing);
    const gap = run ? position - run.position : 0;
    if (!run || gap < 0 || gap > maxGap) {
      this.#runs.set(listing, {
        position,
        length: 1,
        openCount: 0,
        openedAt: undefined,
        openedBytes: 0,
        wanted: 'attributes',
        fetchedUntil: position + 1,
      });
      return undefined;
    }
    if (gap === 0) return undefined; // the same file, for another operation
    run.position = position;
    run.length += 1;
    return run;
  }

  #fetchNext(listing: Listing, run: Run): void {
    if (run.length < minRun) return;
    const next = run.position + 1;
    // The one that is looked up now is still to be opened.
    const wanted = run.openCount * 2 >= run.length - 1 ? 'content' : 'attributes';
    if (wanted === 'content' && run.wanted === 'attributes') run.fetchedUntil = next;
    run.wanted = wanted;
    // Twice as many as were looked up: a program that stops early has caused few requests in vain.
    const end = Math.min(next + Math.min(2 * run.length, entriesAhead), listing.length);
    let bytesLeft = Math.min(Math.max(contentFactor * run.openedBytes, minBytesAhead), maxBytesAhead);
    for (let position = next; position < end; position += 1) {
      if (wanted === 'content') bytesLeft -= this.#options.bytesAt(listing, position);
      if (bytesLeft < 0) return;
      if (position < run.fetchedUntil) continue;
      this.#options.fetch(listing, position, wanted);
      run.fetchedUntil = position + 1;
    }
  }
}
