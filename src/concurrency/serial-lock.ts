/** One after the other: the changes to one file. */
import { createWaiter, throwIfAborted, type Waiter } from './abortable.js';

export class SerialLock {
  #isHeld = false;
  readonly #waiters: Waiter[] = [];

  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** Runs `work` when all earlier callers are done. Rejects with `Aborted` if the signal ends the wait. */
  async run<T>(signal: AbortSignal, what: string, work: () => Promise<T>): Promise<T> {
    throwIfAborted(signal, what);
    if (this.#isHeld) {
      const waiter = createWaiter(signal, what, () => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
      });
      this.#waiters.push(waiter);
      await waiter.promise;
    }
    this.#isHeld = true;
    try {
      return await work();
    } finally {
      // The lock stays held while it is handed over, so that nobody gets in between.
      const next = this.#waiters.shift();
      if (next) next.grant();
      else this.#isHeld = false;
    }
  }
}
