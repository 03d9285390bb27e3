/** Deleting: one key, or many in batches. */
import { DeleteObjectsCommand } from '@aws-sdk/client-s3';
import { forEachLimited } from '../concurrency/for-each-limited.js';
import { StoreError } from '../errors.js';
import type { DeleteFailure } from '../object-store.js';
import { storeErrorFacts } from '../store-error-facts.js';
import type { BucketClient } from './bucket-client.js';
import { codeOfServerCode } from './error-codes.js';
import { deleteObject } from './object-requests.js';

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html */
const maxBatchKeys = 1000;
/** Requests of one `deleteMany` under way at once. */
const parallelRequests = 4;

/** Characters that XML 1.0 cannot hold, or, as line ends, not without changing them. */
const notForXml = /[\u0000-\u001f\u007f-\u009f\u2028\ufffe\uffff]/;

export class ObjectDeleter {
  readonly #bucket: BucketClient;

  constructor(bucket: BucketClient) {
    this.#bucket = bucket;
  }

  async delete(key: string, signal: AbortSignal): Promise<void> {
    try {
      await this.#bucket.send({ operation: 'delete', key }, signal, () => deleteObject(key));
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'NotFound') throw error;
    }
  }

  async deleteMany(keys: readonly string[], signal: AbortSignal): Promise<readonly DeleteFailure[]> {
    const failures: DeleteFailure[] = [];
    const batchable = keys.filter((key) => !notForXml.test(key));
    const tasks = keys
      .filter((key) => notForXml.test(key))
      .map((key) => async () => failures.push(...(await this.#deleteOne(key, signal))));
    for (let start = 0; start < batchable.length; start += maxBatchKeys) {
      const batch = batchable.slice(start, start + maxBatchKeys);
      tasks.push(async () => failures.push(...(await this.#deleteBatch(batch, signal))));
    }
    await forEachLimited(tasks, { limit: parallelRequests }, (task) => task());
    return failures;
  }

  async #deleteOne(key: string, signal: AbortSignal): Promise<DeleteFailure[]> {
    try {
      await this.delete(key, signal);
      return [];
    } catch (error) {
      if (!(error instanceof StoreError) || error.code === 'Aborted') throw error;
      return [{ key, error }];
    }
  }

  async #deleteBatch(keys: readonly string[], signal: AbortSignal): Promise<DeleteFailure[]> {
    const call = { operation: 'deleteMany', key: keys[0] ?? '' };
    const output = await this.#bucket.request(call, signal, (client, input, options) =>
      client.send(
        new DeleteObjectsCommand({
          ...input,
          Delete: { Objects: keys.map((key) => ({ Key: key })), Quiet: true },
        }),
        options,
      ),
    );
    return (output.Errors ?? []).flatMap(({ Key, Code }) => {
      const code = codeOfServerCode(Code);
      if (code === 'NotFound') return [];
      const key = Key ?? call.key;
      const error = new StoreError(
        code,
        `delete ${key}: ${storeErrorFacts[code].meaning} (${Code ?? 'no code'})`,
      );
      return [{ key, error }];
    });
  }
}
