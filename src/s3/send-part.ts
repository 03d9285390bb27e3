/** Sends one part of a multipart upload, under the customer key of the upload. */
import { UploadPartCommand } from '@aws-sdk/client-s3';
import type { CustomerKey } from '../customer-key.js';
import type { UploadedPart } from '../object-store.js';
import type { BucketClient } from './bucket-client.js';
import { encryptionFields } from './encryption-fields.js';
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

export async function sendPart(
  bucket: BucketClient,
  customerKey: CustomerKey,
  { operation, key, uploadId, partNumber }: PartCall,
  body: PartBody,
  signal: AbortSignal,
): Promise<UploadedPart> {
  const call = { operation, key };
  const counted = { ...call, kind: 'uploadPart', bodyBytes: body.ContentLength } as const;
  const output = await bucket.request(counted, signal, (client, base) =>
    client.send(
      new UploadPartCommand({
        ...base,
        Key: key,
        ...encryptionFields(customerKey),
        UploadId: uploadId,
        PartNumber: partNumber,
        ...body,
      }),
    ),
  );
  return { partNumber, etag: unquoteEtag(present(call, 'ETag', output.ETag)) };
}
