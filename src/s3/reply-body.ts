/** Collects the body of a reply into exactly the bytes that its headers promised. */
import { Readable } from 'node:stream';
import { StoreError } from '../errors.js';
import { ReceivedBody } from '../http/received-body.js';

/**
 * Rejects with `CorruptReply` unless the stream gives `length` bytes and ends; with its error if it is destroyed with
 * one. The bytes are not shared with any pool.
 */
export async function readExactly(body: unknown, length: number, subject: string): Promise<Uint8Array> {
  if (body instanceof ReceivedBody) {
    if (body.length === length && body.pieces.length <= 1) return body.pieces[0] ?? new Uint8Array(0);
    throw new StoreError('CorruptReply', `${subject}: the reply has ${body.length} of ${length} bytes`);
  }
  if (!(body instanceof Readable)) {
    if (length === 0) return new Uint8Array(0);
    throw new StoreError('CorruptReply', `${subject}: the reply has no body`);
  }
  const bytes = Buffer.allocUnsafeSlow(length);
  let filled = 0;
  await new Promise<void>((resolve, reject) => {
    const damaged = (what: string, cause?: unknown) =>
      new StoreError('CorruptReply', `${subject}: ${what} of ${length} bytes`, { cause });
    body.on('data', (chunk: Buffer) => {
      if (filled + chunk.length > length) {
        body.destroy();
        reject(damaged('the reply has more than the announced number'));
        return;
      }
      chunk.copy(bytes, filled);
      filled += chunk.length;
    });
    body.once('end', () => {
      if (filled === length) resolve();
      else reject(damaged(`the reply ended after ${filled}`));
    });
    body.once('error', (error) =>
      reject(
        error.name === 'TimeoutError'
          ? new StoreError('Timeout', `${subject}: no data after ${filled} of ${length} bytes`)
          : damaged(`the connection broke after ${filled}`, error),
      ),
    );
    body.once('close', () => reject(damaged(`the connection closed after ${filled}`)));
  });
  return bytes;
}
