/**
 * Finds out before a mount whether the bucket can be used, and if not, says in one line what is wrong and what to do.
 */
import { StoreError, type StoreErrorCode } from '../errors.js';
import type { KeyRing } from '../keys/key-ring.js';
import type { Log } from '../log.js';
import type { ListedObject, ObjectStore } from '../object-store.js';
import { explainBucketFailure } from './explain-bucket-failure.js';
import { firstAnswerRetry, RetryPolicy } from './retry-policy.js';
import { RetryingObjectStore } from './retrying-object-store.js';

export interface CheckBucketOptions {
  /** Without retries of its own. */
  readonly store: ObjectStore;
  /** For messages, as the next three. */
  readonly bucket: string;
  readonly endpoint: URL | undefined;
  readonly keyRing: KeyRing;
  readonly log: Log;
  /** Only keys that begin with this are looked at. */
  readonly prefix: string;
  /** Default: a user waits for the answer, and hears soon what is wrong. */
  readonly retry?: RetryPolicy;
}

/** What the check found about the objects that it looked at. */
export interface BucketCheck {
  readonly sampled: number;
  /** The customer key fits these. */
  readonly encrypted: number;
  readonly plaintext: number;
  /** Encrypted under none of the customer keys; there are others that one of them fits. */
  readonly otherKey: number;
}

const listedKeys = 100;
const maxSamples = 5;

/**
 * Lists the bucket and asks for a few of its objects with the customer key. Rejects with a StoreError whose message is
 * meant for the user; `WrongCustomerKey` if the key fits none of the encrypted objects looked at.
 */
export async function checkBucket(options: CheckBucketOptions, signal: AbortSignal): Promise<BucketCheck> {
  const store = retrying(options);
  try {
    const { objects } = await store.list({ prefix: options.prefix, maxKeys: listedKeys }, signal);
    return await checkSamples(store, chooseSamples(objects), signal);
  } catch (error) {
    if (!(error instanceof StoreError) || error.code === 'Aborted') throw error;
    throw explainBucketFailure(error, options);
  }
}

/** Checks only whether the bucket can be listed. Rejects as `checkBucket`. */
export async function checkListing(options: CheckBucketOptions, signal: AbortSignal): Promise<void> {
  const store = retrying(options);
  try {
    await store.list({ prefix: options.prefix, maxKeys: 1 }, signal);
  } catch (error) {
    if (!(error instanceof StoreError) || error.code === 'Aborted') throw error;
    throw explainBucketFailure(error, options);
  }
}

function retrying({ store, retry, log }: CheckBucketOptions): ObjectStore {
  return new RetryingObjectStore(store, retry ?? new RetryPolicy({ ...firstAnswerRetry, log }));
}

async function checkSamples(
  store: ObjectStore,
  samples: readonly ListedObject[],
  signal: AbortSignal,
): Promise<BucketCheck> {
  const counts = { sampled: 0, encrypted: 0, plaintext: 0, otherKey: 0 };
  let wrongKey: StoreError | undefined;
  let denied: StoreError | undefined;
  let odd: StoreError | undefined;
  await Promise.all(
    samples.map(async ({ key }) => {
      try {
        const { isEncrypted } = await store.head(key, signal);
        counts[isEncrypted ? 'encrypted' : 'plaintext'] += 1;
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
        if (error.code === 'NotFound') return; // deleted since
        if (error.code === 'WrongCustomerKey') {
          counts.otherKey += 1;
          wrongKey ??= error;
        } else if (error.code === 'AccessDenied') {
          denied ??= error;
        } else if (oddCodes.has(error.code)) {
          odd ??= error;
        } else {
          throw error;
        }
      }
      counts.sampled += 1;
    }),
  );
  if (counts.encrypted === 0 && wrongKey) throw wrongKey;
  if (counts.encrypted + counts.plaintext === 0 && denied) throw denied;
  // A single object may have headers that no client can read. That says nothing about the server.
  if (odd && counts.encrypted + counts.plaintext + counts.otherKey === 0) {
    if (samples.length > 1 || !damagedCodes.has(odd.code)) throw odd;
  }
  return counts;
}

/** One object can cause these alone: its reply makes no sense, or the server fails on what it stores of it. */
const damagedCodes: ReadonlySet<StoreErrorCode> = new Set(['CorruptReply', 'ServerError']);
/** One object can cause these, and so can the server as a whole. */
const oddCodes: ReadonlySet<StoreErrorCode> = new Set([...damagedCodes, 'InvalidRequest', 'NotImplemented']);

/** Spreads the samples over the listing, since neighbours were often written together. */
function chooseSamples(objects: readonly ListedObject[]): readonly ListedObject[] {
  const step = Math.max(1, objects.length / maxSamples);
  return objects.filter((_, index) => Math.floor(index % step) === 0).slice(0, maxSamples);
}
