/** `osirisfs umount`: asks the serving process to end, waits until it has, or says why it cannot. */
import { setTimeout as delay } from 'node:timers/promises';
import { MountError } from '../../fuse/driver.js';
import { mountType, unmount } from '../../fuse/fusermount.js';
import { findMount, type Mount } from '../../fuse/mount-table.js';
import { probeMount, resolveMountpoint } from '../../mount/mountpoint.js';
import { parseDuration } from '../../settings/setting-values.js';
import { CommandError } from '../command-errors.js';
import { positionalOf, switchOf, textOf, type ParsedArguments } from '../command-line.js';
import { askServingProcess, type Outcome } from '../serving/control-client.js';
import type { WaitingReply } from '../serving/control-protocol.js';
import { describeHolders, findHolders } from '../serving/mount-holders.js';
import {
  findEntries,
  hasServingProcessEnded,
  lookMs,
  type RegistryEntry,
} from '../serving/mount-registry.js';
import { describePaths } from '../serving/shutdown.js';
import { complain } from '../terminal.js';

/** How often it looks whether the process is gone. */
const pollMs = 20;
/** How long a process that only has to exit may take. */
const exitTimeoutMs = 10_000;
/** A mount whose entry was removed makes a new one in this time. */
const registrationTimeoutMs = 3 * lookMs;
const registrationPollMs = 200;

/** Resolves with the exit code. Rejects with a `CommandError` or `MountError`. */
export async function runUmount(parsed: ParsedArguments, defaultTimeout: string): Promise<number> {
  const directory = positionalOf(parsed, 'directory');
  const lazy = switchOf(parsed, 'lazy') ?? false;
  const timeoutMs = parseDuration(textOf(parsed, 'timeout') ?? defaultTimeout);
  const mountpoint = await resolveMountpoint(directory);
  const mounted = await findOurMount(directory, mountpoint);
  const ourEntries = () => findEntries(mountpoint, process.getuid?.() ?? 0, process.env, mounted?.userId);
  const entries = await ourEntries();
  if (switchOf(parsed, 'give-up')) return await giveUp(directory, entries);

  const request: UnmountRequest = { directory, mountpoint, mounted, lazy, timeoutMs };
  if (await askToUnmount(request, entries)) return 0;
  if (mounted === undefined) throw new CommandError(`${directory} is not mounted`);
  // No process to ask: it was killed, or it is in a registry that we may not read.
  const isServed = (await probeMount(mountpoint)) !== 'ENOTCONN';
  if (isServed && (await askWhenFound(request, ourEntries))) return 0;
  await detach(mountpoint, lazy);
  if (!isServed) return 0;
  throw new CommandError(
    `${directory} is detached, but the process that serves it cannot be found: whether everything is in the bucket, only its log tells`,
  );
}

interface UnmountRequest {
  /** As it was typed. */
  readonly directory: string;
  readonly mountpoint: string;
  /** What is mounted there now. */
  readonly mounted: Mount | undefined;
  readonly lazy: boolean;
  readonly timeoutMs: number;
}

/** Resolves with whether one of these processes unmounted it. Rejects with a `CommandError` if one could not. */
async function askToUnmount(
  { directory, mountpoint, mounted, lazy, timeoutMs }: UnmountRequest,
  entries: readonly RegistryEntry[],
): Promise<boolean> {
  const isOurs = mounted !== undefined;
  for (const entry of entries) {
    const request = { command: 'umount', lazy, ...(isOurs ? {} : { isDetached: true as const }) } as const;
    const outcome = await askServingProcess(entry.socketPath, request, reportWaiting(entry, timeoutMs));
    if ('noProcess' in outcome) continue; // a killed process left the entry
    // Another process serves what is mounted there now; this one goes on storing what was written before.
    if ('error' in outcome && outcome.isNotMounted) continue;
    await conclude(mountpoint, entry, outcome, lazy);
    if (isOurs && (await findMount(mountpoint))?.id === mounted.id) {
      throw new CommandError(`process ${entry.pid} says that ${directory} is unmounted, and it is not`);
    }
    return true;
  }
  return false;
}

