/**
 * A store of objects that have a size and no bytes, for tests of large files: it counts what is moved, keeps S3's rules for
 * parts, and gives zeros.
 */
import { StoreError } from '../../src/errors.js';
import {
  mostBytesOf,
  type CompleteUploadRequest,
  type CopyPartRequest,
  type CreateUploadRequest,
  type GetReply,
  type GetRequest,
  type ObjectHeaders,
  type ObjectInfo,
  type PutBody,
  type UploadedPart,
  type UploadPartRequest,
  type UploadTarget,
  type WriteReply,
} from '../../src/object-store.js';
import { isStreamed, lengthOfBody } from '../../src/s3/put-body.js';
import { MemoryObjectStore, piecesOf, type StoreMethod } from '../object-store/memory-object-store.js';

interface HollowUpload {
  readonly key: string;
  readonly headers: ObjectHeaders;
  readonly partSizes: Map<number, number>;
}

export class HollowObjectStore extends MemoryObjectStore {
  readonly infos = new Map<string, ObjectInfo>();
  readonly hollowUploads = new Map<string, HollowUpload>();
  bytesCopied = 0;
  partsInFlight = 0;
  peakPartsInFlight = 0;
  /** Sees each part's body; one that is streamed piece by piece. */
  onPart: (partNumber: number, body: readonly Uint8Array[]) => void = () => undefined;
  #lastId = 0;

  makeObject(key: string, size: number, headers: ObjectHeaders = { metadata: {} }): ObjectInfo {
    const etag = `etag-${++this.#lastId}`;
    const { metadata, contentType } = headers;
    const info = { key, size, etag, lastModifiedMs: 0, metadata, contentType, isEncrypted: true };
    this.infos.set(key, info);
    return info;
  }

  override async head(key: string, signal: AbortSignal): Promise<ObjectInfo> {
    await this.#turn('head', key, signal);
    return this.#existing(key);
  }

  override async get(request: GetRequest, signal: AbortSignal): Promise<GetReply> {
    const { key } = request;
    await this.#turn('get', key, signal);
    const info = this.#existing(key, request.ifMatch);
    const { offset, length } = request.range ?? { offset: 0, length: mostBytesOf(request) };
    const bytes = Buffer.alloc(Math.min(length, info.size - offset));
    this.bytesReceived += bytes.length;
    return { info, pieces: piecesOf(bytes, request.memory) };
  }

  override async createUpload({ key, headers }: CreateUploadRequest, signal: AbortSignal): Promise<string> {
    await this.#turn('createUpload', key, signal);
    const id = `upload-${++this.#lastId}`;
    this.hollowUploads.set(id, { key, headers, partSizes: new Map() });
    return id;
  }

  override async uploadPart(
    { key, uploadId, partNumber, body }: UploadPartRequest,
    signal: AbortSignal,
  ): Promise<UploadedPart> {
    this.partsInFlight += 1;
    this.peakPartsInFlight = Math.max(this.peakPartsInFlight, this.partsInFlight);
    try {
      await this.#turn('uploadPart', key, signal);
      const size = await this.#receivePart(partNumber, body, signal);
      this.bytesSent += size;
      return this.#part(uploadId, partNumber, size);
    } finally {
      this.partsInFlight -= 1;
    }
  }

  override async uploadPartCopy(
    { key, uploadId, partNumber, source }: CopyPartRequest,
    signal: AbortSignal,
  ): Promise<UploadedPart> {
    await this.#turn('uploadPartCopy', key, signal);
    const info = this.#existing(source.key, source.ifMatch);
    const size = source.range?.length ?? info.size;
    this.bytesCopied += size;
    return this.#part(uploadId, partNumber, size);
  }

  override async completeUpload(
    { key, uploadId, parts }: CompleteUploadRequest,
    signal: AbortSignal,
  ): Promise<WriteReply> {
    await this.#turn('completeUpload', key, signal);
    const upload = this.hollowUploads.get(uploadId);
    if (!upload) throw new StoreError('NoSuchUpload', uploadId);
    let size = 0;
    for (const [index, { partNumber }] of parts.entries()) {
      const partSize = upload.partSizes.get(partNumber) ?? 0;
      if (partSize < this.limits.minPartSize && index < parts.length - 1) {
        throw new StoreError('InvalidRequest', `part ${partNumber} is too small`);
      }
      size += partSize;
    }
    this.hollowUploads.delete(uploadId);
    return { etag: this.makeObject(key, size, upload.headers).etag };
  }

  override async abortUpload({ key, uploadId }: UploadTarget, signal: AbortSignal): Promise<void> {
    await this.#turn('abortUpload', key, signal);
    this.hollowUploads.delete(uploadId);
  }

  async #receivePart(partNumber: number, body: PutBody, signal: AbortSignal): Promise<number> {
    if (!isStreamed(body)) {
      this.onPart(partNumber, body);
      return lengthOfBody(body);
    }
    let size = 0;
    for await (const piece of body.pieces(signal)) {
      this.onPart(partNumber, [piece]);
      size += piece.length;
    }
    return size;
  }

  async #turn(method: StoreMethod, key: string, signal: AbortSignal): Promise<void> {
    this.requests.set(method, (this.requests.get(method) ?? 0) + 1);
    failIfAborted(method, key, signal);
    await this.beforeRequest(method, key);
    await new Promise<void>((resolve) => setImmediate(resolve));
    failIfAborted(method, key, signal);
  }

  #existing(key: string, etag?: string): ObjectInfo {
    const info = this.infos.get(key);
    if (!info) throw new StoreError('NotFound', key);
    if (etag !== undefined && info.etag !== etag) throw new StoreError('PreconditionFailed', key);
    return info;
  }

  #part(uploadId: string, partNumber: number, size: number): UploadedPart {
    const upload = this.hollowUploads.get(uploadId);
    if (!upload) throw new StoreError('NoSuchUpload', uploadId);
    upload.partSizes.set(partNumber, size);
    return { partNumber, etag: `part-${partNumber}` };
  }
}

function failIfAborted(method: StoreMethod, key: string, signal: AbortSignal): void {
  if (signal.aborted) throw new StoreError('Aborted', `${method} ${key}: aborted`);
}
