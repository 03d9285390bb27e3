/** Clocks that tests move. */
import { systemClock, type Clock } from '../src/clock.js';
import { lockOrder } from '../src/concurrency/lock-order.js';

/**
 * Stands still but for what tests advance it by, and a microsecond at each look, so that no two times are the same. It begins at the
 * same time in each run, and far from the end of a second: what happens just then is for tests that say so. Its timers are real ones.
 */
export class TestClock implements Clock {
  #nowMs = Date.UTC(2026, 10, 24, 12, 30, 45, 300);

  monotonicMs(): number {
    this.#nowMs += 0.001;
    return this.#nowMs;
  }

  nowNs(): bigint {
    return BigInt(Math.round(this.monotonicMs() * 1000)) * 1000n;
  }

  startTimer(delayMs: number, action: () => void): () => void {
    return systemClock.startTimer(delayMs, () => lockOrder.outside(action));
  }

  advance(ms: number): void {
    this.#nowMs += ms;
  }
}

/**
 * A clock whose timers end only when it is advanced past them, and those without a delay in the next turn: nothing that
 * depends on it happens sooner or later on a machine that is busy.
 */
export class HeldClock extends TestClock {
  readonly #timers = new Set<{ readonly dueMs: number; readonly action: () => void }>();

  /** Of those that wait for the clock. */
  get timerCount(): number {
    return this.#timers.size;
  }

  override startTimer(delayMs: number, action: () => void): () => void {
    if (delayMs <= 0) {
      const immediate = setImmediate(() => lockOrder.outside(action));
      return () => clearImmediate(immediate);
    }
    const timer = { dueMs: this.monotonicMs() + delayMs, action };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  override advance(ms: number): void {
    super.advance(ms);
    const now = this.monotonicMs();
    const due = [...this.#timers].filter(({ dueMs }) => dueMs <= now).sort((a, b) => a.dueMs - b.dueMs);
    for (const timer of due) if (this.#timers.delete(timer)) lockOrder.outside(timer.action);
  }
}
