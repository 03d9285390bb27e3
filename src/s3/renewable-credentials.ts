/**
 * The S3 credentials of a process that runs for weeks. Credentials that expire are renewed before; other changes are looked for
 * when the server refuses a request. A source that fails for a while (a helper program, a metadata service) does no harm while
 * the old credentials are valid.
 */
import { SingleFlight } from '../concurrency/single-flight.js';
import type { AwsCredentialIdentity } from '@aws-sdk/types';
import { systemClock, type Clock } from '../clock.js';
import type { Log } from '../log.js';

interface RenewableCredentialsOptions {
  /** Asks the source. Rejects if it has none. */
  readonly find: () => Promise<AwsCredentialIdentity>;
  readonly clock?: Clock;
  readonly log: Log;
}

/** Renewed this long before they expire, or at half their life if that is later: some helpers give five minutes. */
const renewBeforeMs = 5 * 60 * 1000;
/** After a failure. */
const findAgainMs = 10_000;
/** The same when nothing is valid and requests wait. */
const findSoonMs = 1_000;

export class RenewableCredentials {
  readonly #find: () => Promise<AwsCredentialIdentity>;
  readonly #clock: Clock;
  readonly #log: Log;
  #current: AwsCredentialIdentity | undefined;
  #foundAtMs = 0;
  readonly #finding = new SingleFlight<AwsCredentialIdentity>();
  #failure: { readonly error: unknown; readonly atMs: number } | undefined;

  constructor({ find, clock = systemClock, log }: RenewableCredentialsOptions) {
    this.#find = find;
    this.#clock = clock;
    this.#log = log;
  }

  /** For the SDK. Rejects as `find` does when there are none that are valid. */
  readonly provide = async (): Promise<AwsCredentialIdentity> => {
    const current = this.#current;
    const nowMs = this.#nowMs();
    if (current && nowMs < this.#renewalDueAtMs(current)) return current;
    const isValid = current !== undefined && nowMs < endMsOf(current);
    const failedMsAgo = this.#failure === undefined ? Infinity : nowMs - this.#failure.atMs;
    if (failedMsAgo < (isValid ? findAgainMs : findSoonMs)) {
      if (isValid) return current;
      throw this.#failure?.error;
    }
    try {
      return await this.#findOnce();
    } catch (error) {
      if (!isValid) throw error;
      this.#log.warn(
        { err: error },
        'the S3 credentials could not be renewed yet; those at hand are valid still',
      );
      return current;
    }
  };

  /** Asks the source now. Resolves with whether the credentials have changed; false if the source fails. */
  async renew(): Promise<boolean> {
    const former = this.#current;
    try {
      return !areSame(await this.#findOnce(), former);
    } catch (error) {
      this.#log.debug({ err: error }, 'the S3 credentials could not be looked at again');
      return false;
    }
  }

  async #findOnce(): Promise<AwsCredentialIdentity> {
    try {
      const found = await this.#finding.run(this.#find);
      if (!areSame(found, this.#current)) {
        this.#current = found;
        this.#foundAtMs = this.#nowMs();
      }
      this.#failure = undefined;
      return found;
    } catch (error) {
      this.#failure = { error, atMs: this.#nowMs() };
      throw error;
    }
  }

  #renewalDueAtMs(current: AwsCredentialIdentity): number {
    const endMs = endMsOf(current);
    return Math.max(endMs - renewBeforeMs, (this.#foundAtMs + endMs) / 2);
  }

  #nowMs(): number {
    return Number(this.#clock.nowNs() / 1_000_000n);
  }
}

/** Infinity for those that do not end. */
function endMsOf({ expiration }: AwsCredentialIdentity): number {
  return expiration?.getTime() ?? Infinity;
}

function areSame(a: AwsCredentialIdentity, b: AwsCredentialIdentity | undefined): boolean {
  return (
    a.accessKeyId === b?.accessKeyId &&
    a.secretAccessKey === b.secretAccessKey &&
    a.sessionToken === b.sessionToken &&
    a.expiration?.getTime() === b.expiration?.getTime()
  );
}
