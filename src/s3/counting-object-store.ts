/** Counts requests, failures, durations and bytes of the store below: for the log, for status, and for tests of what is moved. */
import { StoreError, type StoreErrorCode } from '../errors.js';
import type { RequestStatistics } from '../mount-statistics.js';
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
import { LatencyHistogram } from './latency-histogram.js';
import { lengthOfBody } from './put-body.js';

export type StoreOperation = Exclude<keyof ObjectStore, 'limits'>;

export interface StoreCounters {
  /** By operation; those never called are absent. */
  readonly requests: Readonly<Partial<Record<StoreOperation, number>>>;
  readonly failures: Readonly<Partial<Record<StoreOperation, number>>>;
  /** Of objects' content; headers and listings do not count. */
  readonly bytesReceived: number;
  readonly bytesSent: number;
}

export class CountingObjectStore implements ObjectStore {
  readonly #store: ObjectStore;
  readonly #requests: Partial<Record<StoreOperation, number>> = {};
  readonly #failures: Partial<Record<StoreOperation, number>> = {};
  readonly #failureCodes: Partial<Record<StoreErrorCode, number>> = {};
  readonly #inFlight: Partial<Record<StoreOperation, number>> = {};
  readonly #latencies: Partial<Record<StoreOperation, LatencyHistogram>> = {};
  readonly #now: () => number;
  #bytesReceived = 0;
  #bytesSent = 0;

  /** `now`: monotonic milliseconds. */
  constructor(store: ObjectStore, now: () => number = () => performance.now()) {
    this.#store = store;
    this.#now = now;
  }

  get limits(): StoreLimits {
    return this.#store.limits;
  }

  counters(): StoreCounters {
    return {
      requests: { ...this.#requests },
      failures: { ...this.#failures },
      bytesReceived: this.#bytesReceived,
      bytesSent: this.#bytesSent,
    };
  }

  /** By operation; those never called are absent. */
  statistics(): Partial<Record<StoreOperation, RequestStatistics>> {
    const statistics: Partial<Record<StoreOperation, RequestStatistics>> = {};
    for (const operation of Object.keys(this.#requests) as StoreOperation[]) {
      statistics[operation] = {
        requests: this.#requests[operation] ?? 0,
        failures: this.#failures[operation] ?? 0,
        inFlight: this.#inFlight[operation] ?? 0,
        latency: this.#latencyOf(operation).snapshot(),
      };
    }
    return statistics;
  }

  /** Failures by code, over all operations. */
  failureCodes(): Readonly<Partial<Record<StoreErrorCode, number>>> {
    return { ...this.#failureCodes };
  }

  async list(request: ListRequest, signal: AbortSignal): Promise<ListPage> {
    return await this.#count('list', () => this.#store.list(request, signal));
  }

  async head(key: string, signal: AbortSignal): Promise<ObjectInfo> {
    return await this.#count('head', () => this.#store.head(key, signal));
  }

  async get(key: string, request: GetRequest, signal: AbortSignal): Promise<GetReply> {
    const reply = await this.#count('get', () => this.#store.get(key, request, signal));
    this.#bytesReceived += reply.bytes.length;
    return reply;
  }

  async put(
    key: string,
    body: PutBody,
    headers: ObjectHeaders,
    condition: WriteCondition,
    signal: AbortSignal,
  ): Promise<WriteReply> {
    this.#bytesSent += lengthOfBody(body);
    return await this.#count('put', () => this.#store.put(key, body, headers, condition, signal));
  }

  async createUpload(key: string, headers: ObjectHeaders, signal: AbortSignal): Promise<string> {
    return await this.#count('createUpload', () => this.#store.createUpload(key, headers, signal));
  }

  async uploadPart(
    key: string,
    uploadId: string,
    partNumber: number,
    body: readonly Uint8Array[],
    signal: AbortSignal,
  ): Promise<UploadedPart> {
    this.#bytesSent += lengthOfBody(body);
    return await this.#count('uploadPart', () =>
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
    return await this.#count('uploadPartCopy', () =>
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
    return await this.#count('completeUpload', () =>
      this.#store.completeUpload(key, uploadId, parts, condition, signal),
    );
  }

  async abortUpload(key: string, uploadId: string, signal: AbortSignal): Promise<void> {
    await this.#count('abortUpload', () => this.#store.abortUpload(key, uploadId, signal));
  }

  async copy(
    source: ObjectInfo,
    targetKey: string,
    headers: ObjectHeaders,
    condition: WriteCondition,
    signal: AbortSignal,
  ): Promise<WriteReply> {
    return await this.#count('copy', () => this.#store.copy(source, targetKey, headers, condition, signal));
  }

  async delete(key: string, signal: AbortSignal): Promise<void> {
    await this.#count('delete', () => this.#store.delete(key, signal));
  }

  async deleteMany(keys: readonly string[], signal: AbortSignal): Promise<readonly DeleteFailure[]> {
    return await this.#count('deleteMany', () => this.#store.deleteMany(keys, signal));
  }

  async #count<T>(operation: StoreOperation, action: () => Promise<T>): Promise<T> {
    increase(this.#requests, operation);
    increase(this.#inFlight, operation);
    const startMs = this.#now();
    try {
      return await action();
    } catch (error) {
      increase(this.#failures, operation);
      if (error instanceof StoreError) increase(this.#failureCodes, error.code);
      throw error;
    } finally {
      increase(this.#inFlight, operation, -1);
      this.#latencyOf(operation).add(this.#now() - startMs);
    }
  }

  #latencyOf(operation: StoreOperation): LatencyHistogram {
    return (this.#latencies[operation] ??= new LatencyHistogram());
  }
}

function increase<Name extends string>(
  counts: Partial<Record<Name, number>>,
  name: Name,
  by: 1 | -1 = 1,
): void {
  const count: number = counts[name] ?? 0;
  counts[name] = count + by;
}
