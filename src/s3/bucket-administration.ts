/**
 * Requests about a bucket that are not about the bytes of its objects: its policy, its versioning, unfinished uploads, and
 * single requests that try out what the server can do. Errors are StoreErrors; each request is made once.
 */
import { randomUUID } from 'node:crypto';
import {
  DeleteBucketPolicyCommand,
  GetBucketPolicyCommand,
  GetBucketVersioningCommand,
  ListMultipartUploadsCommand,
  PutBucketPolicyCommand,
} from '@aws-sdk/client-s3';
import type { CustomerKey } from '../keys/customer-key.js';
import { StoreError } from '../errors.js';
import type { HeaderField, HttpReply } from '../http/connection.js';
import type { WriteCondition } from '../object-store.js';
import { storeErrorFacts } from '../store-error-facts.js';
import { cleanUpTimeoutMs } from './clean-up.js';
import { BucketClient, type BucketClientOptions } from './bucket-client.js';
import { copySourceEncryptionHeaders, encryptionOf, newObjectEncryption } from './encryption-headers.js';
import { encryptionFault } from './encryption-proof.js';
import { serverCodeOf } from './error-codes.js';
import { etagOf, uploadIdOf } from './object-replies.js';
import { requestBody } from './request-body.js';
import { abortUpload, copyObject, createUpload, deleteObject, putObject } from './object-requests.js';
import { conditionHeaders } from './write-headers.js';

/** Objects that try out the server are stored under this prefix and deleted again. */
const probePrefix = '.osirisfs/';

/** What a PUT brings: nothing, the customer key, or with it the header that policies on Ceph 16 demand. */
export type ProbeEncryption = 'none' | 'customer key' | 'customer key and header';

/** What a bucket that kept versions once does today. */
type Versioning = 'Enabled' | 'Suspended';

/**
 * How the server judges the conditions of a PUT. `wrong`: it refuses some that hold; `ignored`: it accepts some that do not
 * hold.
 */
type ConditionsJudged = 'right' | 'wrong' | 'ignored';

interface LeftUpload {
  readonly key: string;
  readonly begun: Date | undefined;
}

/** Of one listing; there may be more. */
const maxLeftUploads = 1000;

export class BucketAdministration {
  readonly #bucket: BucketClient;

  constructor(options: Omit<BucketClientOptions, 'maxConcurrentRequests'>) {
    this.#bucket = new BucketClient({ ...options, maxConcurrentRequests: 4 });
  }

  get bucket(): string {
    return this.#bucket.bucket;
  }

