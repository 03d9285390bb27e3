/**
 * Limits how many requests are under way at once, first come first served. The agent would queue them too, but the SDK
 * counts time spent in that queue as time to connect, and times out requests that nobody has begun.
 */
export class RequestSlots {
  /** `places`: how many, or slots that others use too. */
  static of(places: number | RequestSlots): RequestSlots {
    return places instanceof RequestSlots ? places : new RequestSlots(places);
  }

  readonly count: number;
  /**
   * One at a time for what holds a slot while it waits for another, such as a PUT of what is being fetched: several would wait for
   * each other. Undefined if there is only one slot.
   */
  readonly streams: RequestSlots | undefined;
  #free: number;
  /** Invariant: empty while a slot is free. */
  readonly #waiting = new Set<() => void>();

  /** `count`: at least 1. */
  constructor(count: number) {
    if (!Number.isInteger(count) || count < 1) throw new RangeError(`not a number of requests: ${count}`);
    this.count = count;
    this.streams = count > 1 ? new RequestSlots(1) : undefined;
    this.#free = count;
  }

  /** Runs `task` in a slot. Rejects with the signal's reason if it aborts before `task` began. */
  async run<T>(task: () => Promise<T>, signal: AbortSignal): Promise<T> {
    await this.#acquire(signal);
    try {
      return await task();
    } finally {
      this.#release();
    }
  }

  async #acquire(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#free > 0) {
      this.#free -= 1;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const start = () => {
        signal.removeEventListener('abort', giveUp);
        resolve();
      };
      const giveUp = () => {
        this.#waiting.delete(start);
        reject(signal.reason as Error);
      };
      signal.addEventListener('abort', giveUp, { once: true });
      this.#waiting.add(start);
    });
  }

  #release(): void {
    for (const start of this.#waiting) {
      this.#waiting.delete(start);
      start(); // hands the slot over
      return;
    }
    this.#free += 1;
  }
}
