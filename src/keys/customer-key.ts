/**
 * The SSE-C secret while it is in memory: what `src/keys` reads and `src/s3` sends. The bytes sit in private fields,
 * and every common way of printing an object (JSON, inspect, templates) shows the fingerprint instead.
 */
import { createHash } from 'node:crypto';
import { inspect } from 'node:util';

/** AES-256: the only key length that SSE-C knows. */
export const customerKeyBytes = 32;

export class CustomerKey {
  readonly #bytes: Buffer;
  /** Base64 of the key's MD5, as S3 shows it in `x-amz-server-side-encryption-customer-key-MD5`. Not secret. */
  readonly fingerprint: string;

  /** Takes a copy of `bytes`. Throws a RangeError, without the bytes, unless there are exactly 32. */
  constructor(bytes: Uint8Array) {
    if (bytes.length !== customerKeyBytes) {
      throw new RangeError(`a customer key has ${customerKeyBytes} bytes, not ${bytes.length}`);
    }
    this.#bytes = Buffer.from(bytes);
    this.fingerprint = createHash('md5').update(this.#bytes).digest('base64');
  }

  /** The secret itself, as the request header wants it. Never log it. */
  toBase64(): string {
    return this.#bytes.toString('base64');
  }

  toString(): string {
    return `[customer key ${this.fingerprint}]`;
  }

  toJSON(): string {
    return this.toString();
  }

  [inspect.custom](): string {
    return this.toString();
  }
}
