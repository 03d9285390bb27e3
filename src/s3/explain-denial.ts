/** Tells a write that is denied because the bucket blocks SSE-C from other denials. */
import { GetBucketEncryptionCommand } from '@aws-sdk/client-s3';
import { StoreError } from '../errors.js';
import { storeErrorFacts } from '../store-error-facts.js';
import type { BucketClient } from './bucket-client.js';
import type { FailedCall } from './error-codes.js';

/** Rejects as `send` does, but with `EncryptionBlocked` in place of `AccessDenied` if that is the reason. */
export async function explainDenial<T>(
  bucket: BucketClient,
  call: FailedCall,
  signal: AbortSignal,
  send: () => Promise<T>,
): Promise<T> {
  try {
    return await send();
  } catch (error) {
    if (error instanceof StoreError && error.code === 'AccessDenied' && (await isBlocked(bucket, signal))) {
      throw new StoreError(
        'EncryptionBlocked',
        `${call.operation} ${call.key}: ${storeErrorFacts.EncryptionBlocked.meaning}; allow it in the bucket's encryption setting`,
        { cause: error.cause },
      );
    }
    throw error;
  }
}

/** AWS blocks SSE-C on new buckets: https://docs.aws.amazon.com/AmazonS3/latest/API/API_BlockedEncryptionTypes.html */
async function isBlocked(bucket: BucketClient, signal: AbortSignal): Promise<boolean> {
  try {
    const call = { operation: 'getBucketEncryption', key: bucket.bucket };
    const output = await bucket.request(call, signal, (client, input, options) =>
      client.send(new GetBucketEncryptionCommand({ ...input }), options),
    );
    const rules = output.ServerSideEncryptionConfiguration?.Rules ?? [];
    return rules.some((rule) => rule.BlockedEncryptionTypes?.EncryptionType?.includes('SSE-C'));
  } catch {
    return false; // no such setting, or no right to read it: the denial is reported unchanged
  }
}
