/**
 * Signature Version 2, which boto 2 still uses (HMAC-SHA1 over the request's essentials, not over its body):
 * https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html
 */
import { createHmac } from 'node:crypto';
import { headerOf, queryValue, type S3Request, withoutOuterSpace } from '../request.js';
import { S3Error } from '../s3-error.js';
import { type AccessKey, requireClockInTime, requireKnown, requireSameSignature } from './access-keys.js';

/** The parts of the query that are signed. */
const signedQuery = new Set([
  ...[
    'acl',
    'cors',
    'delete',
    'encryption',
    'lifecycle',
    'location',
    'logging',
    'notification',
    'partNumber',
    'policy',
  ],
  ...[
    'requestPayment',
    'tagging',
    'torrent',
    'uploadId',
    'uploads',
    'versionId',
    'versioning',
    'versions',
    'website',
  ],
  ...['response-cache-control', 'response-content-disposition', 'response-content-encoding'],
  ...['response-content-language', 'response-content-type', 'response-expires'],
]);

export function isSignedV2(request: S3Request): boolean {
  return (
    headerOf(request, 'authorization')?.startsWith('AWS ') === true ||
    queryValue(request, 'AWSAccessKeyId') !== undefined
  );
}

/** Throws an `S3Error` unless the request is signed with the access key, in time. */
export function checkSignatureV2(request: S3Request, accessKey: AccessKey, nowMs: number): void {
  const [, headerId, headerSignature] =
    /^AWS ([^:]*):(.*)$/.exec(headerOf(request, 'authorization') ?? '') ?? [];
  requireKnown(accessKey, headerId ?? queryValue(request, 'AWSAccessKeyId'));
  const amzDate = headerOf(request, 'x-amz-date');
  let date = amzDate === undefined ? (headerOf(request, 'date') ?? '') : '';
  if (headerId === undefined) {
    date = queryValue(request, 'Expires') ?? '';
    if (!(Number(date) * 1000 >= nowMs)) throw new S3Error('AccessDenied', 'Request has expired');
  } else {
    requireClockInTime(Date.parse(amzDate ?? date), nowMs);
  }
  const text = [
    request.method,
    headerOf(request, 'content-md5') ?? '',
    headerOf(request, 'content-type') ?? '',
    date,
    `${amzHeaders(request)}${resourceOf(request)}`,
  ].join('\n');
  const expected = createHmac('sha1', accessKey.secretAccessKey).update(text, 'latin1').digest('base64');
  requireSameSignature(expected, headerSignature ?? queryValue(request, 'Signature'));
}

function amzHeaders(request: S3Request): string {
  return Object.entries(request.message.headers)
    .filter(([name]) => name.startsWith('x-amz-'))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}:${withoutOuterSpace(String(value))}\n`)
    .join('');
}

function resourceOf(request: S3Request): string {
  const query = request.query
    .filter(([name]) => signedQuery.has(name))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => (value === '' ? name : `${name}=${value}`))
    .join('&');
  return request.rawPath + (query === '' ? '' : `?${query}`);
}
