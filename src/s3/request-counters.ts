/**
 * Counts requests, failures, durations and bytes, for the log, for status, and for tests. It sits below retries and below
 * operations that consist of several requests, so that it sees each request exactly once.
 */
import { StoreError, type StoreErrorCode } from '../errors.js';
import type { RequestStatistics } from '../mount-statistics.js';
import { LatencyHistogram } from './latency-histogram.js';

const requestKinds = [
  'list',
  'head',
  'get',
  'put',
  'createUpload',
  'uploadPart',
  'uploadPartCopy',
  'completeUpload',
  'abortUpload',
  'listParts',
  'copyObject',
  'delete',
  'deleteMany',
  'other', // about the bucket itself
] as const;

export type RequestKind = (typeof requestKinds)[number];

/** The kind of a request that an operation of this name sends, where that is its own name. */
export function kindOfOperation(operation: string): RequestKind {
  return requestKinds.find((kind) => kind === operation) ?? 'other';
}

interface StoreCounters {
  /** By kind; those never sent are absent. */
  readonly requests: Readonly<Partial<Record<RequestKind, number>>>;
  readonly failures: Readonly<Partial<Record<RequestKind, number>>>;
  /** Of objects' content; headers and listings do not count. */
  readonly bytesReceived: number;
  readonly bytesSent: number;
}

export class RequestCounters {
  readonly #requests: Partial<Record<RequestKind, number>> = {};
  readonly #failures: Partial<Record<RequestKind, number>> = {};
  readonly #failureCodes: Partial<Record<StoreErrorCode, number>> = {};
  readonly #inFlight: Partial<Record<RequestKind, number>> = {};
  readonly #latencies: Partial<Record<RequestKind, LatencyHistogram>> = {};
  readonly #now: () => number;
  #bytesReceived = 0;
  #bytesSent = 0;

  /** `now`: monotonic milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  counters(): StoreCounters {
    return {
      requests: { ...this.#requests },
      failures: { ...this.#failures },
      bytesReceived: this.#bytesReceived,
      bytesSent: this.#bytesSent,
    };
  }

  /** By kind; those never sent are absent. */
  statistics(): Partial<Record<RequestKind, RequestStatistics>> {
    const statistics: Partial<Record<RequestKind, RequestStatistics>> = {};
    for (const kind of Object.keys(this.#requests) as RequestKind[]) {
      statistics[kind] = {
        requests: this.#requests[kind] ?? 0,
        failures: this.#failures[kind] ?? 0,
        inFlight: this.#inFlight[kind] ?? 0,
        latency: this.#latencyOf(kind).snapshot(),
      };
    }
    return statistics;
  }

  /** Failures by code, over all kinds. */
  failureCodes(): Readonly<Partial<Record<StoreErrorCode, number>>> {
    return { ...this.#failureCodes };
  }

  /**
   * A bucket that was missing has been made since. That it was missing then was an answer, like that of an object that is not there,
   * and no trouble.
   */
  recountMissingBucket(): void {
    const { NoSuchBucket = 0, NotFound = 0 } = this.#failureCodes;
    if (NoSuchBucket === 0) return;
    this.#failureCodes.NotFound = NotFound + NoSuchBucket;
    delete this.#failureCodes.NoSuchBucket;
  }

  countReceived(bytes: number): void {
    this.#bytesReceived += bytes;
  }

  countSent(bytes: number): void {
    this.#bytesSent += bytes;
  }

  async count<T>(kind: RequestKind, action: () => Promise<T>): Promise<T> {
    increase(this.#requests, kind);
    increase(this.#inFlight, kind);
    const startMs = this.#now();
    try {
      return await action();
    } catch (error) {
      increase(this.#failures, kind);
      if (error instanceof StoreError) increase(this.#failureCodes, error.code);
      throw error;
    } finally {
      increase(this.#inFlight, kind, -1);
      this.#latencyOf(kind).add(this.#now() - startMs);
    }
  }

  #latencyOf(kind: RequestKind): LatencyHistogram {
    return (this.#latencies[kind] ??= new LatencyHistogram());
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
