/**
 * Whether the server encrypts what is sent to it. A server without SSE-C, or a proxy that drops the headers, stores everything
 * in the clear without an error: only the headers of replies tell. All writers to one server share this. Once a reply shows
 * that the server does not encrypt, nothing more is sent there.
 */
import { StoreError } from '../errors.js';
import type { Log } from '../log.js';
import { storeErrorFacts } from '../store-error-facts.js';
import type { EncryptionReply } from './encryption-headers.js';
import type { FailedCall } from './error-codes.js';

/**
 * What is wrong with the reply to a request that begins an object under a key. Undefined if the object is encrypted under that
 * key.
 */
export function encryptionFault(reply: EncryptionReply, fingerprint: string): string | undefined {
  if (reply.algorithm !== 'AES256') return 'the server ignored the customer key';
  return hasOtherKey(reply, fingerprint) ? 'the server took another customer key' : undefined;
}

export class EncryptionProof {
  readonly #log: Log;
  #isProven = false;
  #refusal: string | undefined;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Whether a reply has shown that the server encrypts, and no reply the contrary. */
  get isProven(): boolean {
    return this.#isProven;
  }

  /** Why nothing may be sent, for people to read. Undefined while nothing speaks against it. */
  get refusal(): string | undefined {
    return this.#refusal;
  }

  /** Call it before sending anything to be stored. Throws `NotEncrypting`. */
  requireNotRefuted(call: FailedCall): void {
    if (this.#refusal !== undefined) throw notEncrypting(call, this.#refusal);
  }

  /** Checks the reply to a request that begins an object under the key with that fingerprint. Throws `NotEncrypting`. */
  checkBegun(call: FailedCall, reply: EncryptionReply, fingerprint: string): void {
    const fault = encryptionFault(reply, fingerprint);
    if (fault === undefined) this.#isProven = true;
    else this.#refute(call, fault);
  }

  /** Checks the reply to a request that adds to an object. Such a reply may say nothing. Throws `NotEncrypting`. */
  checkAdded(call: FailedCall, reply: EncryptionReply, fingerprint: string): void {
    if (hasOtherKey(reply, fingerprint)) this.#refute(call, 'the server took another customer key');
  }

  /** Checks the reply to a HEAD or GET with the key. The object may be unencrypted. Throws `CorruptReply`. */
  checkRead({ operation, key }: FailedCall, reply: EncryptionReply, fingerprint: string): void {
    if (hasOtherKey(reply, fingerprint)) {
      throw new StoreError(
        'CorruptReply',
        `${operation} ${key}: the reply is about another customer key than was sent`,
      );
    }
    if (reply.algorithm === 'AES256' && this.#refusal === undefined) this.#isProven = true;
  }

  #refute(call: FailedCall, fault: string): never {
    if (this.#refusal === undefined) {
      this.#log.warn(
        { operation: call.operation, key: call.key },
        `${fault}: nothing more is sent to it, since it would not be encrypted; what is there can be read as before`,
      );
    }
    this.#isProven = false;
    this.#refusal ??= `${storeErrorFacts.NotEncrypting.meaning}: ${fault}`;
    throw notEncrypting(call, this.#refusal);
  }
}

function notEncrypting({ operation, key }: FailedCall, reason: string): StoreError {
  return new StoreError('NotEncrypting', `${operation} ${key}: ${reason}`);
}

/** Some servers leave it out. */
function hasOtherKey({ keyMd5 }: EncryptionReply, fingerprint: string): boolean {
  return keyMd5 !== undefined && keyMd5 !== fingerprint;
}
