/**
 * AWS Signature Version 4 in headers: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
 * Only what `transport.ts` sends: one service, and a hash of the body that the caller knows.
 */
import { createHmac, hash } from 'node:crypto';
import type { HeaderField } from '../http/connection.js';

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

interface UnsignedRequest {
  readonly method: string;
  /** As it is sent, each byte that has to be percent-encoded. */
  readonly path: string;
  /** As it is sent, sorted by name; '' for none. */
  readonly query: string;
  /** Each name once, `host` among them. All are signed. Each character of a value is the byte that is sent. */
  readonly headers: readonly HeaderField[];
  /** Hex, or UNSIGNED-PAYLOAD. */
  readonly bodySha256: string;
}

const algorithm = 'AWS4-HMAC-SHA256';
/** SHA-256 of nothing, in hex. */
export const emptySha256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

export class RequestSigner {
  readonly #region: string;
  /** The signing key of a day and a secret: four HMACs that do not change. */
  #keyOf: { readonly day: string; readonly secret: string; readonly key: Buffer } | undefined;
  /** `#dateTimeOf` of the last second that something was signed in. */
  #time: { readonly second: number; readonly dateTime: string } | undefined;

  constructor(region: string) {
    this.#region = region;
  }

  /** The headers of the request with those that sign it. */
  sign(request: UnsignedRequest, credentials: Credentials, timeMs: number): HeaderField[] {
    const dateTime = this.#dateTimeOf(timeMs);
    const day = dateTime.slice(0, 8);
    const scope = `${day}/${this.#region}/s3/aws4_request`;
    const headers: HeaderField[] = [
      ...request.headers,
      ['x-amz-date', dateTime],
      ['x-amz-content-sha256', request.bodySha256],
    ];
    if (credentials.sessionToken !== undefined) {
      headers.push(['x-amz-security-token', credentials.sessionToken]);
    }
    headers.sort(([one], [other]) => (one < other ? -1 : 1));
    let signedHeaders = '';
    let canonicalHeaders = '';
    for (const [name, value] of headers) {
      signedHeaders += signedHeaders === '' ? name : `;${name}`;
      canonicalHeaders += `${name}:${canonicalValue(value)}\n`;
    }
    const { method, path, query, bodySha256 } = request;
    const canonical = `${method}\n${path}\n${query}\n${canonicalHeaders}\n${signedHeaders}\n${bodySha256}`;
    const text = `${algorithm}\n${dateTime}\n${scope}\n${hash('sha256', Buffer.from(canonical, 'latin1'))}`;
    const signature = hmac(this.#signingKey(day, credentials.secretAccessKey), text).toString('hex');
    const credential = `${credentials.accessKeyId}/${scope}`;
    headers.push([
      'authorization',
      `${algorithm} Credential=${credential}, SignedHeaders=${signedHeaders}, Signature=${signature}`,
    ]);
    return headers;
  }

  /** YYYYMMDDTHHMMSSZ. */
  #dateTimeOf(timeMs: number): string {
    const second = Math.floor(timeMs / 1000);
    if (this.#time?.second !== second) {
      const dateTime = `${new Date(timeMs).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`;
      this.#time = { second, dateTime };
    }
    return this.#time.dateTime;
  }

  #signingKey(day: string, secret: string): Buffer {
    if (this.#keyOf?.day !== day || this.#keyOf.secret !== secret) {
      const key = [day, this.#region, 's3', 'aws4_request'].reduce(
        hmac,
        Buffer.from(`AWS4${secret}`, 'utf8'),
      );
      this.#keyOf = { day, secret, key };
    }
    return this.#keyOf.key;
  }
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

/** Not by `trim`, for which the byte A0, the last of many letters in UTF-8, is a space. */
function canonicalValue(value: string): string {
  return value.replaceAll(/^[ \t]+|[ \t]+$/g, '').replaceAll(/ {2,}/g, ' ');
}
