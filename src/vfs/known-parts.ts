/**
 * What is known of the bucket, and the nodes. A part of the file system says by `Pick` which of these it uses; `StoringParts` and
 * `WorkingParts` add what is built upon them, and `file-system-parts.ts` builds them all.
 */
import type { BlockReader } from '../cache/block-reader.js';
import type { Clock } from '../clock.js';
import type { KernelCaches } from '../file-system.js';
import type { Log } from '../log.js';
import type { ObjectStore } from '../object-store.js';
import type { Freshness } from './freshness.js';
import type { InodeTable } from './inode-table.js';
import type { KnownMarkers } from './known-markers.js';
import type { ListedDirectories } from './listed-directories.js';
import type { ObjectInfoCache } from './object-info-cache.js';
import type { Resolver } from './resolver.js';
import type { AttributeDefaults } from './stored-attributes.js';
import type { Superseder } from './superseder.js';

export interface KnownParts {
  readonly store: ObjectStore;
  readonly reader: BlockReader;
  readonly infos: ObjectInfoCache;
  readonly listed: ListedDirectories;
  readonly knownMarkers: KnownMarkers;
  readonly resolver: Resolver;
  readonly inodes: InodeTable;
  readonly superseder: Superseder;
  readonly freshness: Freshness;
  readonly defaults: AttributeDefaults;
  /** It comes and goes with the mount. */
  readonly kernel: () => KernelCaches;
  readonly clock: Clock;
  readonly log: Log;
}
