/** The layers of a mount of all buckets: the account's file system, and the layers of each bucket that is used. */
import { AccountFileSystem } from '../account/account-file-system.js';
import type { Buckets } from '../account/buckets.js';
import { attributeDefaultsOf, openBucketLayers } from './bucket-layers.js';
import { ObjectInfoCache } from '../vfs/object-info-cache.js';
import type { MountConfig } from '../settings/config.js';
import { FsError, StoreError } from '../errors.js';
import type { KeyRing } from '../keys/key-ring.js';
import { makeMissingBucket } from './make-missing-bucket.js';
import type { Stack } from './stack.js';
import { closeResources, statisticsOf, type MountResources } from './mount-resources.js';
import { hasBucket, listBuckets } from '../s3/account.js';
import { serverCodeOf } from '../s3/error-codes.js';
import { explainBucketFailure } from '../s3/explain-bucket-failure.js';
import { firstAnswerRetry, RetryPolicy } from '../s3/retry-policy.js';

/**
 * Lists the buckets first, to find out whether server and credentials are right. Credentials that may not list can still enter
 * a bucket by its name. Rejects with a StoreError whose message is meant for the user.
 */
export async function accountStack(
  config: MountConfig,
  resources: MountResources,
  keyRing: KeyRing,
  signal: AbortSignal,
): Promise<Omit<Stack, 'driver'>> {
  const { log, connection } = resources;
  const buckets = bucketsOf(config, resources, keyRing);
  try {
    // A user waits for the answer, and hears soon what is wrong.
    const first = new RetryPolicy({ ...firstAnswerRetry, log });
    const { length } = await asked(resources, first, 'LIST BUCKETS', signal, listBuckets);
    log.debug({ count: length }, 'the buckets can be listed');
  } catch (error) {
    if (!(error instanceof StoreError) || error.code === 'Aborted') throw error;
    if (serverCodeOf(error) !== 'AccessDenied') {
      throw explainBucketFailure(error, { bucket: '', endpoint: connection.endpoint, keyRing });
    }
    log.warn(
      {},
      'these credentials may not list buckets: the top shows none, each can be entered by its name',
    );
  }
  const fileSystem = new AccountFileSystem({
    buckets,
    defaults: attributeDefaultsOf(config),
    metadataTtlMs: config.metadataTtlMs,
    negativeTtlMs: config.negativeTtlMs,
    isReadOnly: config.readOnly,
    log,
  });
  return {
    fileSystem,
    synchronizeAll: (scope) => fileSystem.synchronizeAll(scope),
    pending: () => fileSystem.pending(),
    statistics: () => statisticsOf(resources, fileSystem.openHandles),
    abandon: () => fileSystem.abandon(),
    close: () => closeResources(resources),
  };
}

/** Asks with retries, each time with the current credentials. */
async function asked<T>(
  { connection: { client, renewal } }: MountResources,
  retry: RetryPolicy,
  what: string,
  signal: AbortSignal,
  ask: (client: MountResources['connection']['client'], signal: AbortSignal) => Promise<T>,
): Promise<T> {
  return await retry.run(what, () => renewal.run(() => ask(client, signal)), signal);
}

function bucketsOf(config: MountConfig, resources: MountResources, keyRing: KeyRing): Buckets {
  const { retry, infos } = resources;
  return {
    list: (signal) => asked(resources, retry, 'LIST BUCKETS', signal, listBuckets),
    exists: (name, signal) =>
      asked(resources, retry, `HEAD BUCKET ${name}`, signal, (client) => hasBucket(client, name, signal)),
    make: config.create
      ? async (name, signal) => {
          try {
            await makeMissingBucket(name, config, resources, signal);
          } catch (error) {
            const code = error instanceof StoreError ? serverCodeOf(error) : undefined;
            if (code === 'InvalidBucketName') {
              throw new FsError('EINVAL', `mkdir ${name}: the server allows no bucket of that name`, {
                cause: error,
              });
            }
            if (code === 'TooManyBuckets') {
              throw new FsError('EDQUOT', `mkdir ${name}: the server allows no more buckets`, {
                cause: error,
              });
            }
            resources.log.warn({ bucket: name, err: error }, 'a bucket could not be made');
            throw error;
          }
        }
      : undefined,
    open: (bucket, signal) => {
      const { name, createdAtMs } = bucket;
      const scope = new ObjectInfoCache(infos, `${name}/`);
      const options = { bucket: name, prefix: '', createdAtMs, infos: scope, firstRetry: retry };
      return openBucketLayers(options, resources, config, keyRing, signal);
    },
  };
}
