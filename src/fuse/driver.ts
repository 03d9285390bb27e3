/**
 * What `src/mount` asks of a driver: mount a file system on a directory, serve it, unmount it. The kernel driver and
 * the fuse-native driver implement it, each with its own way to the kernel.
 */
import type { FileSystem } from '../file-system.js';
import type { Log } from '../log.js';

export interface DriverOptions {
  /** An existing, empty directory; absolute path. */
  readonly mountpoint: string;
  readonly fileSystem: FileSystem;
  /** What the first column of /proc/self/mounts shows, for example `osirisfs:bucket/prefix`. */
  readonly source: string;
  readonly readOnly: boolean;
  /** Other users may enter (fuse.conf's user_allow_other permitting). */
  readonly allowOther: boolean;
  /** The kernel checks permission bits itself. */
  readonly defaultPermissions: boolean;
  /** Further options for fusermount3, as in `-o`: `noexec`, `nodev`, `max_read=…`. Checked by the caller. */
  readonly extraOptions: readonly string[];
  readonly log: Log;
}

export interface MountedFileSystem {
  /**
   * Resolves when the session is over, however it ended (unmounted here or elsewhere, or aborted by the kernel), and
   * `fileSystem.stop()` has settled. Rejects with the error of `stop()`.
   */
  readonly ended: Promise<void>;
  /** Resolves when all changing requests that are under way now are answered. */
  settled(): Promise<void>;
  /** Unmounts; rejects with a `MountError` of code `Busy` if files are open. `lazy` detaches even then. */
  unmount(options: { readonly lazy: boolean }): Promise<void>;
}

export interface Driver {
  /**
   * Resolves when the kernel has answered INIT and the directory shows the file system. Rejects with a `MountError`.
   */
  mount(options: DriverOptions): Promise<MountedFileSystem>;
}

type MountErrorCode =
  | 'NoFuseDevice' // /dev/fuse is missing or may not be opened
  | 'NoFusermount' // fusermount3 is not installed
  | 'MountRefused' // fusermount3 or the kernel refused; the message has its words
  | 'NotMounted'
  | 'Busy'
  | 'DriverMissing' // the driver's package is not installed
  | 'ProtocolError'; // the kernel speaks a version that this driver does not

/** A mount or unmount that failed. The message says in one line what is wrong and what to do. */
export class MountError extends Error {
  override readonly name = 'MountError';
  readonly code: MountErrorCode;

  constructor(code: MountErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
