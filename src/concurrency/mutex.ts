/** One at a time, in the order of arrival. Waiting can be interrupted. */
import { createWaiter, throwIfAborted, type Waiter } from './abortable.js';
import { lockOrder, type RankedLock } from './lock-order.js';

export class Mutex implements RankedLock {
  readonly rank: number;
  #isHeld = false;
  /** Made at the first wait: each file has a mutex, and most are never waited for. */
  #waiting: Set<Waiter> | undefined;

  /** `rank`: its place in the order of locks, from `lockRanks`. Default 0: it has none. */
  constructor(rank = 0) {
    this.rank = rank;
  }

  /** Whether it is held. Others may wait for it then. */
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
   * For tasks that hold a changing number of mutexes, which they report to `lockOrder.holding`. Resolves with the function that frees
   * the mutex, which may be called again.
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

  /** The mutex stays held while it is handed over, so that no other task gets in between. */
  #letGo(): void {
    for (const next of this.#waiting ?? []) {
      this.#waiting?.delete(next);
      next.grant();
      return;
    }
    this.#isHeld = false;
  }
}

/** A mutex for each key, which exists as long as it is held. */
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
