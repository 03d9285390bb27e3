/**
 * Finds out whether the server encrypts before any content is sent there. It begins and aborts a multipart upload. If the
 * credentials may not do that, it stores and deletes an empty object.
 */
import { cleanUp } from './clean-up.js';
import { abortable } from '../concurrency/abortable.js';
import { SingleFlight } from '../concurrency/single-flight.js';
import { StoreError, type StoreErrorCode } from '../errors.js';
import type { Log } from '../log.js';
import type { BucketClient } from './bucket-client.js';
import { encryptionOf } from './encryption-headers.js';
import type { EncryptionProof } from './encryption-proof.js';
import type { FailedCall } from './error-codes.js';
import { uploadIdOf } from './object-replies.js';
import { requestBody } from './request-body.js';
import { abortUpload, createUpload, deleteObject, type ObjectRequest, putObject } from './object-requests.js';
import type { WriteEncryption } from './write-encryption.js';

interface EncryptionProbeOptions {
  readonly bucket: BucketClient;
  readonly proof: EncryptionProof;
  readonly encryption: WriteEncryption;
  readonly log: Log;
}

/** Always the same name, so that at most one probe stays where objects cannot be deleted. */
export const probeKey = '.osirisfs/encryption-probe';

/** After these, the credentials or the server cannot be asked that way. */
const inabilities: ReadonlySet<StoreErrorCode> = new Set([
  'AccessDenied',
  'InvalidRequest',
  'KeyTooLong',
  'NotFound',
  'NotImplemented',
  'QuotaExceeded',
]);

export class EncryptionProbe {
  readonly #bucket: BucketClient;
  readonly #proof: EncryptionProof;
  readonly #encryption: WriteEncryption;
  readonly #log: Log;
  /** Neither way works: only a real write can show it. */
  #cannotAsk = false;
  readonly #asking = new SingleFlight<void>();

  constructor({ bucket, proof, encryption, log }: EncryptionProbeOptions) {
    this.#bucket = bucket;
    this.#proof = proof;
    this.#encryption = encryption;
    this.#log = log;
  }

  /** Whether `settle` would resolve without a request. */
  get isSettled(): boolean {
    return this.#proof.isProven || (this.#cannotAsk && this.#proof.refusal === undefined);
  }

  /**
   * Resolves when the server is known to encrypt, or when only a write can tell. Rejects with `NotEncrypting`, or as a request
   * does. `call` names the write that follows.
   */
  async settle(call: FailedCall, signal: AbortSignal): Promise<void> {
    this.#proof.requireNotRefuted(call);
    while (!this.isSettled) {
      await this.#askOrWait(call, signal);
      this.#proof.requireNotRefuted(call);
    }
  }

  /** Callers share one probe and its failure, but not the interruption of the caller that began it. */
  async #askOrWait({ operation, key }: FailedCall, signal: AbortSignal): Promise<void> {
    const isOwn = !this.#asking.isUnderWay;
    const asking = this.#asking.run(() => this.#ask(key, signal));
    try {
      await abortable(asking, signal, `${operation} ${key}`);
    } catch (error) {
      const isOthers = !isOwn && !signal.aborted && error instanceof StoreError && error.code === 'Aborted';
      if (!isOthers) throw error;
    }
  }

  async #ask(key: string, signal: AbortSignal): Promise<void> {
    const isAnswered =
      (await this.#tries(() => this.#beginUpload(key === '' ? probeKey : key, signal))) ||
      (await this.#tries(() => this.#storeEmpty(signal)));
    if (isAnswered) return;
    this.#cannotAsk = true;
    this.#log.debug({ key }, 'whether the server encrypts cannot be found out before something is written');
  }

  async #tries(ask: () => Promise<void>): Promise<boolean> {
    try {
      await ask();
      return true;
    } catch (error) {
      if (error instanceof StoreError && inabilities.has(error.code)) return false;
      throw error;
    }
  }

  async #beginUpload(key: string, signal: AbortSignal): Promise<void> {
    const call = { operation: 'createUpload', key };
    const reply = await this.#bucket.send(call, signal, () => createUpload(key, this.#encryption.headers));
    const uploadId = uploadIdOf(call, reply);
    await this.#cleanUp({ operation: 'abortUpload', key }, () => abortUpload({ key, uploadId }));
    this.#proof.checkBegun(call, encryptionOf(reply.headers), this.#encryption.fingerprint);
  }

  async #storeEmpty(signal: AbortSignal): Promise<void> {
    const call = { operation: 'put', key: probeKey };
    const reply = await this.#bucket.send(call, signal, () =>
      putObject(probeKey, this.#encryption.headers, requestBody([])),
    );
    await this.#cleanUp({ operation: 'delete', key: probeKey }, () => deleteObject(probeKey));
    this.#proof.checkBegun(call, encryptionOf(reply.headers), this.#encryption.fingerprint);
  }

  /** Whatever stays behind is empty. */
  async #cleanUp(call: FailedCall, make: () => ObjectRequest): Promise<void> {
    const message = 'what tried out the server could not be removed';
    await cleanUp({ log: this.#log, key: call.key, message }, (signal) =>
      this.#bucket.send(call, signal, make),
    );
  }
}
