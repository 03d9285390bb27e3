/**
 * When to try again and how long to wait: exponential backoff with full jitter
 * (https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/), limited in attempts and in time.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { StoreError, type StoreErrorCode } from '../errors.js';
import type { Log } from '../log.js';

export interface RetryOptions {
  readonly log: Log;
  /** Attempts in all, at least 1. Default 20. */
  readonly maxAttempts?: number;
  /** No attempt begins later than this after the first. Default 60,000. */
  readonly maxElapsedMs?: number;
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
}

const transientCodes: Readonly<Record<StoreErrorCode, boolean>> = {
  Throttled: true,
  ServerError: true,
  Unreachable: true,
  Timeout: true,
  CorruptReply: true,
  NotFound: false,
  NoSuchBucket: false,
  NoSuchUpload: false,
  AccessDenied: false,
  WrongCustomerKey: false,
  PlaintextRefused: false,
  PreconditionFailed: false,
  RangeNotSatisfiable: false,
  KeyTooLong: false,
  InvalidRequest: false,
  NotImplemented: false,
  EncryptionBlocked: false,
  QuotaExceeded: false,
  EntityTooLarge: false,
  CertificateRejected: false,
  ServerRefused: false,
  ClockSkewed: false,
  Aborted: false,
};

/** Whether the same request may succeed a little later. */
export function isTransient(error: StoreError): boolean {
  return transientCodes[error.code];
}

export class RetryPolicy {
  readonly #log: Log;
  readonly #maxAttempts: number;
  readonly #maxElapsedMs: number;
  readonly #baseDelayMs: number;
  readonly #maxDelayMs: number;
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  #retries = 0;

  constructor(options: RetryOptions) {
    this.#log = options.log;
    this.#maxAttempts = options.maxAttempts ?? 20;
    this.#maxElapsedMs = options.maxElapsedMs ?? 60_000;
    this.#baseDelayMs = options.baseDelayMs ?? 100;
    this.#maxDelayMs = options.maxDelayMs ?? 5_000;
    this.#now = options.now ?? (() => performance.now());
    this.#random = options.random ?? Math.random;
    this.#sleep = options.sleep ?? ((ms, signal) => delay(ms, undefined, { signal }));
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
    for (let number = 1; ; number += 1) {
      try {
        return await attempt(number > 1);
      } catch (error) {
        if (!(error instanceof StoreError) || !isTransient(error)) throw error;
        const delayMs = this.#random() * this.#maxDelay(number);
        const elapsedMs = this.#now() - startMs;
        if (number >= this.#maxAttempts || elapsedMs + delayMs > this.#maxElapsedMs) {
          this.#log.warn({ subject, code: error.code, attempts: number, elapsedMs }, 'giving up');
          throw error;
        }
        this.#retries += 1;
        this.#log.debug({ subject, code: error.code, attempt: number, delayMs }, 'trying again');
        await this.#wait(subject, delayMs, signal);
      }
    }
  }

  #maxDelay(failures: number): number {
    return Math.min(this.#maxDelayMs, this.#baseDelayMs * 2 ** Math.min(failures - 1, 30));
  }

  async #wait(subject: string, delayMs: number, signal: AbortSignal): Promise<void> {
    try {
      await this.#sleep(delayMs, signal);
    } catch (error) {
      throw new StoreError('Aborted', `${subject}: aborted`, { cause: error });
    }
  }
}
