/**
 * What is asked of a bucket beside its objects' bytes: its policy, its being there, uploads that were left; and single requests
 * that show what the server lets pass. Errors are StoreErrors; each request is made once.
 */
import { randomUUID } from 'node:crypto';
import {
  AbortMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteBucketPolicyCommand,
  DeleteObjectCommand,
  GetBucketPolicyCommand,
  GetBucketVersioningCommand,
  ListMultipartUploadsCommand,
  PutBucketPolicyCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import type { CustomerKey } from '../customer-key.js';
import { StoreError } from '../errors.js';
import { BucketClient, type BucketClientOptions } from './bucket-client.js';
import { copySourceHeader } from './copy-source-header.js';
import { copySourceEncryptionFields, newObjectFields, type NewObjectFields } from './encryption-fields.js';
import { encryptionFault, type EncryptionReply } from './encryption-proof.js';
import { explanations, serverCodeOf } from './error-codes.js';
import { quoteEtag, unquoteEtag } from './etag.js';

/** Objects that try out the server are below it, and are deleted again. */
export const probePrefix = '.osirisfs/';

/** What a PUT brings: nothing, the customer key, or with it the header that policies on Ceph 16 demand. */
export type ProbeEncryption = 'none' | 'customer key' | 'customer key and header';

/** What a bucket that kept versions once does today. */
export type Versioning = 'Enabled' | 'Suspended';

/**
 * What the server makes of the conditions of a PUT. `wrong`: it refuses some that hold; `ignored`: it lets some pass that do
 * not.
 */
export type ConditionsJudged = 'right' | 'wrong' | 'ignored';

export interface LeftUpload {
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
      const { Policy } = await this.#bucket.request(this.#call('getBucketPolicy'), signal, (client, base) =>
        client.send(new GetBucketPolicyCommand({ ...base })),
      );
      return Policy;
    } catch (error) {
      if (error instanceof StoreError && serverCodeOf(error) === 'NoSuchBucketPolicy') return undefined;
      throw error;
    }
  }

  /** Undefined: none any more. */
  async setPolicy(policy: string | undefined, signal: AbortSignal): Promise<void> {
    await this.#bucket.request(this.#call('setBucketPolicy'), signal, async (client, base) => {
      if (policy === undefined) await client.send(new DeleteBucketPolicyCommand({ ...base }));
      else await client.send(new PutBucketPolicyCommand({ ...base, Policy: policy }));
    });
  }

  /** Undefined if the bucket never kept versions of its objects. */
  async getVersioning(signal: AbortSignal): Promise<Versioning | undefined> {
    const { Status } = await this.#bucket.request(this.#call('getBucketVersioning'), signal, (client, base) =>
      client.send(new GetBucketVersioningCommand({ ...base })),
    );
    return Status;
  }

  async listUploads(signal: AbortSignal): Promise<readonly LeftUpload[]> {
    const { Uploads = [] } = await this.#bucket.request(
      this.#call('listMultipartUploads'),
      signal,
      (client, base) => client.send(new ListMultipartUploadsCommand({ ...base, MaxUploads: maxLeftUploads })),
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
    const output = await this.#bucket.request({ operation: 'put', key }, signal, (client, base) =>
      client.send(
        new PutObjectCommand({ ...base, Key: key, Body: 'probe', ...fieldsOf(customerKey, encryption) }),
      ),
    );
    try {
      if (encryption !== 'none') requireEncrypted(output, customerKey);
      return await use(key, unquoteEtag(output.ETag ?? ''));
    } finally {
      await this.#delete(key);
    }
  }

  /** Whether an object can be replaced only if it is the one that is expected, and then can. */
  async judgeConditions(
    customerKey: CustomerKey,
    encryption: ProbeEncryption,
    signal: AbortSignal,
  ): Promise<ConditionsJudged> {
    return await this.withProbe(customerKey, encryption, signal, async (key, etag) => {
      const passes = async (condition: { readonly IfMatch: string } | { readonly IfNoneMatch: '*' }) => {
        try {
          await this.#bucket.request({ operation: 'put', key }, signal, (client, base) =>
            client.send(
              new PutObjectCommand({
                ...base,
                Key: key,
                Body: 'probe',
                ...condition,
                ...fieldsOf(customerKey, encryption),
              }),
            ),
          );
          return true;
        } catch (error) {
          if (error instanceof StoreError && error.code === 'PreconditionFailed') return false;
          throw error;
        }
      };
      if (await passes({ IfMatch: quoteEtag('0'.repeat(32)) })) return 'ignored';
      if (!(await passes({ IfMatch: quoteEtag(etag) })) && !(await passes({ IfMatch: etag }))) return 'wrong';
      return (await passes({ IfNoneMatch: '*' })) ? 'ignored' : 'right';
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
        await this.#bucket.request({ operation: 'copy', key }, signal, (client, base) =>
          client.send(
            new CopyObjectCommand({
              ...base,
              Key: key,
              CopySource: copySourceHeader(this.bucket, source),
              ...fieldsOf(customerKey, encryption),
              ...copySourceEncryptionFields(customerKey),
            }),
          ),
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
    await this.#bucket.request({ operation: 'createUpload', key }, signal, async (client, base) => {
      const output = await client.send(
        new CreateMultipartUploadCommand({ ...base, Key: key, ...fieldsOf(customerKey, encryption) }),
      );
      await client.send(new AbortMultipartUploadCommand({ ...base, Key: key, UploadId: output.UploadId }));
      if (encryption !== 'none') requireEncrypted(output, customerKey);
    });
  }

  /** Also after an interrupt: nothing is to be left. */
  async #delete(key: string): Promise<void> {
    const signal = AbortSignal.timeout(cleanUpTimeoutMs);
    await this.#bucket.request({ operation: 'delete', key }, signal, (client, base) =>
      client.send(new DeleteObjectCommand({ ...base, Key: key })),
    );
  }

  #call(operation: string) {
    return { operation, key: this.bucket };
  }
}

const cleanUpTimeoutMs = 30_000;

function requireEncrypted(reply: EncryptionReply, customerKey: CustomerKey): void {
  const fault = encryptionFault(reply, customerKey.fingerprint);
  if (fault !== undefined) throw new StoreError('NotEncrypting', `${fault}: ${explanations.NotEncrypting}`);
}

/** Secret: for requests only. */
function fieldsOf(customerKey: CustomerKey, encryption: ProbeEncryption): Partial<NewObjectFields> {
  if (encryption === 'none') return {};
  return newObjectFields(customerKey, encryption === 'customer key and header');
}
