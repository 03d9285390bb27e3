/**
 * What every driver does around its mount: takes a dead mount away before, waits for the kernel's first request, and unmounts only
 * its own.
 */
import { realpath, statfs } from 'node:fs/promises';
import path from 'node:path';
import type { Log } from '../log.js';
import { MountError } from './driver.js';
import { mountType, unmount } from './fusermount.js';
import { findMount, type Mount } from './mount-table.js';

/** The kernel sends INIT at once; this is for a kernel that does not. */
const startTimeoutMs = 10_000;

interface OwnMount {
  readonly mountpoint: string;
  /** As it was seen when it was made. */
  readonly mount: Mount | undefined;
  /** Whether the kernel has released it. From then on the next mount may have its id and its device. */
  readonly isOver: () => boolean;
}

/** Unmounts, unless the directory shows another mount, on top of ours or in its place. */
export async function unmountOurs(
  { mountpoint, mount, isOver }: OwnMount,
  how: { readonly lazy: boolean },
): Promise<void> {
  const seen = await findMount(mountpoint);
  if (seen === undefined) throw new MountError('NotMounted', `nothing is mounted on ${mountpoint}`);
  // Asked after the look: a mount with our numbers is ours as long as the kernel has not released them.
  if (isOver() || seen.id !== mount?.id || seen.device !== mount.device) {
    throw new MountError(
      'NotMounted',
      `what is mounted on ${mountpoint} now is another file system (${seen.source})`,
    );
  }
  await unmount(mountpoint, how);
}

/** The mountpoint without symbolic links, after taking away a dead mount of ours that is in the way. */
export async function clearMountpoint(mountpoint: string, log: Log): Promise<string> {
  try {
    // Of the parent only: the mountpoint may be dead. A dead mount is found only if the mountpoint is no symbolic link.
    const parent = await realpath(path.dirname(mountpoint));
    await removeDeadMount(path.join(parent, path.basename(mountpoint)), log);
    return await realpath(mountpoint);
  } catch (cause) {
    if (cause instanceof MountError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new MountError('MountRefused', `${mountpoint} cannot be mounted on: ${reason}`, { cause });
  }
}

/** A dead mount stays behind only if the watchdog was killed too. */
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

/** Rejects with a MountError if `started` takes too long. */
export async function withStartTimeout(started: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new MountError('ProtocolError', 'the kernel did not begin to speak FUSE in time')),
      startTimeoutMs,
    );
  });
  try {
    await Promise.race([started, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
