/**
 * The second driver, for systems where the first cannot run: serves the mount through libfuse 2.9, which comes with the npm
 * package fuse-native. What it cannot do is listed in docs/semantics.md.
 */
import { constants } from 'node:fs';
import { access, readdir, readlink } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { KernelCaches } from '../file-system.js';
import { makeDeferred } from '../concurrency/deferred.js';
import { MountError, type Driver, type DriverOptions, type MountedFileSystem } from './driver.js';
import { loadNativeAddon, nativeTextBytes, type NativeAddon } from './fuse-native-addon.js';
import { FuseNativeBridge } from './fuse-native-bridge.js';
import { FuseNativeOperations } from './fuse-native-operations.js';
import { mountOptions, unmount } from './fusermount.js';
import { findMount } from './mount-table.js';
import { clearMountpoint, unmountOurs, withStartTimeout } from './own-mount.js';
import { Watchdog } from './watchdog.js';

const devicePath = '/dev/fuse';

/** How often the driver looks whether libfuse has closed the device. The end is noticed this late. */
const endPollMs = 50;

/** The most that libfuse 2.9 has buffers for. */
const maxRequestBytes = 128 << 10;

/**
 * The kernel caches only pages, which it drops at each open. Names and attributes in its caches could not be dropped
 * (`noKernelCaches`); the file system remembers them instead.
 */
const libfuseOptions = [
  'big_writes',
  `max_write=${maxRequestBytes}`,
  `max_read=${maxRequestBytes}`,
  'atomic_o_trunc',
  'entry_timeout=0',
  'attr_timeout=0',
  'negative_timeout=0',
];

/** libfuse's high-level interface has no notifications. */
const noKernelCaches: KernelCaches = {
  dropInode: () => Promise.resolve(),
  dropEntry: () => Promise.resolve(),
};

/** Never freed: threads of libfuse may still look at theirs while the process ends. */
const nativeMemory: Buffer[] = [];

export class FuseNativeDriver implements Driver {
  readonly #addon: NativeAddon;

  constructor(addon: NativeAddon) {
    this.#addon = addon;
  }

  /** Throws a MountError of code `DriverMissing`. */
  static load(): FuseNativeDriver {
    return new FuseNativeDriver(loadNativeAddon());
  }

  async mount(options: DriverOptions): Promise<MountedFileSystem> {
    const { fileSystem, log } = options;
    const mountpoint = await clearMountpoint(options.mountpoint, log);
    await requireFusermount(process.getuid?.() ?? 0, process.env['PATH'] ?? '');
    const started = makeDeferred<undefined>();
    let hasStarted = false;
    const operations = new FuseNativeOperations(fileSystem, ownCall());
    const bridge = new FuseNativeBridge(this.#addon, operations, log, () => {
      hasStarted = true;
      fileSystem.start(noKernelCaches);
      started.resolve(undefined);
    });
    const watchdog = new Watchdog(mountpoint, log);
    const others = await fuseDescriptors();
    const mountBefore = await findMount(mountpoint);
    let session: Buffer;
    try {
      session = this.#mountNatively(mountpoint, nativeOptions(options), bridge);
    } catch (error) {
      // libfuse reads the options that are its own only after it has mounted.
      const mount = await findMount(mountpoint);
      if (mount !== undefined && mount.id !== mountBefore?.id) await unmount(mountpoint, { lazy: true });
      watchdog.standDown();
      throw error;
    }
    const mount = await findMount(mountpoint);
    if (mount !== undefined) watchdog.guard(mount);
    const device = (await fuseDescriptors()).find((descriptor) => !others.includes(descriptor));
    let isOver = false;
    const over = untilClosed(device).then(() => {
      isOver = true;
      watchdog.standDown();
      bridge.end();
      this.#addon.fuse_native_unmount(mountpoint, session);
    });
    const ended = over.then(async () => {
      if (!hasStarted) return;
      try {
        await operations.end();
      } finally {
        await fileSystem.stop();
      }
    });
    try {
      await withStartTimeout(Promise.race([started.promise, over.then(refuseToStart)]));
    } catch (error) {
      ended.catch((cause: unknown) => log.error({ err: cause }, 'stopping the file system failed'));
      await unmount(mountpoint, { lazy: true }).catch((cause: unknown) =>
        log.warn({ err: cause }, 'a mount that failed could not be taken away'),
      );
      throw error;
    }
    log.info({ mountpoint, source: options.source }, 'mounted by fuse-native');
    return {
      ended,
      settled: () => bridge.settled(),
      unmount: (how) => unmountOurs({ mountpoint, mount, isOver: () => isOver }, how),
    };
  }

  #mountNatively(mountpoint: string, optionText: string, bridge: FuseNativeBridge): Buffer {
    for (const text of [mountpoint, optionText]) {
      if (Buffer.byteLength(text) < nativeTextBytes) continue;
      throw new MountError('MountRefused', `too long for fuse-native, which takes 1,023 bytes: ${text}`);
    }
    const allocate = (size: number): Buffer => {
      const memory = Buffer.alloc(size);
      nativeMemory.push(memory);
      return memory;
    };
    const session = allocate(this.#addon.sizeof_fuse_thread_t);
    const { handlers, isImplemented } = bridge.handlers();
    try {
      this.#addon.fuse_native_mount(
        mountpoint,
        optionText,
        session,
        bridge,
        allocate,
        handlers,
        isImplemented,
      );
    } catch (cause) {
      throw new MountError(
        'MountRefused',
        `${mountpoint} could not be mounted with the options ${optionText}; libfuse has written the reason to stderr`,
        { cause },
      );
    }
    return session;
  }
}

/** The one argument for libfuse. It passes options that it does not know on to the kernel or fusermount. */
function nativeOptions(options: DriverOptions): string {
  return `-o${[...libfuseOptions, mountOptions(options)].join(',')}`;
}

function refuseToStart(): never {
  throw new MountError('MountRefused', 'the mount was gone before it could be served');
}

/**
 * Resolves when libfuse has closed its device. It does so when the kernel has released the mount and every thread has its answer,
 * which may be long after the mount table no longer shows the mount: after a lazy unmount open files live on.
 */
async function untilClosed(descriptor: string | undefined): Promise<void> {
  if (descriptor === undefined) return;
  while ((await targetOf(descriptor)) === devicePath) await delay(endPollMs);
}

async function fuseDescriptors(): Promise<string[]> {
  const found: string[] = [];
  for (const descriptor of await readdir('/proc/self/fd')) {
    if ((await targetOf(descriptor)) === devicePath) found.push(descriptor);
  }
  return found;
}

/** What a descriptor of this process leads to; undefined if it is closed. */
async function targetOf(descriptor: string): Promise<string | undefined> {
  try {
    return await readlink(`/proc/self/fd/${descriptor}`);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * libfuse 2.9 mounts by itself for root; for others it starts fusermount, from /usr/local/bin or PATH. Rejects with a MountError
 * of code `NoFusermount`. `searchPath`: directories, separated by colons.
 */
export async function requireFusermount(uid: number, searchPath: string): Promise<void> {
  if (uid === 0) return;
  for (const directory of ['/usr/local/bin', ...searchPath.split(':')]) {
    const isThere = await access(path.join(directory || '.', 'fusermount'), constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return;
  }
  throw new MountError(
    'NoFusermount',
    'fuse-native needs the program fusermount, which is not in PATH (Debian: apt install fuse3)',
  );
}

/** Stands for every caller; nothing interrupts it. */
function ownCall() {
  return {
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    pid: process.pid,
    signal: new AbortController().signal,
  };
}
