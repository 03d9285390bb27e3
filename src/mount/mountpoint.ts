/**
 * Checks the mountpoint before the mount: it must exist and be empty. Cleans up what a dead process left there. After the mount
 * the serving process may call nothing here: it would wait for itself.
 */
import { execFile } from 'node:child_process';
import { lstat, readdir, readlink, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { safeEnvironment } from '../fuse/command.js';
import { mountType, unmount } from '../fuse/fusermount.js';
import { findMount, type Mount } from '../fuse/mount-table.js';
import type { Log } from '../log.js';
import { countOf } from '../units.js';

/** A file system that does not answer in this time counts as living and hung. */
const probeTimeoutMs = 5_000;
/** As the kernel follows, path_resolution(7). */
const maxLinks = 40;

export type MountpointErrorCode =
  'Missing' | 'NotADirectory' | 'NotEmpty' | 'NotAccessible' | 'AlreadyMounted' | 'LeftOver';

/** A directory that cannot be mounted on. The message says in one line why, and what to do. */
export class MountpointError extends Error {
  override readonly name = 'MountpointError';
  readonly code: MountpointErrorCode;

  constructor(code: MountpointErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** Resolves with the directory's path without symbolic links. Rejects with a `MountpointError`. */
export async function prepareMountpoint(directory: string, log: Log): Promise<string> {
  const mounted = await findMount(await resolveMountpoint(directory));
  if (mounted?.type.startsWith('fuse') === true) await requireLeftOver(mounted, log);
  return await requireEmptyDirectory(directory);
}

/**
 * The path as the mount table has it, also where a hung or dead file system is mounted: only its parent directories and links
 * to it are looked up.
 */
export async function resolveMountpoint(directory: string): Promise<string> {
  let resolved = path.resolve(directory);
  for (let links = 0; links < maxLinks; links += 1) {
    try {
      resolved = path.join(await realpath(path.dirname(resolved)), path.basename(resolved));
      resolved = path.resolve(path.dirname(resolved), await readlink(resolved));
    } catch {
      break; // no link, or a parent is missing: opening it will say so
    }
  }
  return resolved;
}

/** A dead osirisfs mount is cleaned up; every other FUSE mount is refused. */
async function requireLeftOver(mounted: Mount, log: Log): Promise<void> {
  const { mountpoint, type, source } = mounted;
  const answer = await probeMount(mountpoint);
  if (answer !== 'ENOTCONN') {
    const hint = type === mountType ? 'osirisfs umount' : 'fusermount3 -u';
    const also = answer === 'timeout' ? ' and does not answer' : '';
    throw new MountpointError(
      'AlreadyMounted',
      `${mountpoint} is already mounted (${source}, ${type})${also}; unmount it first: ${hint} ${mountpoint}`,
    );
  }
  if (type !== mountType) {
    throw new MountpointError(
      'LeftOver',
      `a dead process left a mount (${source}, ${type}) on ${mountpoint}; remove it: fusermount3 -u ${mountpoint}`,
    );
  }
  log.warn({ mountpoint, source }, 'removing the mount that a dead process left');
  try {
    await unmount(mountpoint, { lazy: true });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new MountpointError('LeftOver', `a dead process left a mount on ${mountpoint}, and ${reason}`, {
      cause: error,
    });
  }
}

/**
 * Looks the directory up in a process of its own: a hung file system would block a thread of this one for good.
 * Resolves with 'alive', 'timeout' or the error's code: ENOTCONN where its process is gone.
 */
export async function probeMount(mountpoint: string): Promise<string> {
  const script =
    'try { require("fs").statfsSync(process.argv[1]) } catch (e) { process.stdout.write(e.code) }';
  return await new Promise((resolve) => {
    const args = ['-e', script, mountpoint];
    const limits = { timeout: probeTimeoutMs, killSignal: 'SIGKILL', env: safeEnvironment() } as const;
    execFile(process.execPath, args, limits, (error, stdout) => {
      resolve(error === null ? stdout || 'alive' : 'timeout');
    });
  });
}

async function requireEmptyDirectory(directory: string): Promise<string> {
  try {
    if (!(await stat(directory)).isDirectory()) {
      throw new MountpointError('NotADirectory', `${directory} is not a directory; give an empty directory`);
    }
    const entries = await readdir(directory);
    if (entries.length > 0) {
      throw new MountpointError(
        'NotEmpty',
        `${directory} is not empty (${countOf(entries.length, 'entry', 'entries')}); give an empty directory`,
      );
    }
    return await realpath(directory);
  } catch (error) {
    if (error instanceof MountpointError) throw error;
    throw await explain(directory, error);
  }
}

async function explain(directory: string, error: unknown): Promise<MountpointError> {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT') {
    const isLink = await lstat(directory).then(
      (stats) => stats.isSymbolicLink(),
      () => false,
    );
    const what = isLink ? 'is a symbolic link to nothing' : 'does not exist';
    return new MountpointError('Missing', `${directory} ${what}; make it first: mkdir -p ${directory}`, {
      cause: error,
    });
  }
  if (code === 'ENOTDIR') {
    return new MountpointError('NotADirectory', `${directory} has a file where a directory is needed`, {
      cause: error,
    });
  }
  const reason = error instanceof Error ? error.message.replace(/, \w+ .*$/s, '') : String(error);
  return new MountpointError('NotAccessible', `cannot use ${directory}: ${reason}`, { cause: error });
}
