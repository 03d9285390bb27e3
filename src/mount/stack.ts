/** The parts of a mount that is ready. */
import type { FileSystem } from '../file-system.js';
import type { Driver } from '../fuse/driver.js';
import type { KeyRing } from '../keys/key-ring.js';
import type { Log } from '../log.js';
import type { MountStatistics, Pending } from '../mount-statistics.js';
import type { MountConfig } from '../settings/config.js';
import type { Scope } from '../vfs/drain.js';

/** The layers of one mount, and what is called from outside. */
export interface Stack {
  readonly driver: Driver;
  /** News for the user from the start of the mount: a sentence without its full stop. */
  readonly news?: string;
  readonly fileSystem: FileSystem;
  /** Resolves when the bucket has everything that was changed before the call, or only what was closed, as `scope` says. */
  synchronizeAll(scope: Scope): Promise<void>;
  /** What the bucket does not have yet. */
  pending(): readonly Pending[];
  /** Absent where nothing is counted. */
  statistics?(): MountStatistics;
  /**
   * Gives up what is not stored: callers that wait for it get an error, and `fileSystem.stop()` settles soon. Resolves when no
   * upload is left in the bucket, as far as the server allows. Never rejects.
   */
  abandon(): Promise<void>;
  /** Frees connections and threads, after the file system has stopped. */
  close(): Promise<void>;
}

/** Connects, checks bucket and key, and builds the layers. Must stop when `signal` aborts. */
export type BuildStack = (
  config: MountConfig,
  keyRing: KeyRing,
  log: Log,
  signal: AbortSignal,
) => Promise<Stack>;
