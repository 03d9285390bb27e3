/**
 * Copies ranges through the client that the server cannot copy, because source and target are under different customer keys: read
 * with one key, sent with the other, a piece at a time.
 */
import { Readable } from 'node:stream';
import type { CustomerKey } from '../customer-key.js';
import type { CopySource, UploadedPart } from '../object-store.js';
import type { BucketClient } from './bucket-client.js';
import type { ObjectReader } from './object-reader.js';
import { requestBody } from './request-body.js';
import { RequestSlots } from './request-slots.js';
import { sendPart, type PartBody } from './send-part.js';

/** Read at once. Also the most that is sent as one body with its MD5 instead of streamed. */
const pieceBytes = 16 * 1024 * 1024;

export interface PartMoverOptions {
  readonly bucket: BucketClient;
  readonly reader: ObjectReader;
  readonly customerKey: CustomerKey;
  /** Whether there can be two requests at once. */
  readonly canStream: boolean;
}

export class PartMover {
  readonly #bucket: BucketClient;
  readonly #reader: ObjectReader;
  readonly #customerKey: CustomerKey;
  readonly #canStream: boolean;
  /** A part that is streamed holds a request while it waits for others: with two of them, all could wait for each other. */
  readonly #oneAtATime = new RequestSlots(1);

  constructor({ bucket, reader, customerKey, canStream }: PartMoverOptions) {
    this.#bucket = bucket;
    this.#reader = reader;
    this.#customerKey = customerKey;
    this.#canStream = canStream;
  }

  /** As `ObjectStore.uploadPartCopy`. */
  async move(
    key: string,
    uploadId: string,
    partNumber: number,
    source: CopySource,
    signal: AbortSignal,
  ): Promise<UploadedPart> {
    const offset = source.range?.offset ?? 0;
    const length = source.range?.length ?? (await this.#reader.head(source.key, signal)).size;
    const read = async (start: number, size: number): Promise<Uint8Array> => {
      const range = { offset: start, length: size };
      return (await this.#reader.get(source.key, { range, ifMatch: source.ifMatch }, signal)).bytes;
    };
    const call = { operation: 'uploadPartCopy', key, uploadId, partNumber };
    const send = (body: PartBody): Promise<UploadedPart> =>
      sendPart(this.#bucket, this.#customerKey, call, body, signal);
    if (length <= pieceBytes || !this.#canStream)
      return await send(requestBody([await read(offset, length)]));
    return await this.#oneAtATime.run(async () => {
      // A failed read ends the request, whose own error would not say why.
      let failure: unknown;
      async function* pieces(): AsyncGenerator<Uint8Array> {
        try {
          for (let start = offset; start < offset + length; start += pieceBytes) {
            yield await read(start, Math.min(pieceBytes, offset + length - start));
          }
        } catch (error) {
          failure = error;
          throw error;
        }
      }
      try {
        return await send({ Body: Readable.from(pieces(), { objectMode: true }), ContentLength: length });
      } catch (error) {
        throw failure ?? error;
      }
    }, signal);
  }
}
