/** The body of a request: decoded, and checked against everything that the request says about it. */
import { createHash } from 'node:crypto';
import type { Flavor } from './flavor.js';
import { headerOf, type S3Request } from './request.js';
import { S3Error } from './s3-error.js';
import type { PayloadClaim } from './signatures/authenticate.js';
import { decodeChunks } from './signatures/chunked-body.js';
import { checksumNames, makeChecksum, type ChecksumName } from './signatures/checksums.js';

/** For one PUT, as on AWS and RGW. */
const maxPutBytes = 5 * 2 ** 30;
/** For XML and policies: 10,000 parts or 1,000 keys of 1,024 bytes fit. */
const maxTextBytes = 4 * 2 ** 20;

const streaming = /^STREAMING-(AWS4-HMAC-SHA256|UNSIGNED)-PAYLOAD(-TRAILER)?$/;

export interface Payload {
  /** Read it once. Throws an `S3Error` at the end if the bytes do not fit what the request says. */
  readonly bytes: AsyncIterable<Buffer>;
  /** Hexadecimal MD5 of all bytes. Call it when `bytes` has ended. */
  md5(): string;
  /** Checksums that were compared, as headers of a reply. Call it when `bytes` has ended. */
  verified(): Readonly<Record<string, string>>;
}

/** Throws an `S3Error` if the request does not describe its body well enough. Reads nothing yet. */
export function payloadOf(request: S3Request, claim: PayloadClaim, flavor: Flavor): Payload {
  const contentLength = lengthHeader(request, 'content-length');
  const decodedLength = lengthHeader(request, 'x-amz-decoded-content-length');
  const [isStreaming, kind, trailer] = streaming.exec(claim.contentHash) ?? [];
  // RGW 16 knows neither bodies of unknown length nor trailers.
  const isMeasured = contentLength !== undefined || (flavor.takesTrailers && decodedLength !== undefined);
  if (!isMeasured || (trailer !== undefined && !flavor.takesTrailers)) {
    throw new S3Error('MissingContentLength', 'You must provide the Content-Length HTTP header.');
  }
  const length = isStreaming === undefined ? contentLength : decodedLength;
  if (length === undefined)
    throw new S3Error('MissingContentLength', 'x-amz-decoded-content-length is missing.');
  if (length > maxPutBytes) throw new S3Error('EntityTooLarge', `A body has at most ${maxPutBytes} bytes.`);
  const source = bodyOf(request);
  if (isStreaming === undefined) return checked(request, claim, flavor, length, source, new Map());
  const signing = kind === 'UNSIGNED' ? undefined : claim.chunks;
  if (kind !== 'UNSIGNED' && signing === undefined)
    throw new S3Error('InvalidRequest', 'The chunks are not signed.');
  const decoded = decodeChunks(source, signing);
  return checked(request, claim, flavor, length, decoded.bytes, decoded.trailer);
}

/** All of a short body, as UTF-8 text. */
export async function payloadText(payload: Payload): Promise<string> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of payload.bytes) {
    length += piece.length;
    if (length > maxTextBytes)
      throw new S3Error('EntityTooLarge', `This body has at most ${maxTextBytes} bytes.`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}

async function* bodyOf(request: S3Request): AsyncGenerator<Buffer> {
  request.sendContinue();
  // Leaving early must not close the connection: the client still has to read the reason.
  for await (const piece of request.message.iterator({ destroyOnReturn: false })) yield piece as Buffer;
}

function checked(
  request: S3Request,
  { contentHash }: PayloadClaim,
  flavor: Flavor,
  length: number,
  source: AsyncIterable<Buffer>,
  trailer: ReadonlyMap<string, string>,
): Payload {
  const contentMd5 = contentMd5Of(request);
  const sha256 = /^[0-9a-f]{64}$/i.test(contentHash) ? createHash('sha256') : undefined;
  const checksums = (flavor.verifiesChecksums ? namedChecksums(request) : []).map(
    (name) => [name, makeChecksum(name)] as const,
  );
  const verified: Record<string, string> = {};
  const md5 = createHash('md5');
  let md5Hex = '';
  async function* bytes(): AsyncGenerator<Buffer> {
    let received = 0;
    for await (const piece of source) {
      received += piece.length;
      if (received > length) throw new S3Error('IncompleteBody', 'The body is longer than it says.');
      md5.update(piece);
      sha256?.update(piece);
      for (const [, checksum] of checksums) checksum.update(piece);
      yield piece;
    }
    if (received !== length)
      throw new S3Error('IncompleteBody', `The body has ${received} bytes and not ${length}.`);
    md5Hex = md5.digest('hex');
    if (contentMd5 !== undefined && contentMd5 !== md5Hex) {
      throw new S3Error('BadDigest', 'The Content-MD5 you specified did not match what we received.');
    }
    if (sha256 !== undefined && sha256.digest('hex') !== contentHash.toLowerCase()) {
      throw new S3Error('XAmzContentSHA256Mismatch', 'x-amz-content-sha256 is not the hash of the body.');
    }
    for (const [name, checksum] of checksums) {
      const header = `x-amz-checksum-${name}`;
      const given = headerOf(request, header) ?? trailer.get(header);
      const value = checksum.digest();
      if (given !== value) throw new S3Error('BadDigest', `${header} is not the checksum of the body.`);
      verified[header] = value;
    }
  }
  return { bytes: bytes(), md5: () => md5Hex, verified: () => verified };
}

/** The checksums that a header gives, or announces for the trailer. */
function namedChecksums(request: S3Request): ChecksumName[] {
  const announced = headerOf(request, 'x-amz-trailer')?.toLowerCase() ?? '';
  return checksumNames.filter((name) => {
    const header = `x-amz-checksum-${name}`;
    return headerOf(request, header) !== undefined || announced.split(/\s*,\s*/).includes(header);
  });
}

/** Hexadecimal. */
function contentMd5Of(request: S3Request): string | undefined {
  const value = headerOf(request, 'content-md5');
  if (value === undefined) return undefined;
  const digest = Buffer.from(value, 'base64');
  if (digest.length !== 16) throw new S3Error('InvalidDigest', 'The Content-MD5 you specified is not valid.');
  return digest.toString('hex');
}

function lengthHeader(request: S3Request, name: string): number | undefined {
  const value = headerOf(request, name);
  if (value === undefined) return undefined;
  if (!/^\d{1,15}$/.test(value)) throw new S3Error('InvalidArgument', `${name} is not a number.`);
  return Number(value);
}
