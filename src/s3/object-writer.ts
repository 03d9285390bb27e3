/** PUT: whole objects in one request, always encrypted under the customer key. */
import type { Limiter } from '../concurrency/limiter.js';
import type { Log } from '../log.js';
import type { PutRequest, WriteCondition, WriteReply } from '../object-store.js';
import type { BucketClient } from './bucket-client.js';
import { encryptionOf } from './encryption-headers.js';
import type { EncryptionProof } from './encryption-proof.js';
import { explainDenial } from './explain-denial.js';
import { unquoteEtag } from './etag.js';
import type { ObjectDeleter } from './object-deleter.js';
import type { ObjectGetter } from './object-getter.js';
import { isStreamed, lengthOfBody, sendStreamed } from './put-body.js';
import { etagOf, versionIdOf } from './object-replies.js';
import { requestBody, type MeasuredBody } from './request-body.js';
import { putObject } from './object-requests.js';
import { checkKey } from './store-limits.js';
import type { WriteConditions } from './write-conditions.js';
import type { WriteEncryption } from './write-encryption.js';
import { storedHeaders, type TaggedHeaders } from './write-headers.js';

interface ObjectWriterOptions {
  readonly bucket: BucketClient;
  readonly reader: ObjectGetter;
  readonly deleter: ObjectDeleter;
  readonly conditions: WriteConditions;
  readonly encryption: WriteEncryption;
  readonly proof: EncryptionProof;
  /** For bodies that need other requests. Undefined if only one request can run at a time. */
  readonly streamSlots: Limiter | undefined;
  readonly log: Log;
}

/** Runs also after an interrupt. */
const takeBackTimeoutMs = 30_000;

export class ObjectWriter {
  readonly #options: ObjectWriterOptions;

  constructor(options: ObjectWriterOptions) {
    this.#options = options;
  }

  async put(
    { key, body, headers, condition }: PutRequest & { readonly headers: TaggedHeaders },
    signal: AbortSignal,
  ): Promise<WriteReply> {
    const call = { operation: 'put', key, bodyBytes: lengthOfBody(body) };
    checkKey(call);
    const stored = storedHeaders(headers);
    const send = (makeBody: () => MeasuredBody, sendSignal: AbortSignal) =>
      this.#options.encryption.send(call, sendSignal, (encryption) =>
        this.#options.conditions.send(call, condition, sendSignal, (conditions) =>
          this.#options.bucket.send(call, sendSignal, () =>
            putObject(key, [...encryption, ...stored, ...conditions], makeBody()),
          ),
        ),
      );
    const reply = await explainDenial(this.#options.bucket, call, signal, () =>
      isStreamed(body)
        ? sendStreamed(body, this.#options.streamSlots, send, call, signal)
        : send(() => requestBody(body), signal),
    );
    this.#options.conditions.noteVersion(versionIdOf(reply));
    try {
      this.#options.proof.checkBegun(call, encryptionOf(reply.headers), this.#options.encryption.fingerprint);
    } catch (error) {
      await this.#takeBack(key, reply.headers.get('etag'), condition);
      throw error;
    }
    return { etag: etagOf(call, reply) };
  }

  /**
   * The object is stored in the clear. It is deleted only if it is certainly new: if it replaced an older version, the server
   * may have the only copy. An object of somebody else stays.
   */
  async #takeBack(key: string, etag: string | undefined, condition: WriteCondition): Promise<void> {
    if (condition.ifNoneMatch === undefined) {
      this.#options.log.error(
        { key },
        'it is stored in the clear now; it may have replaced an object, so it is not deleted',
      );
      return;
    }
    const signal = AbortSignal.timeout(takeBackTimeoutMs);
    try {
      const found = await this.#options.reader.head(key, signal);
      if (etag === undefined || found.etag !== unquoteEtag(etag)) return;
      await this.#options.deleter.delete(key, signal);
      this.#options.log.warn({ key }, 'it was stored in the clear, and is deleted again');
    } catch (error) {
      this.#options.log.error({ key, err: error }, 'it is stored in the clear, and could not be deleted');
    }
  }
}
