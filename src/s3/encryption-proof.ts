/**
 * Whether the server encrypts what is sent to it. One that knows nothing of SSE-C, or a proxy in between that drops its headers,
 * stores all in the clear without a word: only the headers of its replies tell. Shared by everything that writes to one server; once
 * a reply has shown that it does not encrypt, nothing more is to be sent there.
 */
import { StoreError } from '../errors.js';
import type { Log } from '../log.js';
import { storeErrorFacts } from '../store-error-facts.js';
import type { EncryptionReply } from './encryption-headers.js';
import type { FailedCall } from './error-codes.js';

/** What is wrong with the reply to a request that begins an object under a key; undefined: it is encrypted under that key. */
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

  /** Whether a reply has shown that it encrypts, and none the contrary. */
  get isProven(): boolean {
    return this.#isProven;
  }

  /** Why nothing may be sent, for people to read; undefined as long as nothing speaks against it. */
  get refusal(): string | undefined {
    return this.#refusal;
  }

  /** To be called before anything is sent that is to be stored. Throws `NotEncrypting`. */
  requireNotRefuted(call: FailedCall): void {
    if (this.#refusal !== undefined) throw notEncrypting(call, this.#refusal);
  }

  /** Of a request that begins an object under the key with that fingerprint. Throws `NotEncrypting`. */
  checkBegun(call: FailedCall, reply: EncryptionReply, fingerprint: string): void {
    const fault = encryptionFault(reply, fingerprint);
    if (fault === undefined) this.#isProven = true;
    else this.#refute(call, fault);
  }

  /** Of a request that adds to an object, whose reply need not say anything. Throws `NotEncrypting`. */
  checkAdded(call: FailedCall, reply: EncryptionReply, fingerprint: string): void {
    if (hasOtherKey(reply, fingerprint)) this.#refute(call, 'the server took another customer key');
  }

  /** Of HEAD or GET with the key; the object may not be encrypted. Throws `CorruptReply`. */
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

/** Some servers do not repeat it. */
function hasOtherKey({ keyMd5 }: EncryptionReply, fingerprint: string): boolean {
  return keyMd5 !== undefined && keyMd5 !== fingerprint;
}
