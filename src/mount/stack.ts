/** What a mount is made of, once it is put together. */
import type { FileSystem } from '../file-system.js';
import type { Driver } from '../fuse/driver.js';
import type { KeyRing } from '../keys/key-ring.js';
import type { Log } from '../log.js';
import type { MountStatistics, Pending } from '../mount-statistics.js';
import type { MountConfig } from '../settings/config.js';
import type { Scope } from '../vfs/drain.js';

/** The layers of one mount, and the ends that stick out of them. */
export interface Stack {
  readonly driver: Driver;
  /** What was done on the way that people should hear of, a sentence without its full stop. */
  readonly news?: string;
  readonly fileSystem: FileSystem;
  /** Resolves when the bucket has everything that was changed before the call, or of that what was closed. */
  synchronizeAll(scope: Scope): Promise<void>;
  /** What the bucket does not have yet. */
  pending(): readonly Pending[];
  /** Absent where nothing is counted. */
  statistics?(): MountStatistics;
  /**
   * Gives up what is not stored: whoever waits for it hears of an error, and `fileSystem.stop()` settles soon. Resolves when no
   * upload is left in the bucket, as far as the server lets; never rejects.
   */
  abandon(): Promise<void>;
  /** Frees connections and threads, after the file system has stopped. */
  close(): Promise<void>;
}

/** Connects, checks bucket and key, and builds the layers; all this must stop when `signal` aborts. */
export type BuildStack = (
  config: MountConfig,
  keyRing: KeyRing,
  log: Log,
  signal: AbortSignal,
) => Promise<Stack>;
