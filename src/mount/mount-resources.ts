/** What a mount has once, however many buckets it shows: the connection, the limits, the memory, the counters. */
import { connectAs } from './bucket-access.js';
import { ObjectInfoCache } from '../vfs/object-info-cache.js';
import { ReadMemory } from '../cache/read-memory.js';
import { StagingArea } from '../staging/staging-area.js';
import { Limiter } from '../concurrency/limiter.js';
import { lockRanks } from '../concurrency/lock-order.js';
import type { MountConfig } from '../settings/config.js';
import type { Log } from '../log.js';
import type { MountStatistics } from '../mount-statistics.js';
import type { S3Connection } from '../s3/connect.js';
import { EncryptionProof } from '../s3/encryption-proof.js';
import { RequestCounters } from '../s3/request-counters.js';
import { RequestSlots } from '../s3/request-slots.js';
import { RetryPolicy } from '../s3/retry-policy.js';
import { defaultKnownObjects, defaultListedEntries } from '../vfs/file-system-parts.js';
import { ListedDirectories } from '../vfs/listed-directories.js';

/** Limits for parts being uploaded: with reads beside them, about what fills a campus link. */
const maxConcurrentUploads = 8;
const maxUploadBytesInFlight = 64 * 1024 * 1024;

export interface MountResources {
  readonly connection: S3Connection;
  readonly retry: RetryPolicy;
  readonly encryptionProof: EncryptionProof;
  readonly slots: RequestSlots;
  readonly counters: RequestCounters;
  readonly memory: ReadMemory;
  readonly area: StagingArea;
  readonly uploads: Limiter;
  readonly infos: ObjectInfoCache;
  readonly listed: ListedDirectories;
  readonly log: Log;
}

/** Rejects with a StoreError whose message is meant for the user. Sends nothing. */
export async function openResources(config: MountConfig, log: Log): Promise<MountResources> {
  const connection = await connectAs(config, log);
  return {
    connection,
    retry: new RetryPolicy({ maxElapsedMs: config.retryMs, log }),
    encryptionProof: new EncryptionProof(log),
    slots: new RequestSlots(config.maxConnections),
    counters: new RequestCounters(),
    memory: new ReadMemory({ cacheBytes: config.cacheBytes }),
    area: new StagingArea({
      memoryBytes: config.writeBufferBytes,
      spillDirectory: config.spillDirectory,
      spillBytes: config.spillBytes,
      log,
    }),
    uploads: new Limiter({
      maxTasks: maxConcurrentUploads,
      maxBytes: maxUploadBytesInFlight,
      rank: lockRanks.uploads,
    }),
    infos: new ObjectInfoCache(defaultKnownObjects),
    listed: new ListedDirectories(defaultListedEntries),
    log,
  };
}

/** Call it after everything that uses the resources has stopped. */
export async function closeResources({ area, connection, counters, log }: MountResources): Promise<void> {
  await area.stop();
  connection.close();
  const { requests: byOperation, failures, bytesReceived, bytesSent } = counters.counters();
  const requests = Object.values(byOperation).reduce((sum, count) => sum + count, 0);
  log.info({ requests, bytesReceived, bytesSent, byOperation, failures }, 'store counters');
}

export function statisticsOf(
  { counters, memory, area, uploads, retry, encryptionProof }: MountResources,
  openHandles: number,
): MountStatistics {
  const { bytesReceived, bytesSent } = counters.counters();
  const cache = memory.statistics();
  const staged = area.statistics();
  const sending = uploads.statistics();
  return {
    byKind: counters.statistics(),
    failures: counters.failureCodes(),
    retries: retry.retries,
    bytesReceived,
    bytesSent,
    cacheHits: cache.hits,
    cacheMisses: cache.misses,
    cachedBytes: cache.bytesCached,
    stagedBytes: staged.memoryBytes,
    spilledBytes: staged.spilledBytes,
    uploadsInFlight: sending.tasks,
    uploadBytesInFlight: sending.bytes,
    uploadsWaiting: sending.waiting,
    openHandles,
    ...(encryptionProof.refusal !== undefined && { writeRefusal: encryptionProof.refusal }),
  };
}
