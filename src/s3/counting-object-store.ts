/** Has the requests to the store below counted, and the bytes of content that they move. */
import type {
  CopySource,
  DeleteFailure,
  GetReply,
  GetRequest,
  ListPage,
  ListRequest,
  ObjectHeaders,
  ObjectInfo,
  ObjectStore,
  PutBody,
  StoreLimits,
  UploadedPart,
  WriteCondition,
  WriteReply,
} from '../object-store.js';
import { lengthOfBody } from './put-body.js';
import type { RequestCounters } from './request-counters.js';

export class CountingObjectStore implements ObjectStore {
  readonly #store: ObjectStore;
  readonly #counters: RequestCounters;

  /** `counters`: may be shared with stores of other buckets. */
  constructor(store: ObjectStore, counters: RequestCounters) {
    this.#store = store;
    this.#counters = counters;
  }

  get limits(): StoreLimits {
    return this.#store.limits;
  }

  async list(request: ListRequest, signal: AbortSignal): Promise<ListPage> {
    return await this.#counters.count('list', () => this.#store.list(request, signal));
  }

  async head(key: string, signal: AbortSignal): Promise<ObjectInfo> {
    return await this.#counters.count('head', () => this.#store.head(key, signal));
  }

  async get(key: string, request: GetRequest, signal: AbortSignal): Promise<GetReply> {
    const reply = await this.#counters.count('get', () => this.#store.get(key, request, signal));
    const parts = reply.pieces ?? [reply.bytes];
    this.#counters.countReceived(parts.reduce((sum, { length }) => sum + length, 0));
    return reply;
  }

  async put(
    key: string,
    body: PutBody,
    headers: ObjectHeaders,
    condition: WriteCondition,
    signal: AbortSignal,
  ): Promise<WriteReply> {
    this.#counters.countSent(lengthOfBody(body));
    return await this.#counters.count('put', () => this.#store.put(key, body, headers, condition, signal));
  }

  async createUpload(key: string, headers: ObjectHeaders, signal: AbortSignal): Promise<string> {
    return await this.#counters.count('createUpload', () => this.#store.createUpload(key, headers, signal));
  }

  async uploadPart(
    key: string,
    uploadId: string,
    partNumber: number,
    body: readonly Uint8Array[],
    signal: AbortSignal,
  ): Promise<UploadedPart> {
    this.#counters.countSent(lengthOfBody(body));
    return await this.#counters.count('uploadPart', () =>
      this.#store.uploadPart(key, uploadId, partNumber, body, signal),
    );
  }

  async uploadPartCopy(
    key: string,
    uploadId: string,
    partNumber: number,
    source: CopySource,
    signal: AbortSignal,
  ): Promise<UploadedPart> {
    return await this.#counters.count('uploadPartCopy', () =>
      this.#store.uploadPartCopy(key, uploadId, partNumber, source, signal),
    );
  }

  async completeUpload(
    key: string,
    uploadId: string,
    parts: readonly UploadedPart[],
    condition: WriteCondition,
    signal: AbortSignal,
  ): Promise<WriteReply> {
    return await this.#counters.count('completeUpload', () =>
      this.#store.completeUpload(key, uploadId, parts, condition, signal),
    );
  }

  async abortUpload(key: string, uploadId: string, signal: AbortSignal): Promise<void> {
    await this.#counters.count('abortUpload', () => this.#store.abortUpload(key, uploadId, signal));
  }

  async copy(
    source: ObjectInfo,
    targetKey: string,
    headers: ObjectHeaders,
    condition: WriteCondition,
    signal: AbortSignal,
  ): Promise<WriteReply> {
    return await this.#counters.count('copy', () =>
      this.#store.copy(source, targetKey, headers, condition, signal),
    );
  }

  async delete(key: string, signal: AbortSignal): Promise<void> {
    await this.#counters.count('delete', () => this.#store.delete(key, signal));
  }

  async deleteMany(keys: readonly string[], signal: AbortSignal): Promise<readonly DeleteFailure[]> {
    return await this.#counters.count('deleteMany', () => this.#store.deleteMany(keys, signal));
  }
}
