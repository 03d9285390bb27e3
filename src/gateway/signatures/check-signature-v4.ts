/**
 * Checks AWS Signature Version 4 of headers and of presigned addresses:
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html
 */
import { S3Error } from '../s3-error.js';
import { headerOf, queryValue, type S3Request } from '../request.js';
import {
  type AccessKey,
  maxClockSkewMs,
  requireClockInTime,
  requireKnown,
  requireSameSignature,
} from './access-keys.js';
import {
  canonicalRequest,
  encodeUri,
  formatDateTime,
  signatureAlgorithm,
  signatureOf,
  signingKeyOf,
  stringToSign,
  unsignedPayload,
} from '../../signature-v4.js';

/** The start of the chain of signatures of a body's chunks. */
export interface ChunkSigning {
  readonly signingKey: Buffer;
  readonly dateTime: string;
  readonly scope: string;
  /** The signature of the request itself. */
  readonly signature: string;
}

interface SignedV4 {
  /** The x-amz-content-sha256 that was signed: a hash in hexadecimal, or one of the words that S3 has instead. */
  readonly contentHash: string;
  readonly chunks: ChunkSigning;
}

/** https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html */
const maxExpirySeconds = 7 * 24 * 3600;

interface Claim {
  readonly accessKeyId: string;
  /** YYYYMMDD/REGION/s3/aws4_request */
  readonly scope: string;
  readonly signedHeaders: readonly string[];
  readonly signature: string;
  readonly dateTime: string;
  readonly contentHash: string;
}

export function isSignedV4(request: S3Request): boolean {
  return (
    headerOf(request, 'authorization')?.startsWith(signatureAlgorithm) === true ||
    queryValue(request, 'X-Amz-Algorithm') !== undefined
  );
}

/** Throws an `S3Error` unless the request is signed with the access key, in time. The body is not looked at. */
export function checkSignatureV4(request: S3Request, accessKey: AccessKey, nowMs: number): SignedV4 {
  const isPresigned = queryValue(request, 'X-Amz-Algorithm') !== undefined;
  const claim = isPresigned ? claimOfQuery(request) : claimOfHeaders(request);
  const [, day = '', region = ''] =
    /^(\d{8})\/([^/]+)\/s3\/aws4_request$/.exec(claim.scope) ??
    malformedSignature('The credential scope is malformedSignature.');
  requireKnown(accessKey, claim.accessKeyId);
  const timeMs = timeOf(claim.dateTime);
  if (isPresigned) requireNotExpired(request, timeMs, nowMs);
  else requireClockInTime(timeMs, nowMs);
  if (!claim.dateTime.startsWith(day))
    malformedSignature('The credential scope has another date than the request.');
  requireSigned(request, claim.signedHeaders);
  const signingKey = signingKeyOf(accessKey.secretAccessKey, { day, region });
  const text = stringToSign(claim.dateTime, claim.scope, canonicalOf(request, claim));
  requireSameSignature(signatureOf(signingKey, text), claim.signature);
  const { signature, scope, dateTime, contentHash } = claim;
  return { contentHash, chunks: { signingKey, dateTime, scope, signature } };
}

function claimOfHeaders(request: S3Request): Claim {
  const fields = new Map(
    (headerOf(request, 'authorization') ?? '')
      .slice(signatureAlgorithm.length)
      .split(',')
      .map((field) => {
        const at = field.indexOf('=');
        return [field.slice(0, at).trim(), field.slice(at + 1).trim()] as const;
      }),
  );
  const contentHash = headerOf(request, 'x-amz-content-sha256');
  if (contentHash === undefined) throw new S3Error('InvalidRequest', 'x-amz-content-sha256 is missing.');
  return claimOf(fields.get('Credential'), fields.get('SignedHeaders'), fields.get('Signature'), {
    dateTime: headerOf(request, 'x-amz-date') ?? isoTimeOf(headerOf(request, 'date')),
    contentHash,
  });
}

