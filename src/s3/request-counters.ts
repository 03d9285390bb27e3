/** Counts requests, failures, durations and bytes: for the log, for status, and for tests of what is moved. */
import { StoreError, type StoreErrorCode } from '../errors.js';
import type { RequestStatistics } from '../mount-statistics.js';
import type { ObjectStore } from '../object-store.js';
import { LatencyHistogram } from './latency-histogram.js';

export type StoreOperation = Exclude<keyof ObjectStore, 'limits'>;

export interface StoreCounters {
  /** By operation; those never called are absent. */
  readonly requests: Readonly<Partial<Record<StoreOperation, number>>>;
  readonly failures: Readonly<Partial<Record<StoreOperation, number>>>;
  /** Of objects' content; headers and listings do not count. */
  readonly bytesReceived: number;
  readonly bytesSent: number;
}

export class RequestCounters {
  readonly #requests: Partial<Record<StoreOperation, number>> = {};
  readonly #failures: Partial<Record<StoreOperation, number>> = {};
  readonly #failureCodes: Partial<Record<StoreErrorCode, number>> = {};
  readonly #inFlight: Partial<Record<StoreOperation, number>> = {};
  readonly #latencies: Partial<Record<StoreOperation, LatencyHistogram>> = {};
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

  countReceived(bytes: number): void {
    this.#bytesReceived += bytes;
  }

  countSent(bytes: number): void {
    this.#bytesSent += bytes;
  }

  async count<T>(operation: StoreOperation, action: () => Promise<T>): Promise<T> {
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
