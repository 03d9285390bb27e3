/**
 * Finds out whether the server encrypts before anything of worth is sent there, by requests that bring nothing: a multipart upload
 * that is begun and aborted, or, who may not do that, an empty object that is stored and deleted.
 */
import {
  AbortMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import { abortionOf, StoreError, type StoreErrorCode } from '../errors.js';
import type { Log } from '../log.js';
import type { BucketClient } from './bucket-client.js';
import type { EncryptionProof } from './encryption-proof.js';
import type { FailedCall } from './error-codes.js';
import { requestBody } from './request-body.js';
import type { WriteEncryption } from './write-encryption.js';

export interface EncryptionProbeOptions {
  readonly bucket: BucketClient;
  readonly proof: EncryptionProof;
  readonly encryption: WriteEncryption;
  readonly log: Log;
}

/** Of one name, so that at most one is left where objects cannot be deleted. */
export const probeKey = '.osirisfs/encryption-probe';

/** Also after an interrupt: nothing is to be left. */
const cleanUpTimeoutMs = 30_000;

/** These credentials, or this server, cannot do it that way. */
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
  /** Neither way is open: the write itself has to show it. */
  #cannotAsk = false;
  /** Rejects with a StoreError. */
  #asking: Promise<void> | undefined;

  constructor({ bucket, proof, encryption, log }: EncryptionProbeOptions) {
    this.#bucket = bucket;
    this.#proof = proof;
    this.#encryption = encryption;
    this.#log = log;
  }

  /** Whether `settle` would resolve, and send nothing. */
  get isSettled(): boolean {
    return this.#proof.isProven || (this.#cannotAsk && this.#proof.refusal === undefined);
  }

  /**
   * Resolves when it is known that the server encrypts, or that nobody can tell before something is written. Rejects with
   * `NotEncrypting`, or as a request does. `call` is what is to be done.
   */
  async settle(call: FailedCall, signal: AbortSignal): Promise<void> {
    this.#proof.requireNotRefuted(call);
    while (!this.isSettled) {
      if (this.#asking === undefined) {
        this.#asking = this.#ask(call.key, signal).finally(() => (this.#asking = undefined));
        await this.#asking;
      } else {
        await this.#waitForOther(this.#asking, call, signal);
      }
      this.#proof.requireNotRefuted(call);
    }
  }

  /** That one's failure is ours too, but not its interruption. */
  async #waitForOther(asking: Promise<void>, call: FailedCall, signal: AbortSignal): Promise<void> {
    let giveUp: (() => void) | undefined;
    const aborted = new Promise<never>((_, reject) => {
      giveUp = () => reject(abortionOf(signal, `${call.operation} ${call.key}`));
      if (signal.aborted) giveUp();
      else signal.addEventListener('abort', giveUp, { once: true });
    });
    try {
      await Promise.race([asking, aborted]);
    } catch (error) {
      if (signal.aborted || !(error instanceof StoreError) || error.code !== 'Aborted') throw error;
    } finally {
      if (giveUp) signal.removeEventListener('abort', giveUp);
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
    const output = await this.#bucket.request(call, signal, (client, base) =>
      client.send(new CreateMultipartUploadCommand({ ...base, Key: key, ...this.#encryption.fields })),
    );
    await this.#cleanUp({ operation: 'abortUpload', key }, (cleanUpCall, cleanUpSignal) =>
      this.#bucket.request(cleanUpCall, cleanUpSignal, (client, base) =>
        client.send(new AbortMultipartUploadCommand({ ...base, Key: key, UploadId: output.UploadId })),
      ),
    );
    this.#proof.checkBegun(call, output, this.#encryption.fingerprint);
  }

  async #storeEmpty(signal: AbortSignal): Promise<void> {
    const call = { operation: 'put', key: probeKey };
    const output = await this.#bucket.request(call, signal, (client, base) =>
      client.send(
        new PutObjectCommand({ ...base, Key: probeKey, ...this.#encryption.fields, ...requestBody([]) }),
      ),
    );
    await this.#cleanUp({ operation: 'delete', key: probeKey }, (cleanUpCall, cleanUpSignal) =>
      this.#bucket.request(cleanUpCall, cleanUpSignal, (client, base) =>
        client.send(new DeleteObjectCommand({ ...base, Key: probeKey })),
      ),
    );
    this.#proof.checkBegun(call, output, this.#encryption.fingerprint);
  }

  /** What is left is without content. */
  async #cleanUp(
    call: FailedCall,
    send: (call: FailedCall, signal: AbortSignal) => Promise<unknown>,
  ): Promise<void> {
    try {
      await send(call, AbortSignal.timeout(cleanUpTimeoutMs));
    } catch (error) {
      this.#log.warn({ key: call.key, err: error }, 'what tried out the server could not be removed');
    }
  }
}
