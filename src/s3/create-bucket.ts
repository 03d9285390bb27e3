/** Makes a bucket, for the commands that are told to. What to do when the server refuses is left to them. */
import { type BucketLocationConstraint, CreateBucketCommand, type S3Client } from '@aws-sdk/client-s3';
import { abortSignalField, makeAbortable } from './abortable-client.js';
import { toStoreError } from './error-codes.js';

/** What CreateBucket calls `LocationConstraint`; '' leaves the choice to the server. */
export type Location = string;

/**
 * Resolves if the bucket is there and one's own, made now or before. Rejects with a StoreError; the server's code (see
 * `serverCodeOf`) tells a name that somebody else has, or a location that the server does not know.
 */
export async function createBucket(
  client: S3Client,
  bucket: string,
  location: Location,
  signal: AbortSignal,
): Promise<void> {
  makeAbortable(client);
  // The SDK's type lists the regions of AWS; elsewhere the server decides what a location is.
  const place = { LocationConstraint: location as BucketLocationConstraint };
  const input = {
    Bucket: bucket,
    ...(location !== '' && { CreateBucketConfiguration: place }),
    [abortSignalField]: signal,
  };
  try {
    await client.send(new CreateBucketCommand(input));
  } catch (error) {
    if (error instanceof Error && error.name === 'BucketAlreadyOwnedByYou') return;
    throw toStoreError(error, { operation: 'CREATE BUCKET', key: bucket }, signal);
  }
}
