/**
 * Signs requests by AWS Signature Version 4, in their headers. Only what `transport.ts` sends: a hash of the body that the caller
 * knows. What is signed is in `signature-v4.ts`.
 */
import type { HeaderField } from '../http/connection.js';
import {
  canonicalRequest,
  formatDateTime,
  scopeText,
  signatureAlgorithm,
  signatureOf,
  signedNames,
  signingKeyOf,
  stringToSign,
} from '../signature-v4.js';

export interface SigningCredentials {
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

export class RequestSigner {
  readonly #region: string;
  /** The signing key of a day and a secret: four HMACs that do not change. */
  #keyOf: { readonly day: string; readonly secret: string; readonly key: Buffer } | undefined;
  /** The text for the second of the last signature. */
  #time: { readonly second: number; readonly dateTime: string } | undefined;

  constructor(region: string) {
    this.#region = region;
  }

  /** The headers of the request and those of the signature. */
  sign(request: UnsignedRequest, credentials: SigningCredentials, timeMs: number): HeaderField[] {
    const dateTime = this.#dateTimeOf(timeMs);
    const day = dateTime.slice(0, 8);
    const scope = scopeText({ day, region: this.#region });
    const headers: HeaderField[] = [
      ...request.headers,
      ['x-amz-date', dateTime],
      ['x-amz-content-sha256', request.bodySha256],
    ];
    if (credentials.sessionToken !== undefined) {
      headers.push(['x-amz-security-token', credentials.sessionToken]);
    }
    headers.sort(([one], [other]) => (one < other ? -1 : 1));
    const text = stringToSign(dateTime, scope, canonicalRequest({ ...request, headers }));
    const signature = signatureOf(this.#signingKey(day, credentials.secretAccessKey), text);
    const names = signedNames(headers);
    const credential = `${credentials.accessKeyId}/${scope}`;
    headers.push([
      'authorization',
      `${signatureAlgorithm} Credential=${credential}, SignedHeaders=${names}, Signature=${signature}`,
    ]);
    return headers;
  }

  /** YYYYMMDDTHHMMSSZ. */
  #dateTimeOf(timeMs: number): string {
    const second = Math.floor(timeMs / 1000);
    if (this.#time?.second !== second) {
      this.#time = { second, dateTime: formatDateTime(timeMs) };
    }
    return this.#time.dateTime;
  }

  #signingKey(day: string, secret: string): Buffer {
    if (this.#keyOf?.day !== day || this.#keyOf.secret !== secret) {
      const key = signingKeyOf(secret, { day, region: this.#region });
      this.#keyOf = { day, secret, key };
    }
    return this.#keyOf.key;
  }
}
