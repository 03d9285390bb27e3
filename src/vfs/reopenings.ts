/**
 * Counts opens that ended with ESTALE because their file was replaced here meanwhile. Linux looks the name up again and opens what it
 * finds, but only once. So the next removal waits for the second open. Otherwise programs that read a file which is replaced in
 * quick succession would see ESTALE, which no local file system gives them.
 */
import { makeGate } from '../concurrency/deferred.js';
import type { Clock } from '../clock.js';

/** The kernel tries again within a millisecond, on a busy machine as soon as the program runs again. It may also have been killed. */
const limitMs = 1000;

interface Expected {
  readonly promise: Promise<void>;
  /** How many are still to come. */
  count: number;
  readonly end: () => void;
}

export class Reopenings {
  readonly #clock: Clock;
  /** By key. Each is gone after `limitMs` at the latest. */
  readonly #expected = new Map<string, Expected>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** An open of this key has been ended by ESTALE. */
  expect(key: string): void {
    const expected = this.#expected.get(key);
    if (expected) {
      expected.count += 1;
      return;
    }
    const { opened: promise, open: resolve } = makeGate();
    const end = (): void => {
      cancel();
      this.#expected.delete(key);
      resolve();
    };
    const cancel = this.#clock.startTimer(limitMs, end);
    this.#expected.set(key, { promise, count: 1, end });
  }

  /** An open of this key has begun. */
  arrive(key: string): void {
    const expected = this.#expected.get(key);
    if (!expected) return;
    expected.count -= 1;
    if (expected.count === 0) expected.end();
  }

  /** Resolves when all opens that are expected have begun, or do not come. Undefined if none is expected. */
  arrivalOf(key: string): Promise<void> | undefined {
    return this.#expected.get(key)?.promise;
  }
}
