/** What an account's file system asks for: which buckets there are, and the file system of one. The stack implements it. */
import type { BucketFileSystem } from '../vfs/bucket-file-system.js';

export interface BucketFacts {
  readonly name: string;
  /** Undefined if nobody told. */
  readonly createdAtMs: number | undefined;
}

export interface OpenBucket {
  readonly fileSystem: BucketFileSystem;
  /** After the file system has stopped. */
  readonly close: () => void;
}

/** Every method rejects with a StoreError or an FsError. */
export interface Buckets {
  /** Those of the credentials' owner. */
  list(signal: AbortSignal): Promise<readonly BucketFacts[]>;
  /** Whether there is a bucket of that name, anybody's; `AccessDenied` if it is not for these credentials. */
  exists(name: string, signal: AbortSignal): Promise<boolean>;
  /** Undefined where no buckets are to be made. */
  readonly make: ((name: string, signal: AbortSignal) => Promise<void>) | undefined;
  /** Checks bucket and customer key first. */
  open(bucket: BucketFacts, signal: AbortSignal): Promise<OpenBucket>;
}
