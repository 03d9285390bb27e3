/** How commands and mounts reach a bucket: the settings for it, and the connection that comes of them. */
import type { AccessConfig } from '../settings/config.js';
import type { KeyRing } from '../keys/key-ring.js';
import type { Log } from '../log.js';
import { loadSetQuickAck } from '../native/set-quick-ack.js';
import type { ObjectStore } from '../object-store.js';
import { needsEncryptionHeader, needsEncryptionHeaderNow } from '../policy/needs-encryption-header.js';
import { keepsVersions, type QuestionOptions } from '../s3/bucket-questions.js';
import { BucketClient } from '../s3/bucket-client.js';
import { checkListing } from '../s3/check-bucket.js';
import { connect, type S3Connection } from '../s3/connect.js';
import { openStore, type WritingRules } from '../s3/open-store.js';
import { PartLister } from '../s3/part-lister.js';
import { RetryPolicy, type RetryOptions } from '../s3/retry-policy.js';

type ConnectionConfig = Omit<AccessConfig, 'bucket' | 'prefix' | 'keyFiles'>;

/** Rejects with a StoreError whose message is meant for the user. Sends nothing. */
export async function connectAs(config: ConnectionConfig, log: Log): Promise<S3Connection> {
  return await connect({
    ...(config.endpoint === undefined ? {} : { endpoint: config.endpoint }),
    ...(config.region === undefined ? {} : { region: config.region }),
    ...(config.profile === undefined ? {} : { profile: config.profile }),
    ...(config.caBundle === undefined ? {} : { caBundle: config.caBundle }),
    allowPlainHttp: config.allowPlainHttp,
    requestTimeoutMs: config.requestTimeoutMs,
    connectTimeoutMs: config.connectTimeoutMs,
    maxSockets: config.maxConnections,
    setQuickAck: loadSetQuickAck(),
    log,
  });
}

/**
 * What a store has to know to write to a bucket. The bucket is known to answer. Without the right to ask, the defaults count.
 */
export async function writingRules(options: QuestionOptions, signal: AbortSignal): Promise<WritingRules> {
  const [extraEncryptionHeader, hasVersions] = await Promise.all([
    needsEncryptionHeader(options, signal),
    keepsVersions(options, signal),
  ]);
  return {
    extraEncryptionHeader,
    // AWS has no such policies.
    ...(options.connection.endpoint && {
      askExtraHeader: (laterSignal) => needsEncryptionHeaderNow(options, laterSignal),
    }),
    keepsVersions: hasVersions,
  };
}

/** An open bucket with everything that commands need to work on it. */
export interface BucketAccess {
  /** With retries. Reads unencrypted objects and those under any key of the ring; writes with the first key. */
  readonly store: ObjectStore;
  readonly keyRing: KeyRing;
  /** For messages, and to tell buckets of the same name apart. */
  readonly server: string;
  /** The parts that the server has of an upload, undefined if it does not know it. */
  readonly listParts: PartLister['listParts'];
  close(): void;
}

/**
 * Rejects with a StoreError whose message is meant for the user if the bucket cannot be listed. `onWaiting` is called for
 * requests that get no answer for seconds.
 */
export async function openBucket(
  config: AccessConfig,
  keyRing: KeyRing,
  log: Log,
  signal: AbortSignal,
  onWaiting?: RetryOptions['onWaiting'],
): Promise<BucketAccess> {
  const retry = new RetryPolicy({ maxElapsedMs: config.retryMs, log, ...(onWaiting && { onWaiting }) });
  const connection = await connectAs(config, log);
  const { bucket, prefix, maxConnections: maxConcurrentRequests } = config;
  const source = { connection, bucket, plaintext: 'read', maxConcurrentRequests, log } as const;
  try {
    const { store } = await openStore(
      { ...source, keyRing, prefix, retry, check: checkListing, askRules: writingRules },
      signal,
    );
    const requests = new BucketClient({ access: connection, bucket, maxConcurrentRequests, log });
    const lister = new PartLister(requests, retry);
    return {
      store,
      keyRing,
      server: connection.endpoint?.host ?? 'AWS',
      listParts: (key, uploadId, partSignal) => lister.listParts(key, uploadId, partSignal),
      close: () => connection.close(),
    };
  } catch (error) {
    connection.close();
    throw error;
  }
}
