/** What an account's file system asks for: which buckets there are, and the file system of one. The stack implements it. */
import type { BucketFileSystem } from '../vfs/bucket-file-system.js';

export interface BucketFacts {
  readonly name: string;
  /** Undefined if unknown. */
  readonly createdAtMs: number | undefined;
}

export interface OpenBucket {
  readonly fileSystem: BucketFileSystem;
  /** After the file system has stopped. */
  readonly close: () => void;
}

/** Every method rejects with a StoreError or an FsError. */
export interface Buckets {
  /** The buckets that the owner of the credentials has. */
  list(signal: AbortSignal): Promise<readonly BucketFacts[]>;
  /** Whether a bucket of that name exists, whoever owns it. Rejects with `AccessDenied` if these credentials may not use it. */
  exists(name: string, signal: AbortSignal): Promise<boolean>;
  /** Undefined if the mount makes no buckets. */
  readonly make: ((name: string, signal: AbortSignal) => Promise<void>) | undefined;
  /** Checks bucket and customer key first. */
  open(bucket: BucketFacts, signal: AbortSignal): Promise<OpenBucket>;
}
