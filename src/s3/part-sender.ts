/** Sends the parts of multipart uploads, each under the customer key of its upload. */
import { UploadPartCommand } from '@aws-sdk/client-s3';
import type { CustomerKey } from '../customer-key.js';
import type { UploadedPart } from '../object-store.js';
import type { BucketClient } from './bucket-client.js';
import { encryptionFields } from './encryption-fields.js';
import type { EncryptionProof } from './encryption-proof.js';
import { unquoteEtag } from './etag.js';
import { present } from './write-replies.js';

/** Which part, and the `operation` that an error names. */
export interface PartCall {
  readonly operation: string;
  readonly key: string;
  readonly uploadId: string;
  readonly partNumber: number;
}

export type PartBody = Pick<UploadPartCommand['input'], 'Body' | 'ContentMD5'> & {
  readonly ContentLength: number;
};

export interface PartSenderOptions {
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

  async send(partCall: PartCall, body: PartBody, signal: AbortSignal): Promise<UploadedPart> {
    const { operation, key, uploadId, partNumber } = partCall;
    const call = { operation, key };
    this.#proof.requireNotRefuted(call);
    const counted = { ...call, kind: 'uploadPart', bodyBytes: body.ContentLength } as const;
    const output = await this.#bucket.request(counted, signal, (client, base) =>
      client.send(
        new UploadPartCommand({
          ...base,
          Key: key,
          ...encryptionFields(this.#customerKey),
          UploadId: uploadId,
          PartNumber: partNumber,
          ...body,
        }),
      ),
    );
    this.#proof.checkAdded(call, output, this.#customerKey.fingerprint);
    return { partNumber, etag: unquoteEtag(present(call, 'ETag', output.ETag)) };
  }
}
