/** Puts the real layers on top of each other, fuse → vfs → cache → s3, for `mount.ts`. */
import { setMaxListeners } from 'node:events';
import { ObjectReader } from './cache/object-reader.js';
import { StagingArea } from './cache/staging-area.js';
import { UploadLimiter } from './cache/upload-limiter.js';
import type { MountConfig } from './config.js';
import type { Driver } from './fuse/driver.js';
import { FuseNativeDriver } from './fuse/fuse-native-driver.js';
import { KernelDriver } from './fuse/kernel-driver.js';
import type { KeyRing } from './key-ring.js';
import type { Log } from './log.js';
import type { Stack } from './mount.js';
import { connectAs } from './bucket-access.js';
import type { MountStatistics } from './mount-statistics.js';
import { needsEncryptionHeader } from './policy/needs-encryption-header.js';
import { checkBucket } from './s3/check-bucket.js';
import type { S3Connection } from './s3/connect.js';
import { CountingObjectStore, type StoreCounters } from './s3/counting-object-store.js';
import { RetryPolicy } from './s3/retry-policy.js';
import { RetryingObjectStore } from './s3/retrying-object-store.js';
import { S3ObjectStore } from './s3/s3-object-store.js';
import { BucketFileSystem } from './vfs/bucket-file-system.js';

/** Parts on their way at once, and their bytes: with reading beside it, about what fills a campus link. */
const maxConcurrentUploads = 8;
const maxUploadBytesInFlight = 64 * 1024 * 1024;
/** A request is tried again for about this long; then the caller hears of it, and closes may be tried again. */
const retryElapsedMs = 30_000;
const retryAttempts = 8;

const allPermissions = 0o777;
const filePermissions = 0o666;

/**
 * Connects, checks bucket and key, and builds the layers. Rejects with a StoreError or a MountError whose message is
 * meant for the user.
 */
export async function buildStack(
  config: MountConfig,
  keyRing: KeyRing,
  log: Log,
  signal: AbortSignal,
): Promise<Stack> {
  const driver = config.driver === 'kernel' ? new KernelDriver() : FuseNativeDriver.load();
  // One signal may be listened to by as many requests as are in flight, which is no leak.
  setMaxListeners(0);
  const connection = await connectAs(config, log);
  try {
    const retry = new RetryPolicy({ maxAttempts: retryAttempts, maxElapsedMs: retryElapsedMs, log });
    const extraEncryptionHeader = await needsEncryptionHeader(connection, config.bucket, log, signal);
    const plain = new S3ObjectStore({
      client: connection.client,
      endpoint: connection.endpoint,
      bucket: config.bucket,
      customerKey: keyRing.first,
      otherCustomerKeys: keyRing.others,
      plaintext: config.plaintext,
      maxConcurrentRequests: config.maxConnections,
      copyRetry: retry,
      extraEncryptionHeader,
      log,
    });
    const { bucket, prefix } = config;
    const { endpoint } = connection;
    const found = await checkBucket({ store: plain, bucket, endpoint, keyRing, prefix, log }, signal);
    log.debug({ ...found }, 'the bucket can be read with this key');
    const counting = new CountingObjectStore(plain);
    return assemble(config, driver, retry, counting, connection, log);
  } catch (error) {
    connection.close();
    throw error;
  }
}

function assemble(
  config: MountConfig,
  driver: Driver,
  retry: RetryPolicy,
  counting: CountingObjectStore,
  connection: S3Connection,
  log: Log,
): Stack {
  const store = new RetryingObjectStore(counting, retry);
  const reader = new ObjectReader({ store, cacheBytes: config.cacheBytes, log });
  const area = new StagingArea({
    memoryBytes: config.writeBufferBytes,
    spillDirectory: config.spillDirectory,
    spillBytes: config.spillBytes,
    log,
  });
  const uploads = new UploadLimiter({
    maxConcurrentUploads,
    maxBytesInFlight: maxUploadBytesInFlight,
  });
  const fileSystem = new BucketFileSystem({
    store,
    reader,
    area,
    uploads,
    prefix: config.prefix,
    defaults: {
      uid: config.uid,
      gid: config.gid,
      filePermissions: filePermissions & ~config.umask,
      directoryPermissions: allPermissions & ~config.umask,
    },
    metadataTtlMs: config.metadataTtlMs,
    isReadOnly: config.readOnly,
    log,
  });
  const statistics = (): MountStatistics => {
    const { bytesReceived, bytesSent } = counting.counters();
    const cache = reader.statistics();
    const staged = area.statistics();
    const sending = uploads.statistics();
    return {
      byKind: counting.statistics(),
      failures: counting.failureCodes(),
      retries: retry.retries,
      bytesReceived,
      bytesSent,
      cacheHits: cache.hits,
      cacheMisses: cache.misses,
      cachedBytes: cache.bytesCached,
      stagedBytes: staged.memoryBytes,
      spilledBytes: staged.spilledBytes,
      uploadsInFlight: sending.uploadsInFlight,
      uploadBytesInFlight: sending.bytesInFlight,
      uploadsWaiting: sending.waiting,
      openHandles: fileSystem.statisticsOfCaches().openHandles,
    };
  };
  return {
    driver,
    fileSystem,
    synchronizeAll: () => fileSystem.synchronizeAll(),
    pendingPaths: () => fileSystem.pendingKeys(),
    statistics,
    abandon: () => fileSystem.abandon(),
    close: async () => {
      reader.stop();
      await area.stop();
      connection.close();
      logCounters(counting.counters(), log);
    },
  };
}

function logCounters(counters: StoreCounters, log: Log): void {
  const { requests: byOperation, failures, bytesReceived, bytesSent } = counters;
  const requests = Object.values(byOperation).reduce((sum, count) => sum + count, 0);
  log.info({ requests, bytesReceived, bytesSent, byOperation, failures }, 'store counters');
}
