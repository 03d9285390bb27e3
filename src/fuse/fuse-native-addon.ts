/**
 * The native half of the package fuse-native 2.2.6, the last release, and how it is loaded. The package's JavaScript half
 * is left alone: it loses the descriptor of fstat(2), answers getxattr(2) beyond the caller's buffer, which libfuse
 * then cannot deliver, and unmounts lazily through a shell. What is called here is in its fuse-native.c.
 */
import { createRequire } from 'node:module';
import path from 'node:path';
import type * as Koffi from 'koffi';
import { MountError } from './driver.js';

/** What libfuse may ask for, by the addon's names. `init` comes once, before all others. */
export const nativeOperationNames = [
  'init',
  'access',
  'statfs',
  'fgetattr',
  'getattr',
  'flush',
  'fsync',
  'fsyncdir',
  'readdir',
  'truncate',
  'ftruncate',
  'utimens',
  'readlink',
  'chown',
  'chmod',
  'mknod',
  'setxattr',
  'getxattr',
  'listxattr',
  'removexattr',
  'open',
  'read',
  'write',
  'release',
  'create',
  'unlink',
  'rename',
  'link',
  'symlink',
  'mkdir',
  'rmdir',
] as const;

export type NativeOperationName = (typeof nativeOperationNames)[number];

/** Names the libfuse thread that waits for an answer. */
export type NativeThread = Buffer;

/** Answers the thread: 0, a count, or a negative errno; then what the operation gives back. */
type NativeSignal = (thread: NativeThread, result: number, ...payload: readonly unknown[]) => void;

/** Called on the main thread. The thread sleeps until its signal is called, and that exactly once. */
export type NativeHandler = (thread: NativeThread, operation: number, ...parameters: unknown[]) => void;

type NativeNumbers = Readonly<Record<`op_${NativeOperationName}`, number>>;
type NativeSignals = Readonly<Record<`fuse_native_signal_${NativeOperationName}`, NativeSignal>>;

export interface NativeAddon extends NativeNumbers, NativeSignals {
  /** In bytes. */
  readonly sizeof_fuse_thread_t: number;
  /**
   * Mounts, and starts libfuse's threads. Throws if libfuse refuses; its reasons are on stderr. `session`, of
   * `sizeof_fuse_thread_t` bytes, must live as long as the process. `handlers` and `isImplemented` by number.
   */
  fuse_native_mount(
    mountpoint: string,
    options: string,
    session: Buffer,
    receiver: object,
    allocate: (size: number) => Buffer,
    handlers: readonly (NativeHandler | undefined)[],
    isImplemented: Uint32Array,
  ): void;
  /** Unmounts nothing: lets the process end. */
  fuse_native_unmount(mountpoint: string, session: Buffer): void;
}

/** The addon's arrays for them have this length. */
export const nativeOperationCount = 35;

/** Its buffers for the mountpoint and for the options, with the NUL at the end. */
export const nativeTextBytes = 1024;

/**
 * Loads the package that a module at `from`, a path or URL, would get. Throws a MountError of code `DriverMissing` if it is not
 * installed or has nothing for this machine.
 */
export function loadNativeAddon(from: string | URL = import.meta.url): NativeAddon {
  try {
    const packageFile = createRequire(from).resolve('fuse-native/package.json');
    const directory = path.dirname(packageFile);
    loadOwnLibrary(directory);
    const loadBinary = createRequire(packageFile)('node-gyp-build') as (directory: string) => NativeAddon;
    return loadBinary(directory);
  } catch (cause) {
    throw new MountError('DriverMissing', explain(cause), { cause });
  }
}

/**
 * The addon is linked with libfuse.so.2, which few machines have. The package brings one along, and the linker takes what is loaded
 * already.
 */
function loadOwnLibrary(packageDirectory: string): void {
  const platform = `${process.platform}-${process.arch}`;
  const file = path.join(packageDirectory, 'prebuilds', platform, 'libfuse.so');
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof Koffi;
    koffi.load(file, { global: true });
  } catch {
    // The machine's own may do. Where there is none, the addon says so.
  }
}

function explain(cause: unknown): string {
  if (cause instanceof Error && 'code' in cause && cause.code === 'MODULE_NOT_FOUND') {
    return 'the package fuse-native is not installed; leave --driver out, or install it: npm install --ignore-scripts fuse-native@2.2.6';
  }
  const [reason] = (cause instanceof Error ? cause.message : String(cause)).split('\n');
  return `the package fuse-native cannot be loaded on this machine (${reason ?? ''}); leave --driver out`;
}
