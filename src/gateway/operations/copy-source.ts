/** The object that CopyObject and UploadPartCopy take their bytes from. */
import type { CustomerKey } from '../../keys/customer-key.js';
import { headerOf } from '../request.js';
import { S3Error } from '../s3-error.js';
import type { Bucket, HeldObject } from '../storage/bucket.js';
import { authorize, noSuchKey, requireBucket, type GatewayContext } from './gateway-operation.js';

export function isCopy({ request }: GatewayContext): boolean {
  return headerOf(request, 'x-amz-copy-source') !== undefined;
}

interface NamedSource {
  readonly bucket: Bucket;
  readonly key: string;
}

/** Throws an `S3Error` if the header makes no sense, the bucket does not exist or the policy forbids reading it. */
export function parseCopySource(context: GatewayContext, kind: 'object' | 'part'): NamedSource {
  const header = headerOf(context.request, 'x-amz-copy-source') ?? '';
  const [address = '', query] = header.split('?');
  if (query !== undefined) throw new S3Error('NotImplemented', 'This gateway has no versions of objects.');
  let decoded: string;
  try {
    decoded = decodeURIComponent(address);
  } catch (cause) {
    throw new S3Error('InvalidArgument', 'x-amz-copy-source is not percent-encoded UTF-8.', { cause });
  }
  const [, name, named] = /^\/?([^/]+)\/(.+)$/s.exec(decoded) ?? [];
  if (name === undefined || named === undefined) {
    throw new S3Error('InvalidArgument', 'x-amz-copy-source must be of the form BUCKET/KEY.');
  }
  const key = kind === 'part' && context.flavor.decodesPartSourcesTwice ? decodeAgain(named) : named;
  const bucket = requireBucket(context, name);
  authorize(context, bucket, 's3:GetObject', {}, key);
  return { bucket, key };
}

const versionMark = '?versionId=';

/** As RGW 16 does it. */
function decodeAgain(key: string): string {
  const markAt = key.indexOf(versionMark);
  const version = markAt === -1 ? undefined : key.slice(markAt + versionMark.length);
  // Without versions, every object is the one called null.
  if (version !== undefined && version !== 'null') throw noSuchKey();
  const bytes = Buffer.from(markAt === -1 ? key : key.slice(0, markAt)).toString('latin1');
  const decoded = bytes.replace(
    /%([0-9a-f]{2})|(%.?$)|%/gis,
    (_, digits: string | undefined, cutOff: string | undefined) => {
      if (digits !== undefined) return String.fromCharCode(parseInt(digits, 16));
      if (cutOff !== undefined) return '';
      throw abortion();
    },
  );
  if (decoded === '') throw abortion();
  try {
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    return decoder.decode(Buffer.from(decoded, 'latin1'));
  } catch {
    throw noSuchKey(); // keys are UTF-8 here
  }
}

/** RGW itself aborts, for all clients. */
function abortion(): S3Error {
  return new S3Error('InternalError', 'RGW aborts when it decodes the name of this source a second time.');
}

/** Holds the source while `action` uses it. Throws `NoSuchKey`. */
export async function withCopySource<T>(
  { bucket, key }: NamedSource,
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

/** Throws a `DamagedFileError` if the record was changed. */
export function checkSource(source: HeldObject, customerKey: CustomerKey | undefined): void {
  if (customerKey !== undefined) source.check(customerKey);
}
