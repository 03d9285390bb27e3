/** Puts the real layers on top of each other, fuse → vfs → cache → s3, for `mount.ts`. */
import { openBucketLayers } from './bucket-layers.js';
import type { MountConfig } from './config.js';
import type { Driver } from './fuse/driver.js';
import { FuseNativeDriver } from './fuse/fuse-native-driver.js';
import { KernelDriver } from './fuse/kernel-driver.js';
import type { KeyRing } from './key-ring.js';
import type { Log } from './log.js';
import type { Stack } from './mount.js';
import { closeResources, openResources, statisticsOf, type MountResources } from './mount-resources.js';

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
    return await stackOfBucket(config, driver, resources, keyRing, signal);
  } catch (error) {
    await closeResources(resources);
    throw error;
  }
}

async function stackOfBucket(
  config: MountConfig,
  driver: Driver,
  resources: MountResources,
  keyRing: KeyRing,
  signal: AbortSignal,
): Promise<Stack> {
  const { bucket, prefix } = config;
  const { fileSystem, close } = await openBucketLayers(
    { bucket, prefix },
    resources,
    config,
    keyRing,
    signal,
  );
  return {
    driver,
    fileSystem,
    synchronizeAll: () => fileSystem.synchronizeAll(),
    pendingPaths: () => fileSystem.pendingKeys(),
    statistics: () => statisticsOf(resources, fileSystem.statisticsOfCaches().openHandles),
    abandon: () => fileSystem.abandon(),
    close: async () => {
      close();
      await closeResources(resources);
    },
  };
}
