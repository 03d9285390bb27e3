/** The statistics of a mount: counters since its start, and what is under way now. */
import { isStoreErrorCode, storeErrorFacts } from './store-error-facts.js';

/** Requests of one kind. */
export interface RequestStatistics {
  readonly requests: number;
  readonly failures: number;
  readonly inFlight: number;
  readonly latency: LatencyCounts;
}

export interface LatencyCounts {
  /** How many ended within each of `latencyBoundsMs`, not counting those within a smaller one; last, all that took longer. */
  readonly counts: readonly number[];
  readonly sumMs: number;
}

/** Upper ends of the buckets. The last is more than the time limits of ordinary requests. */
export const latencyBoundsMs = [
  1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1_000, 2_000, 5_000, 10_000, 30_000,
  60_000,
] as const;

export interface MountStatistics {
  /** By `RequestKind`; kinds that were never sent are absent. Every request counts, also of copies and repetitions. */
  readonly byKind: Readonly<Partial<Record<string, RequestStatistics>>>;
  /** Failures by `StoreErrorCode`. */
  readonly failures: Readonly<Partial<Record<string, number>>>;
  readonly retries: number;
  /** Bytes of objects' content, from and to the server. */
  readonly bytesReceived: number;
  readonly bytesSent: number;
  /** Blocks of objects: found in memory or on their way, and fetched. */
  readonly cacheHits: number;
  readonly cacheMisses: number;
  readonly cachedBytes: number;
  /** Written, and not in the bucket yet: in memory, and in the spill file. */
  readonly stagedBytes: number;
  readonly spilledBytes: number;
  readonly uploadsInFlight: number;
  readonly uploadBytesInFlight: number;
  readonly uploadsWaiting: number;
  readonly openHandles: number;
  /** Why nothing is sent to the server any more, for people to read; absent as long as all is well. */
  readonly writeRefusal?: string;
}

/** Something that the bucket does not have yet. */
export interface Pending {
  /** Its key; below the names of buckets where a mount shows them all. */
  readonly path: string;
  /** Why the last try to store it failed; undefined if none did. */
  readonly reason: PendingReason | undefined;
}

/** Why something is not in the bucket, although it was tried. */
export interface PendingReason {
  /** For people to read. */
  readonly text: string;
  /** The server refuses it as it is, and nothing of it is on its way. */
  readonly isRefused: boolean;
}

/** One mount as a whole, for `osirisfs status` and for metrics. */
export interface MountStatus {
  readonly pid: number;
  readonly mountpoint: string;
  /** `BUCKET` or `BUCKET/PREFIX`. */
  readonly source: string;
  /** ISO 8601. */
  readonly startedAt: string;
  /** What the bucket does not have yet: the first few of `pendingCount`. */
  readonly pending: readonly string[];
  readonly pendingCount: number;
  /** By path: why the last try to store it failed. What is on its way, or was not tried yet, is absent. */
  readonly pendingReasons?: Readonly<Partial<Record<string, string>>> | undefined;
  readonly statistics?: MountStatistics | undefined;
}

/** The number of failures that mean trouble. */
export function countErrors({ failures }: MountStatistics): number {
  let count = 0;
  for (const [code, failed] of Object.entries(failures)) {
    if (!isStoreErrorCode(code) || storeErrorFacts[code].isTrouble !== false) count += failed ?? 0;
  }
  return count;
}

/**
 * The time within which `share` (0 to 1) of the requests ended, taken as evenly spread within each bucket; undefined without
 * requests. What took longer than the last bound counts as that bound.
 */
export function latencyQuantileMs({ counts }: LatencyCounts, share: number): number | undefined {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return undefined;
  let below = 0;
  let lowerMs = 0;
  for (const [index, upperMs] of latencyBoundsMs.entries()) {
    const count = counts[index] ?? 0;
    if (count > 0 && below + count >= share * total) {
      return lowerMs + ((share * total - below) / count) * (upperMs - lowerMs);
    }
    below += count;
    lowerMs = upperMs;
  }
  return lowerMs;
}
