/** Counts durations in fixed buckets: a few additions for each, and no memory that grows. */
import { latencyBoundsMs, type LatencyCounts } from '../mount-statistics.js';

export class LatencyHistogram {
  /** One for each bound, and one for what is above the last. */
  readonly #counts = new Array<number>(latencyBoundsMs.length + 1).fill(0);
  #sumMs = 0;

  add(durationMs: number): void {
    let index = 0;
    while (index < latencyBoundsMs.length && durationMs > (latencyBoundsMs[index] ?? Infinity)) index += 1;
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    this.#sumMs += durationMs;
  }

  snapshot(): LatencyCounts {
    return { counts: [...this.#counts], sumMs: this.#sumMs };
  }
}
