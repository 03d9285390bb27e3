/**
 * Limits how many requests run at once. The agent would queue them too, but the SDK counts the time in that queue as time to
 * connect, and times out requests that have not begun.
 */
import { Limiter, type LimitedTask } from '../concurrency/limiter.js';

export class RequestSlots {
  /** `places`: how many, or slots that others use too. */
  static of(places: number | RequestSlots): RequestSlots {
    return places instanceof RequestSlots ? places : new RequestSlots(places);
  }

  readonly count: number;
  /**
   * A request that holds a slot while it waits for another one, such as a PUT of bytes that are being fetched. Only one at a
   * time: several would wait for each other. Undefined if there is only one slot.
   */
  readonly streams: Limiter | undefined;
  readonly #limiter: Limiter;

  /** `count`: at least 1. */
  constructor(count: number) {
    this.count = count;
    this.streams = count > 1 ? new Limiter({ maxTasks: 1 }) : undefined;
    this.#limiter = new Limiter({ maxTasks: count });
  }

  run<T>(task: LimitedTask, work: () => Promise<T>): Promise<T> {
    return this.#limiter.run(task, work);
  }
}