function claimOfQuery(request: S3Request): Claim {
  if (queryValue(request, 'X-Amz-Algorithm') !== signatureAlgorithm)
    malformedSignature(`The only algorithm is ${signatureAlgorithm}.`);
  return claimOf(
    queryValue(request, 'X-Amz-Credential'),
    queryValue(request, 'X-Amz-SignedHeaders'),
    queryValue(request, 'X-Amz-Signature'),
    {
      dateTime: queryValue(request, 'X-Amz-Date') ?? '',
      contentHash:
        headerOf(request, 'x-amz-content-sha256') ??
        queryValue(request, 'X-Amz-Content-Sha256') ??
        unsignedPayload,
    },
  );
}

function claimOf(
  credential: string | undefined,
  signedHeaders: string | undefined,
  signature: string | undefined,
  rest: Pick<Claim, 'dateTime' | 'contentHash'>,
): Claim {
  if (credential === undefined || signedHeaders === undefined || signature === undefined) {
    return malformedSignature('Credential, SignedHeaders or Signature is missing.');
  }
  const at = credential.indexOf('/');
  return {
    accessKeyId: credential.slice(0, at),
    scope: credential.slice(at + 1),
    signedHeaders: signedHeaders.split(';'),
    signature,
    ...rest,
  };
}

/** The headers that S3 wants signed. Otherwise somebody on the way could send the request elsewhere, or change what it does. */
function requireSigned(request: S3Request, signedHeaders: readonly string[]): void {
  const signed = new Set(signedHeaders);
  for (const name of Object.keys(request.message.headers)) {
    const mustBeSigned = name === 'host' || name.startsWith('x-amz-');
    if (mustBeSigned && !signed.has(name) && name !== 'x-amz-content-sha256') {
      throw new S3Error('AccessDenied', `The header ${name} is not signed.`);
    }
  }
}

function requireNotExpired(request: S3Request, timeMs: number | undefined, nowMs: number): void {
  const text = queryValue(request, 'X-Amz-Expires') ?? '';
  const seconds = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (timeMs === undefined || !(seconds > 0 && seconds <= maxExpirySeconds)) {
    malformedSignature(`X-Amz-Expires must be from 1 to ${maxExpirySeconds}.`);
  } else if (nowMs > timeMs + seconds * 1000) {
    throw new S3Error('AccessDenied', 'Request has expired');
  } else if (timeMs > nowMs + maxClockSkewMs) {
    throw new S3Error('AccessDenied', 'Request is not valid yet');
  }
}

/** From the request as it arrived, whose encoding may differ from the signed one. */
function canonicalOf(request: S3Request, { signedHeaders, contentHash }: Claim): string {
  const query = request.query
    .filter(([name]) => name !== 'X-Amz-Signature')
    .map(([name, value]) => [encodeUri(name), encodeUri(value)] as const)
    .sort(([nameA, valueA], [nameB, valueB]) => compare(nameA, nameB) || compare(valueA, valueB))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
  return canonicalRequest({
    method: request.method,
    path: canonicalPath(request),
    query,
    headers: signedHeaders.map((name) => [name, fieldValue(request, name)] as const),
    bodySha256: contentHash,
  });
}

function canonicalPath({ rawPath }: S3Request): string {
  return rawPath
    .split('/')
    .map((part) => encodeUri(decodeURIComponent(part)))
    .join('/');
}

function fieldValue(request: S3Request, name: string): string {
  const value = request.message.headers[name];
  return Array.isArray(value) ? value.join(',') : (value ?? '');
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Milliseconds for a time such as 20260131T235959Z. Undefined if it is malformedSignature. */
function timeOf(dateTime: string): number | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(dateTime);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second] = match;
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}

function isoTimeOf(date: string | undefined): string {
  const timeMs = Date.parse(date ?? '');
  return Number.isNaN(timeMs) ? '' : formatDateTime(timeMs);
}

function malformedSignature(message: string): never {
  throw new S3Error('AuthorizationHeaderMalformed', message);
}
