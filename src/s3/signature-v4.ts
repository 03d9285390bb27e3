/**
 * AWS Signature Version 4 in headers: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
 * Only what `direct-client.ts` sends: one service, and a hash of the body that the caller knows.
 */
import { createHash, createHmac } from 'node:crypto';

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

export interface UnsignedRequest {
  readonly method: string;
  /** As it is sent, each byte that has to be percent-encoded. */
  readonly path: string;
  /** As it is sent, sorted by name; '' for none. */
  readonly query: string;
  /** Names in lower case, `host` among them. All are signed. */
  readonly headers: Readonly<Record<string, string>>;
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

  constructor(region: string) {
    this.#region = region;
  }

  /** The headers of the request with those that sign it. */
  sign(request: UnsignedRequest, credentials: Credentials, timeMs: number): Record<string, string> {
    const dateTime = `${new Date(timeMs).toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}Z`;
    const day = dateTime.slice(0, 8);
    const scope = `${day}/${this.#region}/s3/aws4_request`;
    const headers: Record<string, string> = {
      ...request.headers,
      'x-amz-date': dateTime,
      'x-amz-content-sha256': request.bodySha256,
    };
    if (credentials.sessionToken !== undefined) headers['x-amz-security-token'] = credentials.sessionToken;
    const names = Object.keys(headers).sort();
    const signedHeaders = names.join(';');
    const canonical = [
      request.method,
      request.path,
      request.query,
      ...names.map((name) => `${name}:${canonicalValue(headers[name] ?? '')}`),
      '',
      signedHeaders,
      request.bodySha256,
    ].join('\n');
    const text = [algorithm, dateTime, scope, createHash('sha256').update(canonical).digest('hex')].join(
      '\n',
    );
    const signature = hmac(this.#signingKey(day, credentials.secretAccessKey), text).toString('hex');
    headers['authorization'] =
      `${algorithm} Credential=${credentials.accessKeyId}/${scope}, SignedHeaders=${signedHeaders}, Signature=${signature}`;
    return headers;
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

function canonicalValue(value: string): string {
  return value.trim().replaceAll(/ {2,}/g, ' ');
}
