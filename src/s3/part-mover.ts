/**
 * Copies ranges through the client if the server cannot copy them: source and target have different customer keys, or the
 * server would misread the source's name. Reads with one key and sends with the other, one piece at a time.
 */
import { Limiter } from '../concurrency/limiter.js';
import type { CopyPartRequest, UploadedPart } from '../object-store.js';
import type { ObjectGetter } from './object-getter.js';
import { requestBody, type MeasuredBody } from './request-body.js';
import { sendStreamed } from './put-body.js';
import type { PartSender } from './part-sender.js';

/** Read at once. Up to this size a part is sent as one body with its MD5; above it is streamed. */
const pieceBytes = 16 * 1024 * 1024;
/** How many parts of one piece are moved at once. Callers think that copies need no memory, so the limit is here. */
const partsAtOnce = 4;

interface PartMoverOptions {
  readonly reader: ObjectGetter;
  readonly partSender: PartSender;
  /** For bodies that need other requests. Undefined if only one request can run at a time. */
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
