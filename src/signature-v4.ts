/**
 * AWS Signature Version 4 of one request, to sign it and to check it:
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
 * Pure. The texts hold one character per byte of the request, as HTTP headers do in Node.
 */
import { createHmac, hash } from 'node:crypto';

export const signatureAlgorithm = 'AWS4-HMAC-SHA256';
/** Stands for the hash of a body that is not signed. */
export const unsignedPayload = 'UNSIGNED-PAYLOAD';
/** SHA-256 of nothing, in hex. */
export const emptySha256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

interface CanonicalParts {
  readonly method: string;
  /** Percent-encoded, see `encodeUri`. */
  readonly path: string;
  /** Percent-encoded, sorted by name; '' for none. */
  readonly query: string;
  /** The signed ones, in the order in which they are signed. Names in lower case. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Hex, or one of the words that S3 has instead, such as `unsignedPayload`. */
  readonly bodySha256: string;
}

/** When and for what a signature holds. */
interface SigningScope {
  /** YYYYMMDD */
  readonly day: string;
  readonly region: string;
}

/** Everything but letters, digits and `-._~` as its bytes in UTF-8. */
export function encodeUri(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** The names of the headers, as the request says which of them are signed. */
export function signedNames(headers: CanonicalParts['headers']): string {
  return headers.map(([name]) => name).join(';');
}

export function canonicalRequest({ method, path, query, headers, bodySha256 }: CanonicalParts): string {
  const fields = headers.map(([name, value]) => `${name}:${canonicalValue(value)}\n`).join('');
  return `${method}\n${path}\n${query}\n${fields}\n${signedNames(headers)}\n${bodySha256}`;
}

export function scopeText({ day, region }: SigningScope): string {
  return `${day}/${region}/s3/aws4_request`;
}

/** YYYYMMDDTHHMMSSZ. */
export function formatDateTime(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`;
}

/** What is signed. `scope` as of `scopeText`. */
export function stringToSign(dateTime: string, scope: string, canonical: string): string {
  return `${signatureAlgorithm}\n${dateTime}\n${scope}\n${sha256Hex(Buffer.from(canonical, 'latin1'))}`;
}

/** Four HMACs; the key holds for a day. */
export function signingKeyOf(secretAccessKey: string, { day, region }: SigningScope): Buffer {
  return [day, region, 's3', 'aws4_request'].reduce<Buffer>(
    hmacSha256,
    Buffer.from(`AWS4${secretAccessKey}`, 'utf8'),
  );
}

/** In hex. */
export function signatureOf(signingKey: Buffer, text: string): string {
  return hmacSha256(signingKey, text).toString('hex');
}

export function sha256Hex(content: string | Uint8Array): string {
  return hash('sha256', content);
}

function hmacSha256(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

/** HTTP may change these spaces. Not by `trim`, for which the byte A0, the last of many letters in UTF-8, is a space. */
function canonicalValue(value: string): string {
  return value.replaceAll(/^[ \t]+|[ \t]+$/g, '').replaceAll(/ {2,}/g, ' ');
}
