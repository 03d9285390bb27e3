/**
 * Limits how many fetches run at once. Urgent fetches, for which a reader waits, go before those that are fetched ahead. Some
 * places are for urgent fetches only, so that they do not wait for long fetches ahead.
 */

export interface QueuedFetch {
  /** Must not reject. The place is taken until it resolves. */
  run(): Promise<void>;
}

interface FetchQueueOptions {
  readonly maxRunning: number;
  /** How many of these may be fetches ahead. */
  readonly maxRunningAhead: number;
}

export class FetchQueue<T extends QueuedFetch> {
  readonly #maxRunning: number;
  readonly #maxRunningAhead: number;
  /** In order of arrival. No fetch is in two of these sets. */
  readonly #urgent = new Set<T>();
  readonly #ahead = new Set<T>();
  readonly #running = new Set<T>();
  /** A subset of `#running`. */
  readonly #runningAhead = new Set<T>();

  constructor({ maxRunning, maxRunningAhead }: FetchQueueOptions) {
    this.#maxRunning = maxRunning;
    this.#maxRunningAhead = maxRunningAhead;
  }

  get runningCount(): number {
    return this.#running.size;
  }

  isRunning(fetch: T): boolean {
    return this.#running.has(fetch);
  }

  isWaiting(fetch: T): boolean {
    return this.#urgent.has(fetch) || this.#ahead.has(fetch);
  }

  /** Runs it at once if there is room. */
  add(fetch: T, isUrgent: boolean): void {
    (isUrgent ? this.#urgent : this.#ahead).add(fetch);
    this.#startWaiting();
  }

  /** A reader waits for a fetch ahead now. */
  makeUrgent(fetch: T): void {
    if (this.#ahead.delete(fetch)) this.#urgent.add(fetch);
    else if (!this.#runningAhead.delete(fetch)) return;
    this.#startWaiting();
  }

  /** Forgets a fetch that has not begun; a running one keeps its place. */
  remove(fetch: T): void {
    this.#urgent.delete(fetch);
    this.#ahead.delete(fetch);
  }

  checkInvariants(): void {
    if (this.#running.size > this.#maxRunning) throw new Error('too many fetches at once');
    if (this.#runningAhead.size > this.#maxRunningAhead) throw new Error('too many fetches ahead at once');
    for (const fetch of this.#runningAhead) {
      if (!this.#running.has(fetch)) throw new Error('a fetch ahead is counted but does not run');
    }
    if (this.#urgent.size > 0 && this.#running.size < this.#maxRunning) {
      throw new Error('an urgent fetch waits although there is room');
    }
  }

  #startWaiting(): void {
    for (const fetch of this.#urgent) {
      if (this.#running.size >= this.#maxRunning) return;
      this.#urgent.delete(fetch);
      this.#start(fetch);
    }
    for (const fetch of this.#ahead) {
      if (this.#running.size >= this.#maxRunning || this.#runningAhead.size >= this.#maxRunningAhead) return;
      this.#ahead.delete(fetch);
      this.#runningAhead.add(fetch);
      this.#start(fetch);
    }
  }

  #start(fetch: T): void {
    this.#running.add(fetch);
    void fetch.run().finally(() => {
      this.#running.delete(fetch);
      this.#runningAhead.delete(fetch);
      this.#startWaiting();
    });
  }
}