  /** As the server has it; undefined if there is none. */
  async getPolicy(signal: AbortSignal): Promise<string | undefined> {
    try {
      const { Policy } = await this.#bucket.request(
        this.#call('getBucketPolicy'),
        signal,
        (client, input, options) => client.send(new GetBucketPolicyCommand({ ...input }), options),
      );
      return Policy;
    } catch (error) {
      if (error instanceof StoreError && serverCodeOf(error) === 'NoSuchBucketPolicy') return undefined;
      throw error;
    }
  }

  /** Undefined: none any more. */
  async setPolicy(policy: string | undefined, signal: AbortSignal): Promise<void> {
    await this.#bucket.request(this.#call('setBucketPolicy'), signal, async (client, input, options) => {
      if (policy === undefined) await client.send(new DeleteBucketPolicyCommand({ ...input }), options);
      else await client.send(new PutBucketPolicyCommand({ ...input, Policy: policy }), options);
    });
  }

  /** Undefined if the bucket never kept versions of its objects. */
  async getVersioning(signal: AbortSignal): Promise<Versioning | undefined> {
    const { Status } = await this.#bucket.request(
      this.#call('getBucketVersioning'),
      signal,
      (client, input, options) => client.send(new GetBucketVersioningCommand({ ...input }), options),
    );
    return Status;
  }

  async listUploads(signal: AbortSignal): Promise<readonly LeftUpload[]> {
    const { Uploads = [] } = await this.#bucket.request(
      this.#call('listMultipartUploads'),
      signal,
      (client, input, options) =>
        client.send(new ListMultipartUploadsCommand({ ...input, MaxUploads: maxLeftUploads }), options),
    );
    return Uploads.map(({ Key = '', Initiated }) => ({ key: Key, begun: Initiated }));
  }

  /**
   * Stores a small object of a new name, hands its key to `use`, and deletes it whatever happens. Rejects with `NotEncrypting` if it
   * was to be encrypted and is not.
   */
  async withProbe<T>(
    customerKey: CustomerKey,
    encryption: ProbeEncryption,
    signal: AbortSignal,
    use: (key: string, etag: string) => Promise<T>,
  ): Promise<T> {
    const key = `${probePrefix}probe-${randomUUID()}`;
    const reply = await this.#put(key, customerKey, encryption, {}, signal);
    try {
      if (encryption !== 'none') requireEncrypted(reply, customerKey);
      return await use(key, etagOf({ operation: 'put', key }, reply));
    } finally {
      await this.#delete(key);
    }
  }

  /** How the server judges the conditions of a PUT, tried out on a small object. */
  async judgeConditions(
    customerKey: CustomerKey,
    encryption: ProbeEncryption,
    signal: AbortSignal,
  ): Promise<ConditionsJudged> {
    return await this.withProbe(customerKey, encryption, signal, async (key, etag) => {
      const passes = async (condition: WriteCondition, quotes = true) => {
        try {
          await this.#put(key, customerKey, encryption, { condition, quotes }, signal);
          return true;
        } catch (error) {
          if (error instanceof StoreError && error.code === 'PreconditionFailed') return false;
          throw error;
        }
      };
      if (await passes({ ifMatch: '0'.repeat(32) })) return 'ignored';
      if (!(await passes({ ifMatch: etag })) && !(await passes({ ifMatch: etag }, false))) return 'wrong';
      return (await passes({ ifNoneMatch: '*' })) ? 'ignored' : 'right';
    });
  }

  /** Copies an encrypted object onto another name, and deletes both. */
  async copyEncrypted(
    customerKey: CustomerKey,
    encryption: ProbeEncryption,
    signal: AbortSignal,
  ): Promise<void> {
    await this.withProbe(customerKey, encryption, signal, async (source) => {
      const key = `${source}-copy`;
      try {
        const headers = [
          ...probeHeaders(customerKey, encryption),
          ...copySourceEncryptionHeaders(customerKey),
        ];
        await this.#bucket.send({ operation: 'copy', key }, signal, () =>
          copyObject(key, { bucket: this.bucket, key: source }, headers),
        );
      } finally {
        await this.#delete(key);
      }
    });
  }

  /** Begins a multipart upload and aborts it. Rejects with `NotEncrypting` if its object would not be encrypted. */
  async beginUpload(
    customerKey: CustomerKey,
    encryption: ProbeEncryption,
    signal: AbortSignal,
  ): Promise<void> {
    const key = `${probePrefix}probe-${randomUUID()}`;
    const call = { operation: 'createUpload', key };
    const reply = await this.#bucket.send(call, signal, () =>
      createUpload(key, probeHeaders(customerKey, encryption)),
    );
    const uploadId = uploadIdOf(call, reply);
    await this.#bucket.send({ operation: 'abortUpload', key }, signal, () => abortUpload({ key, uploadId }));
    if (encryption !== 'none') requireEncrypted(reply, customerKey);
  }

  async #put(
    key: string,
    customerKey: CustomerKey,
    encryption: ProbeEncryption,
    { condition = {}, quotes = true }: { readonly condition?: WriteCondition; readonly quotes?: boolean },
    signal: AbortSignal,
  ): Promise<HttpReply> {
    const headers = [...probeHeaders(customerKey, encryption), ...conditionHeaders(condition, quotes)];
    return await this.#bucket.send({ operation: 'put', key }, signal, () =>
      putObject(key, headers, requestBody([Buffer.from('probe')])),
    );
  }

  /** Has a signal of its own, so that nothing stays behind after an interrupt. */
  async #delete(key: string): Promise<void> {
    const signal = AbortSignal.timeout(cleanUpTimeoutMs);
    await this.#bucket.send({ operation: 'delete', key }, signal, () => deleteObject(key));
  }

  #call(operation: string) {
    return { operation, key: this.bucket };
  }
}

function requireEncrypted({ headers }: HttpReply, customerKey: CustomerKey): void {
  const fault = encryptionFault(encryptionOf(headers), customerKey.fingerprint);
  if (fault !== undefined)
    throw new StoreError('NotEncrypting', `${fault}: ${storeErrorFacts.NotEncrypting.meaning}`);
}

/** Secret: for requests only. */
function probeHeaders(customerKey: CustomerKey, encryption: ProbeEncryption): readonly HeaderField[] {
  return encryption === 'none'
    ? []
    : newObjectEncryption(customerKey, encryption === 'customer key and header');
}
