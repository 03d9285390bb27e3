/**
 * When to try again and how long to wait: exponential backoff with full jitter
 * (https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/). The time since the first failure limits
 * it, about a minute for mounts and commands alike, not the number of attempts.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { abortionOf, StoreError, type StoreErrorCode } from '../errors.js';
import type { Log } from '../log.js';
import { storeErrorFacts } from '../store-error-facts.js';

export interface RetryOptions {
  readonly log: Log;
  /** No attempt begins later than this after the first failure. */
  readonly maxElapsedMs: number;
  /**
   * When that time begins. By default at the first failure, so that a request that failed after a long silence is tried again
   * too. At the start where a user waits for a first answer.
   */
  readonly countsFrom?: 'the first failure' | 'the start';
  /** Attempts in all, at least 1. Default 200, as a bound only: the time ends first. */
  readonly maxAttempts?: number;
  /** The wait before attempt n + 1 is random between 0 and baseDelayMs · 2ⁿ⁻¹. Default 100. */
  readonly baseDelayMs?: number;
  /** The longest wait. Default 5,000. */
  readonly maxDelayMs?: number;
  /** Milliseconds from any origin. Default: the monotonic clock. */
  readonly now?: () => number;
  /** From 0 to 1. Default Math.random. */
  readonly random?: () => number;
  /** Rejects if the signal aborts. */
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Called now and then while a request has no answer yet. Default: a warning in the log. */
  readonly onWaiting?: (waiting: UnansweredRequest) => void;
}

/** A request that has not succeeded for some seconds. */
interface UnansweredRequest {
  /** What the request does to which key. */
  readonly subject: string;
  readonly code: StoreErrorCode;
  readonly attempts: number;
  readonly elapsedMs: number;
}

/** For a user who waits for the first answer of a server: enough for one hiccup, then the user hears what is wrong. */
export const firstAnswerRetry = {
  maxAttempts: 3,
  maxElapsedMs: 5_000,
  countsFrom: 'the start',
} as const satisfies Partial<RetryOptions>;

/** A request without an answer for this long is reported, and then no other one for a while. */
const noticeAfterMs = 5_000;
const noticeEveryMs = 60_000;

/**
 * Errors after which a policy has given up. An outer policy, as around a copy that consists of requests, does not begin again.
 */
const givenUp = new WeakSet<StoreError>();

/** Whether the same request may succeed a little later. */
export function isRetried({ code }: StoreError): boolean {
  return storeErrorFacts[code].passes === 'soon';
}

export class RetryPolicy {
  readonly #log: Log;
  readonly #maxAttempts: number;
  readonly #maxElapsedMs: number;
  readonly #countsFrom: 'the first failure' | 'the start';
  readonly #baseDelayMs: number;
  readonly #maxDelayMs: number;
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly #onWaiting: (waiting: UnansweredRequest) => void;
  #retries = 0;
  #noticedAtMs = -Infinity;

  constructor(options: RetryOptions) {
    this.#log = options.log;
    this.#maxAttempts = options.maxAttempts ?? 200;
    this.#maxElapsedMs = options.maxElapsedMs;
    this.#countsFrom = options.countsFrom ?? 'the first failure';
    this.#baseDelayMs = options.baseDelayMs ?? 100;
    this.#maxDelayMs = options.maxDelayMs ?? 5_000;
    this.#now = options.now ?? (() => performance.now());
    this.#random = options.random ?? Math.random;
    this.#sleep = options.sleep ?? ((ms, signal) => delay(ms, undefined, { signal }));
    this.#onWaiting =
      options.onWaiting ?? ((waiting) => this.#log.warn({ ...waiting }, 'not answered yet; trying again'));
  }

  /** Attempts after the first, over all calls so far. */
  get retries(): number {
    return this.#retries;
  }

  /**
   * Calls `attempt` until it resolves, fails for good, or the limits are reached. Rejects with the last error.
   * `mayHaveHappened`: an earlier attempt may have taken effect although its reply was lost.
   */
  async run<T>(
    subject: string,
    attempt: (mayHaveHappened: boolean) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    const startMs = this.#now();
    let countedFromMs = this.#countsFrom === 'the start' ? startMs : undefined;
    for (let number = 1; ; number += 1) {
      try {
        return await attempt(number > 1);
      } catch (error) {
        if (!(error instanceof StoreError) || !isRetried(error) || givenUp.has(error)) throw error;
        if (signal.aborted) throw abortionOf(signal, subject);
        const nowMs = this.#now();
        countedFromMs ??= nowMs;
        const delayMs = this.#random() * this.#maxDelay(number);
        const elapsedMs = nowMs - startMs;
        if (number >= this.#maxAttempts || nowMs - countedFromMs + delayMs > this.#maxElapsedMs) {
          this.#log.warn({ subject, code: error.code, attempts: number, elapsedMs }, 'giving up');
          givenUp.add(error);
          throw error;
        }
        this.#retries += 1;
        this.#log.debug({ subject, code: error.code, attempt: number, delayMs }, 'trying again');
        if (elapsedMs >= noticeAfterMs)
          this.#notice({ subject, code: error.code, attempts: number, elapsedMs });
        await this.#wait(subject, delayMs, signal);
      }
    }
  }

  /** Reports only one of the requests that wait at the same time. */
  #notice(waiting: UnansweredRequest): void {
    const nowMs = this.#now();
    if (nowMs - this.#noticedAtMs < noticeEveryMs) return;
    this.#noticedAtMs = nowMs;
    this.#onWaiting(waiting);
  }

  #maxDelay(failures: number): number {
    return Math.min(this.#maxDelayMs, this.#baseDelayMs * 2 ** Math.min(failures - 1, 30));
  }

  async #wait(subject: string, delayMs: number, signal: AbortSignal): Promise<void> {
    try {
      await this.#sleep(delayMs, signal);
    } catch (error) {
      throw signal.aborted ? abortionOf(signal, subject) : error;
    }
  }
}
