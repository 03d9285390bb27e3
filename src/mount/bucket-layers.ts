/** The layers of one bucket on top of each other, vfs → cache → s3, on the resources of the mount. */
import { writingRules } from './bucket-access.js';
import { BlockReader } from '../cache/block-reader.js';
import type { ObjectInfoCache } from '../vfs/object-info-cache.js';
import type { MountConfig } from '../settings/config.js';
import type { KeyRing } from '../keys/key-ring.js';
import type { MountResources } from './mount-resources.js';
import { checkBucket } from '../s3/check-bucket.js';
import { openStore } from '../s3/open-store.js';
import type { RetryPolicy } from '../s3/retry-policy.js';
import { BucketFileSystem } from '../vfs/bucket-file-system.js';
import type { AttributeDefaults } from '../vfs/stored-attributes.js';

interface BucketLayersOptions {
  readonly bucket: string;
  readonly prefix: string;
  /** What the top directory shows for its times; default now. */
  readonly createdAtMs?: number | undefined;
  /** A part of the mount's. Default: all of it. */
  readonly infos?: ObjectInfoCache;
  /** For the first requests. Default: a user waits for the answer, and hears soon what is wrong. */
  readonly firstRetry?: RetryPolicy;
}

export interface BucketLayers {
  readonly fileSystem: BucketFileSystem;
  /** After the file system has stopped. */
  readonly close: () => void;
}

const allPermissions = 0o777;
const filePermissions = 0o644;
const directoryPermissions = 0o755;
const nanosecondsPerMillisecond = 1_000_000n;

/** Checks bucket and key first. Rejects with a StoreError whose message is meant for the user. */
export async function openBucketLayers(
  { bucket, prefix, createdAtMs, infos, firstRetry }: BucketLayersOptions,
  resources: MountResources,
  config: MountConfig,
  keyRing: KeyRing,
  signal: AbortSignal,
): Promise<BucketLayers> {
  const { connection, retry, slots, counters, memory, area, uploads, listed, encryptionProof, log } =
    resources;
  const { store, found, proveEncryption } = await openStore(
    {
      connection,
      bucket,
      keyRing,
      prefix,
      plaintext: config.plaintext,
      maxConcurrentRequests: slots,
      counters,
      encryptionProof,
      retry,
      firstRetry,
      check: checkBucket,
      askRules: writingRules,
      log,
    },
    signal,
  );
  log.debug({ bucket, ...found }, 'the bucket can be read with this key');
  const reader = new BlockReader({ store, memory, log });
  const fileSystem = new BucketFileSystem({
    store,
    reader,
    area,
    uploads,
    infos: infos ?? resources.infos,
    listed,
    prefix,
    defaults: attributeDefaultsOf(config),
    ...(createdAtMs !== undefined && { rootTimeNs: BigInt(createdAtMs) * nanosecondsPerMillisecond }),
    metadataTtlMs: config.metadataTtlMs,
    negativeTtlMs: config.negativeTtlMs,
    isReadOnly: config.readOnly,
    proveEncryption,
    maxHoleBytes: config.maxHoleBytes,
    log,
  });
  return { fileSystem, close: () => reader.stop() };
}

export function attributeDefaultsOf({ uid, gid, umask }: MountConfig): AttributeDefaults {
  const permissions = umask === undefined ? undefined : allPermissions & ~umask;
  return {
    uid: uid ?? process.getuid?.() ?? 0,
    gid: gid ?? process.getgid?.() ?? 0,
    filePermissions: permissions ?? filePermissions,
    directoryPermissions: permissions ?? directoryPermissions,
    overrides: {
      ...(uid !== undefined && { uid }),
      ...(gid !== undefined && { gid }),
      ...(permissions !== undefined && { permissions }),
    },
  };
}
