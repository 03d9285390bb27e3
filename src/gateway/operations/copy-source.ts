/** The object that CopyObject and UploadPartCopy take their bytes from. */
import type { CustomerKey } from '../../customer-key.js';
import { headerOf } from '../request.js';
import { S3Error } from '../s3-error.js';
import type { Bucket, HeldObject } from '../storage/bucket.js';
import { authorize, noSuchKey, requireBucket, type OperationContext } from './context.js';

export function isCopy({ request }: OperationContext): boolean {
  return headerOf(request, 'x-amz-copy-source') !== undefined;
}

export interface CopySource {
  readonly bucket: Bucket;
  readonly key: string;
}

/** Throws an `S3Error` if the header makes no sense, the bucket does not exist or the policy forbids reading it. */
export function copySourceOf(context: OperationContext): CopySource {
  const header = headerOf(context.request, 'x-amz-copy-source') ?? '';
  const [address = '', query] = header.split('?');
  if (query !== undefined) throw new S3Error('NotImplemented', 'This gateway has no versions of objects.');
  let decoded: string;
  try {
    decoded = decodeURIComponent(address);
  } catch (cause) {
    throw new S3Error('InvalidArgument', 'x-amz-copy-source is not percent-encoded UTF-8.', { cause });
  }
  const [, name, key] = /^\/?([^/]+)\/(.+)$/s.exec(decoded) ?? [];
  if (name === undefined || key === undefined) {
    throw new S3Error('InvalidArgument', 'x-amz-copy-source must be of the form BUCKET/KEY.');
  }
  const bucket = requireBucket(context, name);
  authorize(context, bucket, 's3:GetObject', {}, key);
  return { bucket, key };
}

/** Holds the source while `action` uses it. Throws `NoSuchKey`. */
export async function withCopySource<T>(
  { bucket, key }: CopySource,
  action: (source: HeldObject) => Promise<T>,
): Promise<T> {
  const held = await bucket.hold(key);
  if (held === undefined) throw noSuchKey();
  try {
    return await action(held);
  } finally {
    await held.release();
  }
}

/** Throws a `DamagedFileError` if the record is not what was stored. */
export function checkSource(source: HeldObject, customerKey: CustomerKey | undefined): void {
  if (customerKey !== undefined) source.check(customerKey);
}
