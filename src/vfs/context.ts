/** What the parts of the file system share: built once by `BucketFileSystem`, passed to each part. */
import type { ObjectInfoCache } from './object-info-cache.js';
import type { BlockReader } from '../cache/block-reader.js';
import type { KernelCaches } from '../file-system.js';
import type { Log } from '../log.js';
import type { ObjectStore } from '../object-store.js';
import type { Clock } from '../clock.js';
import type { DirectoryMarkers } from './directory-markers.js';
import type { FileContents } from './file-contents.js';
import type { IdleInodes } from './idle-inodes.js';
import type { InodeTable } from './inode-table.js';
import type { KnownMarkers } from './known-markers.js';
import type { ObjectRewriter } from './object-rewriter.js';
import type { Reopenings } from './reopenings.js';
import type { Resolver } from './resolver.js';
import type { AttributeDefaults } from './stored-attributes.js';
import type { StoredRecords } from './stored-records.js';
import type { WriteBack } from './write-back.js';

/**
 * Asked before what is stored under `key` is changed, other than by its deletion: rejects, with a StoreError, if that would not be
 * encrypted; undefined if it is known that it would be.
 */
export type ProveEncryption = (key: string, signal: AbortSignal) => Promise<void> | undefined;

export interface VfsContext {
  readonly store: ObjectStore;
  readonly reader: BlockReader;
  readonly rewriter: ObjectRewriter;
  readonly markers: DirectoryMarkers;
  readonly infos: ObjectInfoCache;
  readonly inodes: InodeTable;
  readonly idleInodes: IdleInodes;
  readonly contents: FileContents;
  readonly records: StoredRecords;
  readonly resolver: Resolver;
  readonly knownMarkers: KnownMarkers;
  readonly writeBack: WriteBack;
  readonly defaults: AttributeDefaults;
  readonly metadataTtlMs: number;
  readonly reopenings: Reopenings;
  readonly isReadOnly: boolean;
  readonly proveEncryption: ProveEncryption;
  readonly clock: Clock;
  readonly log: Log;
  /** Set by `start`; before it nothing is cached in the kernel. */
  kernel: KernelCaches;
}
