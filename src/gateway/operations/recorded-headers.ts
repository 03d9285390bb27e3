/** The headers that are stored with an object and come back with it. */
import type { Flavor } from '../flavor.js';
import { quoted } from '../gateway-reply.js';
import { headerOf, queryValue, type S3Request, withoutOuterSpace } from '../request.js';
import { S3Error } from '../s3-error.js';
import { tagsOfText } from './object-tagging.js';
import type { ObjectRecord } from '../storage/object-record.js';

const recordedHeaderNames = [
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-type',
  'expires',
  'x-amz-storage-class',
  'x-amz-website-redirect-location',
] as const;

const userMetadataPrefix = 'x-amz-meta-';

/**
 * The headers of a request that are stored with a new object. Throws an `S3Error` if they are too large, or ask for something
 * that the gateway does not have.
 */
export function headersToRecord(
  request: S3Request,
  flavor: Flavor,
): Pick<ObjectRecord, 'headers' | 'metadata'> {
  if (headerOf(request, 'x-amz-object-lock-mode') !== undefined) {
    throw new S3Error('NotImplemented', 'This gateway does not lock objects.');
  }
  const headers: Record<string, string> = {};
  for (const name of recordedHeaderNames) {
    const value = headerOf(request, name);
    if (value !== undefined) headers[name] = value;
  }
  const { 'x-amz-storage-class': storageClass } = headers;
  if (storageClass !== undefined && !flavor.storageClasses.includes(storageClass)) {
    throw new S3Error(flavor.unknownStorageClass, 'There is no such storage class.');
  }
  // AWS does not show the usual one.
  if (storageClass === 'STANDARD' && !flavor.showsStandardClass) delete headers['x-amz-storage-class'];
  // That says how the body was sent, not what the object is.
  const encoding = headers['content-encoding']
    ?.split(',')
    .filter((word) => withoutOuterSpace(word) !== 'aws-chunked');
  if (encoding !== undefined) headers['content-encoding'] = withoutOuterSpace(encoding.join(','));
  if (headers['content-encoding'] === '') delete headers['content-encoding'];
  const metadata: Record<string, string> = {};
  let bytes = 0;
  for (const [name, value] of Object.entries(request.message.headers)) {
    if (!name.startsWith(userMetadataPrefix) || typeof value !== 'string') continue;
    const text = withoutOuterSpace(value);
    metadata[name.slice(userMetadataPrefix.length)] = text;
    bytes += name.length - userMetadataPrefix.length + text.length;
  }
  if (bytes > flavor.maxMetadataBytes) {
    throw new S3Error('MetadataTooLarge', `User metadata has at most ${flavor.maxMetadataBytes} bytes.`);
  }
  return { headers, metadata };
}

/** For the replies to GET and HEAD. */
export function objectReplyHeaders(
  request: S3Request,
  record: ObjectRecord,
  tags: string | undefined,
): Record<string, string> {
  const tagCount = tagsOfText(tags ?? '').length;
  const reply: Record<string, string> = {
    'content-type': 'binary/octet-stream',
    ...record.headers,
    ...(tagCount > 0 && { 'x-amz-tagging-count': String(tagCount) }),
    'accept-ranges': 'bytes',
    etag: quoted(record.etag),
    'last-modified': new Date(record.modifiedMs).toUTCString(),
  };
  for (const name of recordedHeaderNames) {
    const override = queryValue(request, `response-${name}`);
    if (override !== undefined) reply[name] = override;
  }
  for (const [name, value] of Object.entries(record.metadata)) reply[`${userMetadataPrefix}${name}`] = value;
  return reply;
}
