/**
 * The default driver: speaks the FUSE protocol with the kernel itself. Puts the parts together, mounting (`fusermount.ts`),
 * serving (`session.ts`) and cleaning up after a killed process (`watchdog.ts`), and takes them apart again.
 */
import { realpath, statfs } from 'node:fs/promises';
import path from 'node:path';
import type { FileSystem } from '../file-system.js';
import type { Log } from '../log.js';
import { Device } from './device.js';
import { MountError, type Driver, type DriverOptions, type MountedFileSystem } from './driver.js';
import { mountDevice, mountType, unmount } from './fusermount.js';
import { loadLibc } from './libc.js';
import { findMount, type Mount } from './mount-table.js';
import { Session } from './session.js';
import { Watchdog } from './watchdog.js';

/** The kernel sends INIT at once; this is for a kernel that does not. */
const initTimeoutMs = 10_000;

export class KernelDriver implements Driver {
  async mount(options: DriverOptions): Promise<MountedFileSystem> {
    const { fileSystem, log } = options;
    const libc = await loadLibc();
    const mountpoint = await resolveMountpoint(options.mountpoint, log);
    const watchdog = new Watchdog(mountpoint, log);
    let descriptor: number;
    try {
      descriptor = await mountDevice(mountpoint, options, libc);
    } catch (error) {
      watchdog.standDown();
      throw error;
    }
    const session = new Session(new Device(descriptor, libc), fileSystem, log);
    const mount = await findMount(mountpoint);
    if (mount !== undefined) watchdog.guard(mount);
    const ended = endOf(session, fileSystem, watchdog);
    try {
      await withTimeout(session.serve());
    } catch (error) {
      // Closing the device, which ends what `ended` waits for, follows from the mount's end.
      await unmount(mountpoint, { lazy: true }).catch((cause: unknown) =>
        log.warn({ err: cause }, 'a mount that failed could not be taken away'),
      );
      ended.catch((cause: unknown) => log.error({ err: cause }, 'stopping the file system failed'));
      throw error;
    }
    log.info({ mountpoint, source: options.source }, 'mounted');
    return { ended, unmount: (how) => unmountOurs(mountpoint, mount, how) };
  }
}

/** Waits for the end, and resolves when everything is in order again. */
async function endOf(session: Session, fileSystem: FileSystem, watchdog: Watchdog): Promise<void> {
  const failure = await session.disconnected;
  // If it was not the kernel that let go, the watchdog is left to take the mount away.
  if (failure === undefined) watchdog.standDown();
  await session.close();
  if (failure !== undefined) watchdog.takeAway();
  if (session.hasStarted) await fileSystem.stop();
  if (failure !== undefined) throw failure;
}

/** Unmounts, unless what is seen at the directory is another mount, on top of ours or in its place. */
async function unmountOurs(
  mountpoint: string,
  ours: Mount | undefined,
  how: { readonly lazy: boolean },
): Promise<void> {
  const seen = await findMount(mountpoint);
  if (seen === undefined) throw new MountError('NotMounted', `nothing is mounted on ${mountpoint}`);
  if (seen.id !== ours?.id || seen.device !== ours.device) {
    throw new MountError(
      'NotMounted',
      `what is mounted on ${mountpoint} now is another file system (${seen.source})`,
    );
  }
  await unmount(mountpoint, how);
}

/** The mountpoint without symbolic links, after taking away a dead mount of ours that is in the way. */
async function resolveMountpoint(mountpoint: string, log: Log): Promise<string> {
  try {
    // Not of the mountpoint itself, which may be dead, and is not to be a symbolic link if it is.
    const parent = await realpath(path.dirname(mountpoint));
    await removeDeadMount(path.join(parent, path.basename(mountpoint)), log);
    return await realpath(mountpoint);
  } catch (cause) {
    if (cause instanceof MountError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new MountError('MountRefused', `${mountpoint} cannot be mounted on: ${reason}`, { cause });
  }
}

/** What nobody serves any more is left behind only if somebody killed the watchdog as well. */
async function removeDeadMount(mountpoint: string, log: Log): Promise<void> {
  const mount = await findMount(mountpoint);
  if (mount?.type !== mountType) return;
  try {
    // Unlike stat(2) and realpath(3), never answered from the kernel's caches.
    await statfs(mountpoint);
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error) || error.code !== 'ENOTCONN') throw error;
    log.warn({ mountpoint, source: mount.source }, 'removing the mount of a process that is gone');
    await unmount(mountpoint, { lazy: true });
  }
}

async function withTimeout(initialized: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new MountError('ProtocolError', 'the kernel did not begin to speak FUSE in time')),
      initTimeoutMs,
    );
  });
  try {
    await Promise.race([initialized, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
