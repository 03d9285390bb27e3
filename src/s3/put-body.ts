/** Bodies of PUTs, in memory or streamed. */
import { Readable } from 'node:stream';
import type { Limiter } from '../concurrency/limiter.js';
import type { PutBody, StreamedBody } from '../object-store.js';
import { withMd5 } from '../streamed-body.js';
import { type FailedCall, toStoreError } from './error-codes.js';
import { md5Of, requestBody, type MeasuredBody } from './request-body.js';

export function isStreamed(body: PutBody): body is StreamedBody {
  return 'pieces' in body;
}

export function lengthOfBody(body: PutBody): number {
  return isStreamed(body) ? body.length : body.reduce((sum, piece) => sum + piece.length, 0);
}

/** In hex. */
export async function md5OfBody(body: PutBody, signal: AbortSignal): Promise<string> {
  if (!isStreamed(body)) return md5Of(body).toString('hex');
  const md5 = body.md5 ?? (await withMd5(body, signal)).md5;
  return Buffer.from(md5, 'base64').toString('hex');
}

/**
 * Sends a body, once or several times. Bodies whose pieces need requests of their own go one at a time, by `slots`: otherwise
 * such requests could take all places and wait for each other. `slots` undefined: only one request can run at a time, so such a
 * body is collected before. Rejects with the error of the pieces if they failed.
 */
export async function sendStreamed<T>(
  body: StreamedBody,
  slots: Limiter | undefined,
  send: (makeBody: () => MeasuredBody, signal: AbortSignal) => Promise<T>,
  call: FailedCall,
  signal: AbortSignal,
): Promise<T> {
  // A request does not end by itself when its body fails, and its own error would not say why.
  const failed = new AbortController();
  const sendSignal = AbortSignal.any([signal, failed.signal]);
  let failure: unknown;
  async function* pieces(): AsyncGenerator<Uint8Array> {
    try {
      yield* body.pieces(signal);
    } catch (error) {
      failure = error;
      failed.abort();
      throw error;
    }
  }
  const makeBody = () => {
    const stream = Readable.from(pieces(), { objectMode: true });
    // Without a listener an error would end the process. `failure` has the error.
    stream.on('error', () => undefined);
    return { content: stream, length: body.length, md5: body.md5 };
  };
  try {
    if (!body.needsRequests) return await send(makeBody, sendSignal);
    if (slots) {
      const what = `${call.operation} ${call.key}`;
      return await slots.run({ signal, what }, () => send(makeBody, sendSignal));
    }
    const whole: Uint8Array[] = [];
    for await (const piece of pieces()) whole.push(piece);
    return await send(() => requestBody(whole), signal);
  } catch (error) {
    throw signal.aborted ? toStoreError(error, call, signal) : (failure ?? error);
  }
}
