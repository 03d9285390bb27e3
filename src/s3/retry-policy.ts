/**
 * When to try again and how long to wait: exponential backoff with full jitter
 * (https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/), limited in time. What ends it is
 * the time since the first failure, about a minute for mounts and commands alike, and not the number of attempts.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { abortionOf, StoreError, type StoreErrorCode } from '../errors.js';
import type { Log } from '../log.js';
import { storeErrorFacts } from '../store-error-facts.js';

export interface RetryOptions {
  readonly log: Log;
  /** No attempt begins later than this after the first failure. Default 60,000. */
  readonly maxElapsedMs?: number;
  /**
   * Since when that time counts. By default since the first failure, so that a request that failed by being silent for long is
   * tried again all the same; since the start where a user waits for a first answer.
   */
  readonly countsFrom?: 'the first failure' | 'the start';
  /** Attempts in all, at least 1. Default 200, which the time never allows: it is only there so that there is a limit. */
  readonly maxAttempts?: number;
  /** The wait before attempt n + 1 is random between 0 and baseDelayMs · 2ⁿ⁻¹. Default 100. */
  readonly baseDelayMs?: number;
  /** But never longer than this. Default 5,000. */
  readonly maxDelayMs?: number;
  /** Milliseconds from any origin. Default: the monotonic clock. */
  readonly now?: () => number;
  /** From 0 to 1. Default Math.random. */
  readonly random?: () => number;
  /** Rejects if the signal aborts. */
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Told now and then, while somebody waits, that there is no answer yet. Default: a warning in the log. */
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

/** Where a user waits for the first answer of a server: enough for one hiccup. Then whatever is wrong can be put right. */
export const firstAnswerRetry = {
  maxAttempts: 3,
  maxElapsedMs: 5_000,
  countsFrom: 'the start',
} as const satisfies Partial<RetryOptions>;

/** A request that was not answered for so long is told of, and then no other for a while. */
const noticeAfterMs = 5_000;
const noticeEveryMs = 60_000;

/** Errors after which a policy has given up: one around it, as of a copy that consists of requests, does not begin anew. */
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
    this.#maxElapsedMs = options.maxElapsedMs ?? 60_000;
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
   * Calls `attempt` until it resolves, fails for good, or the limits are reached; rejects with its last error. It is
   * told whether an earlier attempt may have taken effect without our hearing of it.
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

  /** Of all requests that wait at once, one is told of. */
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
