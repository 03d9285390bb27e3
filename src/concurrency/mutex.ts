/** One at a time, in the order of arrival; waiting can be interrupted. */
import { abortionOf } from '../errors.js';

/** One for all: most mutexes, of which each file has one, are never waited for. */
const nobody: Promise<void> = Promise.resolve();

export class Mutex {
  #tail = nobody;
  #holders = 0;

  /** Whether somebody holds it or waits for it. */
  get isBusy(): boolean {
    return this.#holders > 0;
  }

  /**
   * Resolves with the function that lets the next one in, and may be called again. Rejects with `abortionOf` the signal if it aborts while
   * waiting.
   */
  async acquire(signal?: AbortSignal): Promise<() => void> {
    const previous = this.#tail;
    let open: () => void = () => undefined;
    const done = new Promise<void>((resolve) => (open = resolve));
    this.#tail = previous.then(() => done);
    this.#holders += 1;
    let isReleased = false;
    const release = () => {
      if (isReleased) return;
      isReleased = true;
      this.#holders -= 1;
      open();
    };
    try {
      await (signal ? waitInterruptibly(previous, signal) : previous);
    } catch (error) {
      release();
      throw error;
    }
    return release;
  }

  /** Runs `action` when all earlier ones have settled. */
  async run<T>(action: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const release = await this.acquire(signal);
    try {
      return await action();
    } finally {
      release();
    }
  }
}

/** Resolves or rejects as `promise` does, or rejects with `abortionOf` the signal as soon as it aborts. */
export async function waitInterruptibly<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = () => abortionOf(signal, 'waiting');
  if (signal.aborted) {
    promise.catch(() => undefined); // its failure is somebody else's to report
    throw aborted();
  }
  let onAbort: () => void = () => undefined;
  const abortion = new Promise<never>((_, reject) => {
    onAbort = () => reject(aborted());
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([promise, abortion]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
