/** Puts the real layers on top of each other, fuse → vfs → cache → s3, for `mount.ts`. */
import { accountStack } from './account-stack.js';
import { openBucketLayers, type BucketLayers } from './bucket-layers.js';
import type { MountConfig } from '../settings/config.js';
import { StoreError } from '../errors.js';
import { FuseNativeDriver } from '../fuse/fuse-native-driver.js';
import { KernelDriver } from '../fuse/kernel-driver.js';
import type { KeyRing } from '../keys/key-ring.js';
import type { Log } from '../log.js';
import { makeMissingBucket } from './make-missing-bucket.js';
import type { Stack } from './stack.js';
import { closeResources, openResources, statisticsOf, type MountResources } from './mount-resources.js';
import { serverCodeOf } from '../s3/error-codes.js';
import { explainBucketFailure } from '../s3/explain-bucket-failure.js';

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
  const resources = await openResources(config, log);
  try {
    const layers =
      config.bucket === undefined
        ? await accountStack(config, resources, keyRing, signal)
        : await bucketStack(config.bucket, config, resources, keyRing, signal);
    return { driver, ...layers };
  } catch (error) {
    await closeResources(resources);
    throw error;
  }
}

async function bucketStack(
  bucket: string,
  config: MountConfig,
  resources: MountResources,
  keyRing: KeyRing,
  signal: AbortSignal,
): Promise<Omit<Stack, 'driver'>> {
  const open = () => openBucketLayers({ bucket, prefix: config.prefix }, resources, config, keyRing, signal);
  let news: string | undefined;
  const { fileSystem, close } = await open().catch(async (error: unknown): Promise<BucketLayers> => {
    if (!(error instanceof StoreError)) throw error;
    if (!config.create) {
      if (error.code !== 'NoSuchBucket') throw error;
      throw new StoreError(error.code, `${error.message}; --create makes it`, { cause: error.cause });
    }
    if (error.code === 'AccessDenied' && serverCodeOf(error) === 'AccessDenied') {
      throw new StoreError(error.code, `${error.message}; the name is taken`, { cause: error.cause });
    }
    if (error.code !== 'NoSuchBucket') throw error;
    news = await makeMissingBucket(bucket, config, resources, signal).catch((failure: unknown) => {
      if (!(failure instanceof StoreError) || failure.cause === undefined) throw failure;
      const { endpoint } = resources.connection;
      const { message } = explainBucketFailure(failure, { bucket, endpoint, keyRing });
      throw new StoreError(failure.code, `there is no bucket ${bucket}, and it cannot be made: ${message}`, {
        cause: failure.cause,
      });
    });
    resources.counters.recountMissingBucket();
    return await open();
  });
  return {
    ...(news !== undefined && { news }),
    fileSystem,
    synchronizeAll: (scope) => fileSystem.synchronizeAll(scope),
    pending: () => fileSystem.pending(),
    statistics: () => statisticsOf(resources, fileSystem.statisticsOfCaches().openHandles),
    abandon: () => fileSystem.abandon(),
    close: async () => {
      close();
      await closeResources(resources);
    },
  };
}
