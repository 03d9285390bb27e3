/**
 * The default driver: speaks the FUSE protocol with the kernel itself. Puts the parts together, mounting (`fusermount.ts`),
 * serving (`session.ts`) and cleaning up after a killed process (`watchdog.ts`), and takes them apart again.
 */
import type { FileSystem } from '../file-system.js';
import { Device } from './device.js';
import type { Driver, DriverOptions, MountedFileSystem } from './driver.js';
import { mountDevice, unmount } from './fusermount.js';
import { loadLibc } from './libc.js';
import { findMount } from './mount-table.js';
import { clearMountpoint, unmountOurs, withStartTimeout } from './own-mount.js';
import { raiseReadAhead } from './kernel-read-ahead.js';
import { Session } from './session.js';
import { Watchdog } from './watchdog.js';

export class KernelDriver implements Driver {
  async mount(options: DriverOptions): Promise<MountedFileSystem> {
    const { fileSystem, log } = options;
    const libc = await loadLibc();
    const mountpoint = await clearMountpoint(options.mountpoint, log);
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
      await withStartTimeout(session.serve());
    } catch (error) {
      // Closing the device, which ends what `ended` waits for, follows from the mount's end.
      await unmount(mountpoint, { lazy: true }).catch((cause: unknown) =>
        log.warn({ err: cause }, 'a mount that failed could not be taken away'),
      );
      ended.catch((cause: unknown) => log.error({ err: cause }, 'stopping the file system failed'));
      throw error;
    }
    if (mount !== undefined) await raiseReadAhead(mount, log);
    log.info({ mountpoint, source: options.source }, 'mounted');
    return {
      ended,
      settled: () => session.settled(),
      unmount: (how) => unmountOurs({ mountpoint, mount, isOver: () => session.isOver }, how),
    };
  }
}

/** Waits for the end, and resolves when everything is in order again. */
async function endOf(session: Session, fileSystem: FileSystem, watchdog: Watchdog): Promise<void> {
  const failure = await session.disconnected;
  // If the kernel did not release the mount, the watchdog stays to take it away.
  if (failure === undefined) watchdog.standDown();
  await session.close();
  if (failure !== undefined) watchdog.takeAway();
  if (session.hasStarted) await fileSystem.stop();
  if (failure !== undefined) throw failure;
}
