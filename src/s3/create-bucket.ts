/** Makes a bucket, for the commands that may. */
import { type BucketLocationConstraint, CreateBucketCommand, type S3Client } from '@aws-sdk/client-s3';
import { StoreError } from '../errors.js';
import { serverCodeOf, toStoreError } from './error-codes.js';

/** What CreateBucket calls `LocationConstraint`; '' leaves the choice to the server. */
type Location = string;

/**
 * Makes the bucket at the location, or where the server chooses if it does not know the location. `isPlaced` says which.
 * Rejects with a StoreError; its message is for the user if somebody else has the name.
 */
export async function makeBucket(
  client: S3Client,
  bucket: string,
  location: Location,
  signal: AbortSignal,
): Promise<{ readonly isPlaced: boolean }> {
  try {
    await createBucket(client, bucket, location, signal);
    return { isPlaced: true };
  } catch (error) {
    const code = error instanceof StoreError ? serverCodeOf(error) : undefined;
    if (location !== '' && code === 'InvalidLocationConstraint') {
      await createBucket(client, bucket, '', signal);
      return { isPlaced: false };
    }
    if (code === 'BucketAlreadyExists') {
      throw new StoreError('AccessDenied', `the bucket ${JSON.stringify(bucket)} belongs to somebody else`);
    }
    throw error;
  }
}

/** The sentence for the user about a bucket that was made. */
export function madeSentence(
  bucket: string,
  location: Location,
  { isPlaced }: { readonly isPlaced: boolean },
): string {
  const elsewhere = `; the server has no placement ${location}, and chose one itself`;
  return `the bucket ${bucket} was made${isPlaced ? '' : elsewhere}`;
}

/**
 * Resolves if the bucket exists and belongs to these credentials, whether it is new or not. Rejects with a StoreError; its
 * server code (see `serverCodeOf`) tells a name that somebody else has from a location that the server does not know.
 */
export async function createBucket(
  client: S3Client,
  bucket: string,
  location: Location,
  signal: AbortSignal,
): Promise<void> {
  // The SDK's type lists the regions of AWS; elsewhere the server decides what a location is.
  const place = { LocationConstraint: location as BucketLocationConstraint };
  const input = {
    Bucket: bucket,
    ...(location !== '' && { CreateBucketConfiguration: place }),
  };
  try {
    await client.send(new CreateBucketCommand(input), { abortSignal: signal });
  } catch (error) {
    if (error instanceof Error && error.name === 'BucketAlreadyOwnedByYou') return;
    throw toStoreError(error, { operation: 'CREATE BUCKET', key: bucket }, signal);
  }
}
