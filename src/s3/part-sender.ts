/** Sends the parts of multipart uploads, each under the customer key of its upload. */
import type { CustomerKey } from '../keys/customer-key.js';
import type { UploadedPart } from '../object-store.js';
import type { BucketClient } from './bucket-client.js';
import { encryptionOf } from './encryption-headers.js';
import type { EncryptionProof } from './encryption-proof.js';
import { etagOf } from './object-replies.js';
import type { MeasuredBody } from './request-body.js';
import { uploadPart } from './object-requests.js';

/** The part, and the `operation` for errors. */
interface PartCall {
  readonly operation: string;
  readonly key: string;
  readonly uploadId: string;
  readonly partNumber: number;
  /** Of its content. */
  readonly length: number;
}

interface PartSenderOptions {
  readonly bucket: BucketClient;
  readonly customerKey: CustomerKey;
  readonly proof: EncryptionProof;
}

export class PartSender {
  readonly #bucket: BucketClient;
  readonly #customerKey: CustomerKey;
  readonly #proof: EncryptionProof;

  constructor({ bucket, customerKey, proof }: PartSenderOptions) {
    this.#bucket = bucket;
    this.#customerKey = customerKey;
    this.#proof = proof;
  }

  /** `makeBody` may be called twice. */
  async send(
    { operation, key, uploadId, partNumber, length }: PartCall,
    makeBody: () => MeasuredBody,
    signal: AbortSignal,
  ): Promise<UploadedPart> {
    const call = { operation, key };
    this.#proof.requireNotRefuted(call);
    const counted = { ...call, kind: 'uploadPart', bodyBytes: length } as const;
    const reply = await this.#bucket.send(counted, signal, () =>
      uploadPart({ key, uploadId }, partNumber, this.#customerKey, makeBody()),
    );
    this.#proof.checkAdded(call, encryptionOf(reply.headers), this.#customerKey.fingerprint);
    return { partNumber, etag: etagOf(call, reply) };
  }
}
