/** The headers that are stored with an object and come back with it. */
import type { Flavor } from '../flavor.js';
import { quoted } from '../reply.js';
import { headerOf, queryValue, type S3Request, withoutOuterSpace } from '../request.js';
import { S3Error } from '../s3-error.js';
import type { ObjectRecord } from '../storage/object-record.js';

const storedHeaders = [
  'cache-control',
  'content-disposition',
  'content-encoding',
  'content-language',
  'content-type',
  'expires',
] as const;

const metadataPrefix = 'x-amz-meta-';

/** What a request gives for a new object. Throws an `S3Error` if it is too much, or asks for what the gateway has not. */
export function newObjectHeaders(
  request: S3Request,
  flavor: Flavor,
): Pick<ObjectRecord, 'headers' | 'metadata'> {
  for (const name of ['x-amz-tagging', 'x-amz-object-lock-mode', 'x-amz-website-redirect-location']) {
    if (headerOf(request, name) !== undefined) {
      throw new S3Error('NotImplemented', `This gateway does not have what ${name} asks for.`);
    }
  }
  const headers: Record<string, string> = {};
  for (const name of storedHeaders) {
    const value = headerOf(request, name);
    if (value !== undefined) headers[name] = value;
  }
  // That is how the body came, not what the object is.
  const encoding = headers['content-encoding']
    ?.split(',')
    .filter((word) => withoutOuterSpace(word) !== 'aws-chunked');
  if (encoding !== undefined) headers['content-encoding'] = withoutOuterSpace(encoding.join(','));
  if (headers['content-encoding'] === '') delete headers['content-encoding'];
  const metadata: Record<string, string> = {};
  let bytes = 0;
  for (const [name, value] of Object.entries(request.message.headers)) {
    if (!name.startsWith(metadataPrefix) || typeof value !== 'string') continue;
    const text = withoutOuterSpace(value);
    metadata[name.slice(metadataPrefix.length)] = text;
    bytes += name.length - metadataPrefix.length + text.length;
  }
  if (bytes > flavor.maxMetadataBytes) {
    throw new S3Error('MetadataTooLarge', `User metadata has at most ${flavor.maxMetadataBytes} bytes.`);
  }
  return { headers, metadata };
}

/** For the replies to GET and HEAD. */
export function objectReplyHeaders(request: S3Request, record: ObjectRecord): Record<string, string> {
  const reply: Record<string, string> = {
    'content-type': 'binary/octet-stream',
    ...record.headers,
    'accept-ranges': 'bytes',
    etag: quoted(record.etag),
    'last-modified': new Date(record.modifiedMs).toUTCString(),
  };
  for (const name of storedHeaders) {
    const override = queryValue(request, `response-${name}`);
    if (override !== undefined) reply[name] = override;
  }
  for (const [name, value] of Object.entries(record.metadata)) reply[`${metadataPrefix}${name}`] = value;
  return reply;
}
