/**
 * The headers that encrypt a new object: those of the customer key, and one more while the bucket's policy demands it, as
 * policies for old Ceph do. The policy may change at any time, so it is read again after a refusal that may be about the
 * header.
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
  /** Asks whether the policy demands it now. If it rejects, nothing changes. Default: it is not asked. */
  readonly askExtraHeader?: ((signal: AbortSignal) => Promise<boolean>) | undefined;
  /** In ms, from any beginning. */
  readonly now?: () => number;
}

/** Most denials have other reasons than a new policy. */
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

  /** Sends a request that begins an object, and sends it again if the policy wants other headers now. */
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
        // The first refusal says more.
      }
    });
  }
}

/** Whether the server refuses the header, or denies a request without it. */
function mayBeAboutHeader(error: unknown, hadHeader: boolean): error is StoreError {
  if (!(error instanceof StoreError)) return false;
  return hadHeader ? statusOf(error) === 400 : serverCodeOf(error) === 'AccessDenied';
}

/** On Ceph 18 no policy can demand encryption and let encrypted writes pass. */
function explained(error: StoreError, { operation, key }: FailedCall): StoreError {
  return new StoreError(
    'InvalidRequest',
    `${operation} ${key}: the server refuses x-amz-server-side-encryption beside a customer key, and the bucket's policy demands it: remove the policy (osirisfs policy BUCKET remove)`,
    { cause: error.cause },
  );
}
