/** PUT: whole objects in one request, always encrypted under the customer key. */
import { PutObjectCommand } from '@aws-sdk/client-s3';
import type { ObjectHeaders, WriteCondition, WriteReply } from '../object-store.js';
import type { BucketClient } from './bucket-client.js';
import { explainDenial } from './explain-denial.js';
import { unquoteEtag } from './etag.js';
import { requestBody } from './request-body.js';
import { checkKey } from './store-limits.js';
import type { WriteConditions } from './write-conditions.js';
import { headerFields } from './write-fields.js';
import { checkEncrypted, present } from './write-replies.js';
import type { NewObjectFields } from './encryption-fields.js';

export interface ObjectWriterOptions {
  readonly bucket: BucketClient;
  readonly conditions: WriteConditions;
  readonly encryption: NewObjectFields;
}

export class ObjectWriter {
  readonly #bucket: BucketClient;
  readonly #conditions: WriteConditions;
  readonly #encryption: NewObjectFields;

  constructor({ bucket, conditions, encryption }: ObjectWriterOptions) {
    this.#bucket = bucket;
    this.#conditions = conditions;
    this.#encryption = encryption;
  }

  async put(
    key: string,
    body: readonly Uint8Array[],
    headers: ObjectHeaders,
    condition: WriteCondition,
    signal: AbortSignal,
  ): Promise<WriteReply> {
    const call = { operation: 'put', key };
    checkKey(call);
    const output = await explainDenial(this.#bucket, call, signal, () =>
      this.#conditions.send(call, condition, signal, (fields) =>
        this.#bucket.request(call, signal, (client, base) =>
          client.send(
            new PutObjectCommand({
              ...base,
              Key: key,
              ...this.#encryption,
              ...headerFields(headers),
              ...fields,
              ...requestBody(body),
            }),
          ),
        ),
      ),
    );
    checkEncrypted(call, output.SSECustomerAlgorithm);
    return { etag: unquoteEtag(present(call, 'ETag', output.ETag)) };
  }
}
