/**
 * Copies ranges through the client that the server cannot copy, because source and target are under different customer keys, or
 * because it would take the source's name for another: read with one key, sent with the other, a piece at a time.
 */
import { Limiter } from '../concurrency/limiter.js';
import type { CopyPartRequest, UploadedPart } from '../object-store.js';
import type { ObjectGetter } from './object-getter.js';
import { requestBody, type MeasuredBody } from './request-body.js';
import { sendStreamed } from './put-body.js';
import type { PartSender } from './part-sender.js';

/** Read at once. Also the most that is sent as one body with its MD5 instead of streamed. */
const pieceBytes = 16 * 1024 * 1024;
/** Of the parts of at most one piece: callers take copies for free, so nobody else limits the memory for them. */
const partsAtOnce = 4;

interface PartMoverOptions {
  readonly reader: ObjectGetter;
  readonly partSender: PartSender;
  /** For bodies that need other requests; undefined: there cannot be two at once. */
  readonly streamSlots: Limiter | undefined;
}

export class PartMover {
  readonly #reader: ObjectGetter;
  readonly #partSender: PartSender;
  readonly #streamSlots: Limiter | undefined;
  readonly #smallParts = new Limiter({ maxTasks: partsAtOnce });

  constructor({ reader, partSender, streamSlots }: PartMoverOptions) {
    this.#reader = reader;
    this.#partSender = partSender;
    this.#streamSlots = streamSlots;
  }

  /** As `ObjectStore.uploadPartCopy`. */
  async move(
    { key, uploadId, partNumber, source }: CopyPartRequest,
    signal: AbortSignal,
  ): Promise<UploadedPart> {
    const offset = source.range?.offset ?? 0;
    const length = source.range?.length ?? (await this.#reader.head(source.key, signal)).size;
    const read = async (start: number, size: number): Promise<readonly Uint8Array[]> => {
      const range = { offset: start, length: size };
      return (await this.#reader.get({ key: source.key, range, ifMatch: source.ifMatch }, signal)).pieces;
    };
    const call = { operation: 'uploadPartCopy', key, uploadId, partNumber, length };
    const send = (makeBody: () => MeasuredBody, sendSignal: AbortSignal): Promise<UploadedPart> =>
      this.#partSender.send(call, makeBody, sendSignal);
    if (length <= pieceBytes) {
      const what = `uploadPartCopy ${key}`;
      return await this.#smallParts.run({ signal, what }, async () => {
        const bytes = await read(offset, length);
        return await send(() => requestBody(bytes), signal);
      });
    }
    async function* pieces(): AsyncGenerator<Uint8Array> {
      for (let start = offset; start < offset + length; start += pieceBytes) {
        yield* await read(start, Math.min(pieceBytes, offset + length - start));
      }
    }
    return await sendStreamed({ length, needsRequests: true, pieces }, this.#streamSlots, send, call, signal);
  }
}
