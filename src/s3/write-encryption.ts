/**
 * The headers that encrypt a new object: the customer key's, and a header more as long as the bucket's policy demands it, as those for old
 * Ceph do. A policy may come and go while the bucket is written to, so a refusal that may be about the header makes it ask anew.
 */
import { SingleFlight } from '../concurrency/single-flight.js';
import type { CustomerKey } from '../keys/customer-key.js';
import { StoreError } from '../errors.js';
import type { HeaderField } from '../http/connection.js';
import { newObjectEncryption } from './encryption-headers.js';
import { type FailedCall, serverCodeOf, statusOf } from './error-codes.js';

interface WriteEncryptionOptions {
  readonly customerKey: CustomerKey;
  readonly hasExtraHeader: boolean;
  /** Whether the policy demands it now. Where it rejects, all stays as it is. Default: nobody knows. */
  readonly askExtraHeader?: ((signal: AbortSignal) => Promise<boolean>) | undefined;
  /** In ms, from any beginning. */
  readonly now?: () => number;
}

/** Most denials are no news of a policy. */
const askAgainMs = 10_000;

export class WriteEncryption {
  readonly #customerKey: CustomerKey;
  readonly #ask: ((signal: AbortSignal) => Promise<boolean>) | undefined;
  readonly #now: () => number;
  #hasExtraHeader: boolean;
  #headers: readonly HeaderField[];
  readonly #asking = new SingleFlight<void>();
  #askedAtMs = -Infinity;

  constructor({ customerKey, hasExtraHeader, askExtraHeader, now }: WriteEncryptionOptions) {
    this.#customerKey = customerKey;
    this.#hasExtraHeader = hasExtraHeader;
    this.#ask = askExtraHeader;
    this.#now = now ?? (() => performance.now());
    this.#headers = newObjectEncryption(customerKey, hasExtraHeader);
  }

  /** Secret: for requests only. */
  get headers(): readonly HeaderField[] {
    return this.#headers;
  }

  get fingerprint(): string {
    return this.#customerKey.fingerprint;
  }

  /** Sends a request that begins an object, and once more if the policy wants other headers by now. */
  async send<T>(
    call: FailedCall,
    signal: AbortSignal,
    request: (headers: readonly HeaderField[]) => Promise<T>,
  ): Promise<T> {
    const hadHeader = this.#hasExtraHeader;
    try {
      return await request(this.#headers);
    } catch (error) {
      if (!mayBeAboutHeader(error, hadHeader) || this.#ask === undefined) throw error;
      if (this.#hasExtraHeader === hadHeader) await this.#askAgain(this.#ask, signal);
      if (this.#hasExtraHeader !== hadHeader) return await request(this.#headers);
      throw hadHeader ? explained(error, call) : error;
    }
  }

  async #askAgain(ask: (signal: AbortSignal) => Promise<boolean>, signal: AbortSignal): Promise<void> {
    if (!this.#asking.isUnderWay) {
      const nowMs = this.#now();
      if (nowMs - this.#askedAtMs < askAgainMs) return;
      this.#askedAtMs = nowMs;
    }
    await this.#asking.run(async () => {
      try {
        this.#hasExtraHeader = await ask(signal);
        this.#headers = newObjectEncryption(this.#customerKey, this.#hasExtraHeader);
      } catch {
        // What was refused says more.
      }
    });
  }
}

/** A server that refuses the header, or that denies what comes without. */
function mayBeAboutHeader(error: unknown, hadHeader: boolean): error is StoreError {
  if (!(error instanceof StoreError)) return false;
  return hadHeader ? statusOf(error) === 400 : serverCodeOf(error) === 'AccessDenied';
}

/** Ceph 18 knows no policy that demands encryption and lets it pass. */
function explained(error: StoreError, { operation, key }: FailedCall): StoreError {
  return new StoreError(
    'InvalidRequest',
    `${operation} ${key}: the server refuses x-amz-server-side-encryption beside a customer key, and the bucket's policy demands it: remove the policy (osirisfs policy BUCKET remove)`,
    { cause: error.cause },
  );
}
