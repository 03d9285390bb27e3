/** PUT: whole objects in one request, always encrypted under the customer key. */
import { PutObjectCommand } from '@aws-sdk/client-s3';
import type { PutBody, WriteCondition, WriteReply } from '../object-store.js';
import type { BucketClient } from './bucket-client.js';
import { explainDenial } from './explain-denial.js';
import { unquoteEtag } from './etag.js';
import type { TaggedHeaders } from './object-tags.js';
import { isStreamed, lengthOfBody, sendStreamed, type StreamedRequestBody } from './put-body.js';
import { requestBody, type RequestBody } from './request-body.js';
import type { RequestSlots } from './request-slots.js';
import { checkKey } from './store-limits.js';
import type { WriteConditions } from './write-conditions.js';
import { headerFields } from './write-fields.js';
import { checkEncrypted, present } from './write-replies.js';
import type { NewObjectFields } from './encryption-fields.js';

export interface ObjectWriterOptions {
  readonly bucket: BucketClient;
  readonly conditions: WriteConditions;
  readonly encryption: NewObjectFields;
  /** For bodies that need other requests; undefined: there cannot be two at once. */
  readonly streamSlots: RequestSlots | undefined;
}

export class ObjectWriter {
  readonly #bucket: BucketClient;
  readonly #conditions: WriteConditions;
  readonly #encryption: NewObjectFields;
  readonly #streamSlots: RequestSlots | undefined;

  constructor({ bucket, conditions, encryption, streamSlots }: ObjectWriterOptions) {
    this.#bucket = bucket;
    this.#conditions = conditions;
    this.#encryption = encryption;
    this.#streamSlots = streamSlots;
  }

  async put(
    key: string,
    body: PutBody,
    headers: TaggedHeaders,
    condition: WriteCondition,
    signal: AbortSignal,
  ): Promise<WriteReply> {
    const call = { operation: 'put', key, bodyBytes: lengthOfBody(body) };
    checkKey(call);
    const send = (makeBody: () => RequestBody | StreamedRequestBody, sendSignal: AbortSignal) =>
      this.#conditions.send(call, condition, sendSignal, (fields) =>
        this.#bucket.request(call, sendSignal, (client, base) =>
          client.send(
            new PutObjectCommand({
              ...base,
              Key: key,
              ...this.#encryption,
              ...headerFields(headers),
              ...fields,
              ...makeBody(),
            }),
          ),
        ),
      );
    const output = await explainDenial(this.#bucket, call, signal, () =>
      isStreamed(body)
        ? sendStreamed(body, this.#streamSlots, send, call, signal)
        : send(() => requestBody(body), signal),
    );
    this.#conditions.noteVersion(output.VersionId);
    checkEncrypted(call, output.SSECustomerAlgorithm);
    return { etag: unquoteEtag(present(call, 'ETag', output.ETag)) };
  }
}
