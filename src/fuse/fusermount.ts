/**
 * Mounts and unmounts with fusermount3, which is setuid root and so works for everybody. It hands us the device through
 * a socket (`_FUSE_COMMFD`, see libfuse's mount.c and fusermount.c). `session.ts` serves the device.
 */
import { close } from 'node:fs';
import { access, constants } from 'node:fs/promises';
import { promisify } from 'node:util';
import { runCommand, type CommandResult } from './command.js';
import { MountError, type DriverOptions } from './driver.js';
import type { Libc } from './libc.js';
import { findMount } from './mount-table.js';

const program = 'fusermount3';
const subtype = 'osirisfs';
/** How our mounts are shown in /proc/self/mountinfo. */
export const mountType = `fuse.${subtype}`;
const devicePath = '/dev/fuse';
/** Mounting is instant unless something is badly wrong, such as a mountpoint on a dead network file system. */
const timeoutMs = 30_000;

const closeDescriptor = promisify(close);

/** Mounts on `mountpoint`, a path without symbolic links: the descriptor of the device. Rejects with a MountError. */
export async function mountDevice(mountpoint: string, options: DriverOptions, libc: Libc): Promise<number> {
  const [ours, theirs] = libc.socketPair();
  try {
    const result = await runFusermount(['-o', mountOptions(options), '--', mountpoint], {
      environment: { _FUSE_COMMFD: '3' },
      inherited: [theirs],
    });
    const device = libc.receiveDescriptor(ours);
    if (device !== undefined) return device;
    throw await explainRefusal(mountpoint, result);
  } finally {
    await closeDescriptor(ours);
    await closeDescriptor(theirs);
  }
}

/**
 * The text after `-o`. Commas and backslashes in the source are escaped, as fusermount3 expects. `auto_unmount` is left
 * out: fusermount3 would stay and wait. The watchdog does the same, also for ordinary users.
 */
export function mountOptions(options: DriverOptions): string {
  return [
    options.readOnly ? 'ro' : 'rw',
    `fsname=${options.source.replaceAll(/[\\,]/g, (character) => `\\${character}`)}`,
    `subtype=${subtype}`,
    ...(options.allowOther ? ['allow_other'] : []),
    ...(options.defaultPermissions ? ['default_permissions'] : []),
    ...options.extraOptions.filter((option) => option !== 'auto_unmount'),
  ].join(',');
}

/** Unmounts. `lazy` detaches the mount even if it is in use. Rejects with a MountError. */
export async function unmount(mountpoint: string, options: { readonly lazy: boolean }): Promise<void> {
  const { exitCode, words } = await runFusermount(
    ['-u', ...(options.lazy ? ['-z'] : []), '--', mountpoint],
    {},
  );
  if (exitCode === 0) return;
  if ((await findMount(mountpoint)) === undefined) {
    throw new MountError('NotMounted', `nothing is mounted on ${mountpoint}`);
  }
  // fusermount3 reports the kernel's errno only in words, those of strerror(3) in the C locale.
  if (words.includes('Device or resource busy')) {
    throw new MountError(
      'Busy',
      `${mountpoint} is in use: a program has a file open or its working directory there`,
    );
  }
  throw new MountError('MountRefused', `${mountpoint} could not be unmounted: ${words}`);
}

async function runFusermount(
  programArguments: readonly string[],
  options: { readonly environment?: NodeJS.ProcessEnv; readonly inherited?: readonly number[] },
): Promise<CommandResult> {
  try {
    return await runCommand(program, programArguments, { timeoutMs, ...options });
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') {
      throw new MountError('NoFusermount', `${program} is not installed; on Debian: apt install fuse3`, {
        cause,
      });
    }
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new MountError('MountRefused', `${program} failed: ${reason}`, { cause });
  }
}

async function explainRefusal(mountpoint: string, result: CommandResult): Promise<MountError> {
  const words = result.words === '' ? `${program} ended with exit code ${result.exitCode}` : result.words;
  try {
    await access(devicePath, constants.R_OK | constants.W_OK);
  } catch (cause) {
    return new MountError('NoFuseDevice', `${devicePath} is missing or may not be opened: ${words}`, {
      cause,
    });
  }
  return new MountError('MountRefused', `${mountpoint} could not be mounted: ${words}`);
}
