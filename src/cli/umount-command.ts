/** `osirisfs umount`: asks the serving process to end, waits until it has, or says why it cannot. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Argv } from 'yargs';
import { MountError } from '../fuse/driver.js';
import { mountType, unmount } from '../fuse/fusermount.js';
import { findMount } from '../fuse/mount-table.js';
import { resolveMountpoint } from '../mountpoint.js';
import { CommandError } from './command-error.js';
import { positionalOf, switchOf, type KnownOptions, type ParsedArguments } from './command-line.js';
import { askServingProcess, type Outcome } from './control-client.js';
import { describeHolders, findHolders } from './mount-holders.js';
import { findEntries, type RegistryEntry } from './mount-registry.js';
import { hasEnded } from './process-state.js';
import { describePaths } from './shutdown.js';
import { complain } from './terminal.js';

export const umountUsage = 'umount <directory>';
export const umountDescription = 'wait until everything is in the bucket, and unmount DIRECTORY';

export const umountOptions: KnownOptions = { values: [], switches: ['lazy'] };

/** Between two looks whether the process is gone. */
const pollMs = 20;
/** The process has nothing left to do but to exit. */
const exitTimeoutMs = 10_000;

export function describeUmountOptions(yargs: Argv): Argv {
  return yargs
    .positional('directory', { type: 'string', demandOption: true, describe: 'where the bucket is mounted' })
    .option('lazy', {
      type: 'boolean',
      describe:
        'detach the directory at once, also if it is in use; the process goes on until files are closed and everything is in the bucket',
    })
    .example('$0 umount ~/data', 'returns when everything is in the bucket');
}

/** Resolves with the exit code. Rejects with a `CommandError` or `MountError`. */
export async function runUmount(parsed: ParsedArguments): Promise<number> {
  const directory = positionalOf(parsed, 'directory');
  const lazy = switchOf(parsed, 'lazy') ?? false;
  const mountpoint = await requireOurs(directory);

  for (const entry of await findEntries(mountpoint, process.getuid?.() ?? 0, process.env)) {
    const outcome = await askServingProcess(entry.socketPath, { command: 'umount', lazy }, reportWaiting());
    if ('noProcess' in outcome) continue; // left by a process that was killed
    await conclude(mountpoint, entry, outcome, lazy);
    return 0;
  }
  // Nobody to ask: a process that was killed, or one whose registry is not ours to read.
  await detach(mountpoint, lazy);
  return 0;
}

/** Says what is waited for, when it changes. */
function reportWaiting(): (paths: readonly string[], count: number) => void {
  let said = '';
  return (paths, count) => {
    const text = describePaths(paths, count);
    if (text !== said && text !== '') complain(`waiting until everything is in the bucket: ${text}`);
    said = text;
  };
}

async function conclude(
  mountpoint: string,
  entry: RegistryEntry,
  outcome: Exclude<Outcome, { readonly noProcess: true }>,
  lazy: boolean,
): Promise<void> {
  if ('error' in outcome) throw outcome.busy ? await busy(mountpoint) : new CommandError(outcome.error);
  if (!lazy) {
    await waitForExit(entry.pid);
  } else if (!(await hasEnded(entry.pid))) {
    complain(
      `${mountpoint} is detached; process ${entry.pid} goes on until its files are closed and everything is in the bucket`,
    );
  }
}

/** By fusermount3, which works for a mount without a process too. */
async function detach(mountpoint: string, lazy: boolean): Promise<void> {
  try {
    await unmount(mountpoint, { lazy });
  } catch (error) {
    if (error instanceof MountError && error.code === 'Busy') throw await busy(mountpoint, error);
    throw error;
  }
}

async function busy(mountpoint: string, cause?: unknown): Promise<CommandError> {
  const holders = describeHolders(await findHolders(mountpoint));
  const who = holders === '' ? '' : ` by ${holders}`;
  return new CommandError(
    `${mountpoint} is in use${who}; end that and try again, or detach it by umount --lazy`,
    {
      cause,
    },
  );
}

/** The mountpoint as the mount table has it. */
async function requireOurs(directory: string): Promise<string> {
  const mountpoint = await resolveMountpoint(directory);
  const mounted = await findMount(mountpoint);
  if (mounted === undefined) throw new CommandError(`${directory} is not mounted`);
  if (mounted.type !== mountType) {
    throw new CommandError(`${directory} is a mount of ${mounted.source} (${mounted.type}), not of osirisfs`);
  }
  return mountpoint;
}

async function waitForExit(pid: number): Promise<void> {
  const deadline = performance.now() + exitTimeoutMs;
  while (!(await hasEnded(pid))) {
    if (performance.now() > deadline) {
      throw new CommandError(`everything is in the bucket, but process ${pid} does not end; see its log`);
    }
    await delay(pollMs);
  }
}
