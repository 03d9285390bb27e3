/** Says before anything is tried whether this machine can mount: /dev/fuse and fusermount3. */
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import path from 'node:path';
import { MountError } from '../fuse/driver.js';

export interface FuseSupport {
  readonly devicePath: string;
  /** Directories, separated by colons. */
  readonly searchPath: string;
}

export function systemFuseSupport(): FuseSupport {
  return { devicePath: '/dev/fuse', searchPath: process.env['PATH'] ?? '/usr/bin:/bin' };
}

/**
 * Rejects with a `MountError` of code `NoFuseDevice` or `NoFusermount`. fusermount3 finds out whether the device can be opened.
 */
export async function checkFuseSupport({ devicePath, searchPath }: FuseSupport): Promise<void> {
  try {
    await access(devicePath, constants.F_OK);
  } catch (error) {
    throw new MountError(
      'NoFuseDevice',
      `${devicePath} is missing: load the kernel module (modprobe fuse), or, in a container, pass the device in (--device /dev/fuse)`,
      { cause: error },
    );
  }
  for (const directory of searchPath.split(':')) {
    try {
      await access(path.join(directory || '.', 'fusermount3'), constants.X_OK);
      return;
    } catch {
      // not in this one
    }
  }
  throw new MountError(
    'NoFusermount',
    'fusermount3 is not in PATH; install the package fuse3 (Debian: apt install fuse3)',
  );
}