/** Does the same, after the process had time to make its missing entry again. */
async function askWhenFound(
  request: UnmountRequest,
  findThem: () => Promise<readonly RegistryEntry[]>,
): Promise<boolean> {
  complain(`looking for the process that serves ${request.directory}`);
  const deadline = performance.now() + registrationTimeoutMs;
  do {
    await delay(registrationPollMs);
    if (await askToUnmount(request, await findThem())) return true;
  } while (performance.now() < deadline);
  return false;
}

async function giveUp(directory: string, entries: readonly RegistryEntry[]): Promise<number> {
  let hasAsked = false;
  for (const entry of entries) {
    let lost = '';
    const outcome = await askServingProcess(entry.socketPath, { command: 'give up' }, (waiting) => {
      if (waiting.count > 0) lost = describeWaiting(waiting);
    });
    if ('noProcess' in outcome) continue;
    if ('error' in outcome) throw new CommandError(outcome.error);
    hasAsked = true;
    if (lost !== '') complain(`given up, not in the bucket as they were written: ${lost}`);
    await waitForExit(entry);
  }
  if (!hasAsked) throw new CommandError(`${directory} is not mounted by an osirisfs of yours`);
  return 0;
}

/** Says what the unmount waits for, when that changes. Throws a `CommandError` when the server has refused all of it for too long. */
function reportWaiting(
  { pid, mountpoint }: RegistryEntry,
  timeoutMs: number,
): (waiting: WaitingReply) => void {
  let said = '';
  let stuckSinceMs: number | undefined;
  return (waiting) => {
    const text = describeWaiting(waiting);
    if (text !== said && text !== '') complain(`waiting until everything is in the bucket: ${text}`);
    said = text;
    if (waiting.count === 0 || waiting.refusedCount < waiting.count) {
      stuckSinceMs = undefined;
      return;
    }
    stuckSinceMs ??= performance.now();
    if (performance.now() - stuckSinceMs < timeoutMs) return;
    throw new CommandError(
      `not in the bucket: ${text}. Process ${pid} keeps ${waiting.count === 1 ? 'it' : 'them'} and goes on trying. ` +
        `Make storing possible and call osirisfs umount ${mountpoint} again, or lose ${waiting.count === 1 ? 'it' : 'them'} by umount --give-up`,
    );
  };
}

function describeWaiting({ waiting, count, reasons }: WaitingReply): string {
  return describePaths(waiting, count, reasons);
}

async function conclude(
  mountpoint: string,
  entry: RegistryEntry,
  outcome: Exclude<Outcome, { readonly noProcess: true }>,
  lazy: boolean,
): Promise<void> {
  if ('error' in outcome) throw outcome.busy ? await busy(mountpoint) : new CommandError(outcome.error);
  if (!lazy) {
    await waitForExit(entry);
  } else if (!(await hasServingProcessEnded(entry))) {
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

/** Undefined if nothing is mounted there. Throws a `CommandError` if it is not a mount of osirisfs. */
async function findOurMount(directory: string, mountpoint: string): Promise<Mount | undefined> {
  const mounted = await findMount(mountpoint);
  if (mounted !== undefined && mounted.type !== mountType) {
    throw new CommandError(`${directory} is a mount of ${mounted.source} (${mounted.type}), not of osirisfs`);
  }
  return mounted;
}

async function waitForExit(entry: RegistryEntry): Promise<void> {
  const deadline = performance.now() + exitTimeoutMs;
  while (!(await hasServingProcessEnded(entry))) {
    if (performance.now() > deadline) {
      throw new CommandError(
        `everything is in the bucket, but process ${entry.pid} does not end; see its log`,
      );
    }
    await delay(pollMs);
  }
}
