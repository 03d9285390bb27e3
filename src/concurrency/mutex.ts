/** One at a time, in the order of arrival. Waiting can be interrupted. */
import { createWaiter, throwIfAborted, type Waiter } from './abortable.js';
import { lockOrder, type RankedLock } from './lock-order.js';

export class Mutex implements RankedLock {
  readonly rank: number;
  #isHeld = false;
  /** Made when somebody waits: most mutexes, of which each file has one, are never waited for. */
  #waiting: Set<Waiter> | undefined;

  /** `rank`: its place in the order of locks, from `lockRanks`. Default 0: it has none. */
  constructor(rank = 0) {
    this.rank = rank;
  }

  /** Whether somebody holds it, and perhaps others wait for it. */
  get isBusy(): boolean {
    return this.#isHeld;
  }

  /** Runs `action` when all earlier ones have settled. Rejects with `abortionOf` the signal if it aborts before. */
  async run<T>(action: () => Promise<T>, signal?: AbortSignal, what = 'waiting'): Promise<T> {
    await this.#take(signal, what);
    try {
      return await lockOrder.holding([this], action);
    } finally {
      this.#letGo();
    }
  }

  /**
   * For those who hold a changing number of them, and say so by `lockOrder.holding`. Resolves with the function that lets the next
   * one in, and may be called again.
   */
  async acquire(signal: AbortSignal): Promise<() => void> {
    await this.#take(signal, 'waiting');
    let isReleased = false;
    return () => {
      if (isReleased) return;
      isReleased = true;
      this.#letGo();
    };
  }

  async #take(signal: AbortSignal | undefined, what: string): Promise<void> {
    lockOrder.check(this);
    if (signal) throwIfAborted(signal, what);
    if (!this.#isHeld) {
      this.#isHeld = true;
      return;
    }
    const waiting = (this.#waiting ??= new Set());
    const waiter = createWaiter(signal, what, () => waiting.delete(waiter));
    waiting.add(waiter);
    await waiter.promise;
  }

  /** It stays held while it is handed over, so that nobody gets in between. */
  #letGo(): void {
    for (const next of this.#waiting ?? []) {
      this.#waiting?.delete(next);
      next.grant();
      return;
    }
    this.#isHeld = false;
  }
}

/** A mutex for each key, which is there as long as somebody holds it. */
export class KeyedMutex {
  readonly #mutexes = new Map<string, Mutex>();

  async run<T>(key: string, action: () => Promise<T>): Promise<T> {
    const mutex = this.#mutexes.get(key) ?? new Mutex();
    this.#mutexes.set(key, mutex);
    try {
      return await mutex.run(action);
    } finally {
      if (!mutex.isBusy) this.#mutexes.delete(key);
    }
  }
}
