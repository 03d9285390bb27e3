/**
 * AWS Signature Version 4 of headers and of presigned addresses:
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html
 */
import { S3Error } from '../s3-error.js';
import { headerOf, queryValue, type S3Request, withoutOuterSpace } from '../request.js';
import {
  type AccessKey,
  hmacSha256,
  maxClockSkewMs,
  requireClockInTime,
  requireKnown,
  requireSameSignature,
  sha256Hex,
} from './access-keys.js';

/** What the signatures of a body's chunks go on from. */
export interface ChunkSigning {
  readonly signingKey: Buffer;
  readonly dateTime: string;
  readonly scope: string;
  /** Of the request itself. */
  readonly signature: string;
}

interface SignedV4 {
  /** The x-amz-content-sha256 that was signed: a hash in hexadecimal, or one of the words that S3 has instead. */
  readonly contentHash: string;
  readonly chunks: ChunkSigning;
}

const algorithm = 'AWS4-HMAC-SHA256';
export const unsignedPayload = 'UNSIGNED-PAYLOAD';
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
    headerOf(request, 'authorization')?.startsWith(algorithm) === true ||
    queryValue(request, 'X-Amz-Algorithm') !== undefined
  );
}

/** Throws an `S3Error` unless the request is signed with the access key, in time. The body is not looked at. */
export function checkSignatureV4(request: S3Request, accessKey: AccessKey, nowMs: number): SignedV4 {
  const isPresigned = queryValue(request, 'X-Amz-Algorithm') !== undefined;
  const claim = isPresigned ? claimOfQuery(request) : claimOfHeaders(request);
  const [, credentialDate = '', region = '', service = ''] =
    /^(\d{8})\/([^/]+)\/(s3)\/aws4_request$/.exec(claim.scope) ??
    malformed('The credential scope is malformed.');
  requireKnown(accessKey, claim.accessKeyId);
  const timeMs = timeOf(claim.dateTime);
  if (isPresigned) requireNotExpired(request, timeMs, nowMs);
  else requireClockInTime(timeMs, nowMs);
  if (!claim.dateTime.startsWith(credentialDate))
    malformed('The credential scope has another date than the request.');
  requireSigned(request, claim.signedHeaders);
  const text = [algorithm, claim.dateTime, claim.scope, sha256Hex(canonicalRequest(request, claim))].join(
    '\n',
  );
  const dateKey = hmacSha256(`AWS4${accessKey.secretAccessKey}`, credentialDate);
  const signingKey = [region, service, 'aws4_request'].reduce<Buffer>(hmacSha256, dateKey);
  requireSameSignature(hmacSha256(signingKey, text).toString('hex'), claim.signature);
  const { signature, scope, dateTime, contentHash } = claim;
  return { contentHash, chunks: { signingKey, dateTime, scope, signature } };
}

function claimOfHeaders(request: S3Request): Claim {
  const fields = new Map(
    (headerOf(request, 'authorization') ?? '')
      .slice(algorithm.length)
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
  if (queryValue(request, 'X-Amz-Algorithm') !== algorithm) malformed(`The only algorithm is ${algorithm}.`);
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
    return malformed('Credential, SignedHeaders or Signature is missing.');
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

/** All that S3 insists on: without them somebody on the way could send the request elsewhere, or change what it does. */
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
    malformed(`X-Amz-Expires must be from 1 to ${maxExpirySeconds}.`);
  } else if (nowMs > timeMs + seconds * 1000) {
    throw new S3Error('AccessDenied', 'Request has expired');
  } else if (timeMs > nowMs + maxClockSkewMs) {
    throw new S3Error('AccessDenied', 'Request is not valid yet');
  }
}

function canonicalRequest(request: S3Request, claim: Claim): Buffer {
  const query = request.query
    .filter(([name]) => name !== 'X-Amz-Signature')
    .map(([name, value]) => [encode(name), encode(value)] as const)
    .sort(([nameA, valueA], [nameB, valueB]) => compare(nameA, nameB) || compare(valueA, valueB))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
  const headers = claim.signedHeaders.map((name) => `${name}:${signedValue(request, name)}\n`).join('');
  return Buffer.from(
    [
      request.method,
      canonicalPath(request),
      query,
      headers,
      claim.signedHeaders.join(';'),
      claim.contentHash,
    ].join('\n'),
    'latin1', // Node gives each byte of a header as one character
  );
}

function canonicalPath({ rawPath }: S3Request): string {
  return rawPath
    .split('/')
    .map((part) => encode(decodeURIComponent(part)))
    .join('/');
}

function signedValue(request: S3Request, name: string): string {
  const value = request.message.headers[name];
  const text = Array.isArray(value) ? value.join(',') : (value ?? '');
  return withoutOuterSpace(text).replaceAll(/ +/g, ' ');
}

/** As S3 wants it: everything but letters, digits and `-._~`. */
export function encode(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Milliseconds of 20260131T235959Z; undefined if it is none. */
function timeOf(dateTime: string): number | undefined {
  const match = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(dateTime);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second] = match;
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}

function isoTimeOf(date: string | undefined): string {
  const timeMs = Date.parse(date ?? '');
  return Number.isNaN(timeMs) ? '' : new Date(timeMs).toISOString().replaceAll(/[-:]|\.\d+/g, '');
}

function malformed(message: string): never {
  throw new S3Error('AuthorizationHeaderMalformed', message);
}
