/** Limits how many tasks run at once, and the bytes that they hold in memory. First come, first served. */
import { createWaiter, throwIfAborted, type Waiter } from './abortable.js';
import { lockOrder, type RankedLock } from './lock-order.js';

interface LimiterOptions {
  /** Under way at once, at least 1. */
  readonly maxTasks: number;
  /** Bytes of all tasks under way. A task with more runs alone. Default: no limit. */
  readonly maxBytes?: number;
  /** As of a `Mutex`. */
  readonly rank?: number;
}

export interface LimitedTask {
  /** Ends the wait, not the task. */
  readonly signal: AbortSignal;
  /** Names the wait in the error of an abortion. */
  readonly what: string;
  /** Bytes that the task holds in memory. Default 0. */
  readonly bytes?: number;
}

interface Queued {
  readonly bytes: number;
  readonly waiter: Waiter;
}

export class Limiter implements RankedLock {
  readonly maxTasks: number;
  readonly rank: number;
  readonly #maxBytes: number;
  readonly #queue = new Set<Queued>();
  #tasks = 0;
  #bytes = 0;

  constructor({ maxTasks, maxBytes = Infinity, rank = 0 }: LimiterOptions) {
    if (!Number.isInteger(maxTasks) || maxTasks < 1)
      throw new RangeError(`not a number of tasks: ${maxTasks}`);
    this.maxTasks = maxTasks;
    this.rank = rank;
    this.#maxBytes = maxBytes;
  }

  statistics(): { readonly tasks: number; readonly bytes: number; readonly waiting: number } {
    return { tasks: this.#tasks, bytes: this.#bytes, waiting: this.#queue.size };
  }

  /** Runs `work` when there is room. Rejects with `abortionOf` the signal if it aborts before. */
  async run<T>({ signal, what, bytes = 0 }: LimitedTask, work: () => Promise<T>): Promise<T> {
    lockOrder.check(this);
    throwIfAborted(signal, what);
    if (this.#queue.size === 0 && this.#fits(bytes)) {
      this.#take(bytes);
    } else {
      const waiter = createWaiter(signal, what, () => {
        this.#queue.delete(queued);
        this.#admit(); // the task may have been too large for the room that others fit in
      });
      const queued = { bytes, waiter };
      this.#queue.add(queued);
      await waiter.promise;
    }
    try {
      return await lockOrder.holding([this], work);
    } finally {
      this.#tasks -= 1;
      this.#bytes -= bytes;
      this.#admit();
    }
  }

  #fits(bytes: number): boolean {
    return this.#tasks === 0 || (this.#tasks < this.maxTasks && this.#bytes + bytes <= this.#maxBytes);
  }

  #take(bytes: number): void {
    this.#tasks += 1;
    this.#bytes += bytes;
  }

  #admit(): void {
    for (const next of this.#queue) {
      if (!this.#fits(next.bytes)) return;
      this.#queue.delete(next);
      this.#take(next.bytes);
      next.waiter.grant();
    }
  }
}
