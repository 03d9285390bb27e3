/** The tags of objects. They have requests of their own, and a header of PUT. */
import { GetObjectTaggingCommand, PutObjectTaggingCommand } from '@aws-sdk/client-s3';
import { StoreError } from '../errors.js';
import type { ObjectHeaders } from '../object-store.js';
import type { BucketClient } from './bucket-client.js';
import type { TaggedHeaders } from './write-headers.js';

export class ObjectTags {
  readonly #bucket: BucketClient;

  constructor(bucket: BucketClient) {
    this.#bucket = bucket;
  }

  /** Rejects if the tags cannot be read, since they would be lost. A deleted object has none. */
  async addTo(headers: ObjectHeaders, signal: AbortSignal): Promise<TaggedHeaders> {
    const { tagsOf: key } = headers;
    if (key === undefined) return headers;
    try {
      const { TagSet = [] } = await this.#bucket.request(
        { operation: 'getTags', key },
        signal,
        (client, input, options) => client.send(new GetObjectTaggingCommand({ ...input, Key: key }), options),
      );
      if (TagSet.length === 0) return headers;
      const pairs = TagSet.map(
        ({ Key = '', Value = '' }) => `${encodeURIComponent(Key)}=${encodeURIComponent(Value)}`,
      );
      return { ...headers, tagging: pairs.join('&') };
    } catch (error) {
      if (error instanceof StoreError && error.code === 'NotFound') return headers;
      throw error;
    }
  }

  /** `tagging` as `addTo` gives it. */
  async write(key: string, tagging: string, signal: AbortSignal): Promise<void> {
    const TagSet = [...new URLSearchParams(tagging)].map(([Key, Value]) => ({ Key, Value }));
    await this.#bucket.request({ operation: 'putTags', key }, signal, (client, input, options) =>
      client.send(new PutObjectTaggingCommand({ ...input, Key: key, Tagging: { TagSet } }), options),
    );
  }
}
