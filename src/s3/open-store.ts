/**
 * Builds the store of a bucket from a connection and a key ring, and checks the bucket first. The caller closes the connection.
 */
import type { KeyRing } from '../keys/key-ring.js';
import type { QuestionOptions } from './bucket-questions.js';
import { checkBucket, type BucketCheck, type CheckBucketOptions } from './check-bucket.js';
import { EncryptionProof } from './encryption-proof.js';
import type { RetryPolicy } from './retry-policy.js';
import { RetryingObjectStore } from './retrying-object-store.js';
import { S3ObjectStore, type S3StoreOptions } from './s3-object-store.js';

type Named = 'bucket' | 'plaintext' | 'log' | 'counters' | 'encryptionProof' | 'maxConcurrentRequests';

interface StoreSource extends Pick<S3StoreOptions, Named> {
  readonly connection: QuestionOptions['connection'];
  /** The first key encrypts what is written, all of them decrypt. */
  readonly keyRing: KeyRing;
  /** The check looks only at keys that begin with this. */
  readonly prefix: string;
}

export type WritingRules = Pick<S3StoreOptions, 'extraEncryptionHeader' | 'askExtraHeader' | 'keepsVersions'>;

interface OpenStoreOptions<Found> extends StoreSource {
  /** For everything after the check. */
  readonly retry: RetryPolicy;
  /** For the check. Default: a user waits for the answer, and hears soon what is wrong. */
  readonly firstRetry?: RetryPolicy | undefined;
  /** `checkBucket` or `checkListing`. */
  readonly check: (options: CheckBucketOptions, signal: AbortSignal) => Promise<Found>;
  /** What writes to the bucket have to bring. Only a bucket that answers is asked. */
  readonly askRules: (options: QuestionOptions, signal: AbortSignal) => Promise<WritingRules>;
}

/** For callers that write nothing. Rejects as `checkBucket`. */
export async function checkStore(source: StoreSource, signal: AbortSignal): Promise<BucketCheck> {
  return await checkBucket({ ...source, ...firstStoreOf(source) }, signal);
}

/** A store with retries, and what the check found. Rejects as the check does, with a StoreError whose message is meant for the user. */
export async function openStore<Found>(options: OpenStoreOptions<Found>, signal: AbortSignal) {
  const { retry, firstRetry, check, askRules, ...source } = options;
  const { storeOptions, ...first } = firstStoreOf(source);
  const found = await check({ ...source, ...first, ...(firstRetry && { retry: firstRetry }) }, signal);
  const rules = await askRules({ ...source, retry }, signal);
  const store = new S3ObjectStore({ ...storeOptions, ...rules, copyRetry: retry });
  return {
    store: new RetryingObjectStore(store, retry),
    found,
    /** `S3ObjectStore.proveEncryption` with retries. Undefined if there is nothing to find out. */
    proveEncryption: (key: string, proofSignal: AbortSignal) =>
      store.isEncryptionSettled
        ? undefined
        : retry.run(`proof ${key}`, () => store.proveEncryption(key, proofSignal), proofSignal),
  };
}

/** A store for the check, which only reads. The later store shares what is known about the server's encryption. */
function firstStoreOf({ connection, keyRing, ...source }: StoreSource) {
  const { endpoint } = connection;
  const storeOptions: S3StoreOptions = {
    encryptionProof: new EncryptionProof(source.log),
    ...source,
    access: connection,
    endpoint,
    customerKey: keyRing.first,
    otherCustomerKeys: keyRing.others,
  };
  return { storeOptions, store: new S3ObjectStore(storeOptions), endpoint };
}
