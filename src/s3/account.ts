/**
 * Questions to a server that need no bucket: whether it speaks S3, whether it knows the credentials, which buckets there are.
 */
import { HeadBucketCommand, ListBucketsCommand, type S3Client } from '@aws-sdk/client-s3';
import { statusOf, toStoreError } from './error-codes.js';

interface ListedBucket {
  readonly name: string;
  /** Undefined if the server does not tell. */
  readonly createdAtMs: number | undefined;
}

/** The buckets that the owner of the credentials has. Rejects with a StoreError. */
export async function listBuckets(client: S3Client, signal: AbortSignal): Promise<readonly ListedBucket[]> {
  const buckets: ListedBucket[] = [];
  let continuation: string | undefined;
  try {
    do {
      const input = continuation === undefined ? {} : { ContinuationToken: continuation };
      const { Buckets, ContinuationToken } = await client.send(new ListBucketsCommand(input), {
        abortSignal: signal,
      });
      for (const { Name, CreationDate } of Buckets ?? []) {
        if (Name !== undefined) buckets.push({ name: Name, createdAtMs: CreationDate?.getTime() });
      }
      continuation = ContinuationToken;
    } while (continuation !== undefined && continuation !== '');
    return buckets;
  } catch (error) {
    throw toStoreError(error, { operation: 'LIST BUCKETS', key: '' }, signal);
  }
}

/** Whether a bucket of that name exists, whoever owns it. Rejects with a StoreError. */
export async function hasBucket(client: S3Client, bucket: string, signal: AbortSignal): Promise<boolean> {
  try {
    await client.send(new HeadBucketCommand({ Bucket: bucket }), { abortSignal: signal });
    return true;
  } catch (error) {
    const failure = toStoreError(error, { operation: 'HEAD BUCKET', key: bucket }, signal);
    if (statusOf(failure) === 404) return false;
    throw failure;
  }
}
