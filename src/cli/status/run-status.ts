/** `osirisfs status`: asks the serving processes for their state. */
import { setTimeout as delay } from 'node:timers/promises';
import type { MountStatus } from '../../mount-statistics.js';
import { resolveMountpoint } from '../../mount/mountpoint.js';
import { CommandError, UsageError } from '../command-errors.js';
import { switchOf, textOf, type ParsedArguments } from '../command-line.js';
import { askServingProcess } from '../serving/control-client.js';
import { findAllEntries, findEntries, type RegistryEntry } from '../serving/mount-registry.js';
import { announceText, complain, showScreen } from '../terminal.js';
import { describeInFull, describeInOneLine } from './describe-status.js';

/** A healthy process answers at once. */
const answerTimeoutMs = 5_000;

/** Resolves with the exit code: 1 if a serving process does not answer. Rejects with a `CommandError`. */
export async function runStatus(parsed: ParsedArguments, refreshMs: number): Promise<number> {
  const directory = textOf(parsed, 'directory');
  if (directory === '') throw new UsageError('DIRECTORY is empty');
  const isJson = switchOf(parsed, 'json') ?? false;
  const show = (): Promise<Shown> => (directory === undefined ? showAll(isJson) : showOne(directory, isJson));
  if (switchOf(parsed, 'watch')) return await watch(show, { isJson, refreshMs });
  const { text, exitCode } = await show();
  if (text !== '') announceText(text);
  return exitCode;
}

interface Shown {
  readonly text: string;
  readonly exitCode: number;
}

async function watch(
  show: () => Promise<Shown>,
  { isJson, refreshMs }: { readonly isJson: boolean; readonly refreshMs: number },
): Promise<number> {
  if (isJson || !process.stdout.isTTY) {
    throw new UsageError(
      '--watch is for a terminal and without --json; scripts can call osirisfs status again',
    );
  }
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort()).once('SIGTERM', () => stop.abort());
  while (!stop.signal.aborted) {
    const { text } = await show();
    showScreen(text);
    await delay(refreshMs, undefined, { signal: stop.signal }).catch(() => undefined); // the loop ends then
  }
  return 0;
}

async function showAll(isJson: boolean): Promise<Shown> {
  const found = await findAllEntries(process.getuid?.() ?? 0, process.env);
  const statuses: MountStatus[] = [];
  let exitCode = 0;
  for (const entry of found) {
    try {
      const status = await ask(entry);
      if (status) statuses.push(status);
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      complain(`${entry.mountpoint} (pid ${entry.pid}): ${error.message}`);
      exitCode = 1;
    }
  }
  if (isJson) return { text: JSON.stringify(statuses, undefined, 2), exitCode };
  if (statuses.length === 0 && exitCode === 0) complain('nothing is mounted by osirisfs');
  const now = new Date();
  return { text: statuses.map((status) => describeInOneLine(status, now)).join('\n'), exitCode };
}

async function showOne(directory: string, isJson: boolean): Promise<Shown> {
  const mountpoint = await resolveMountpoint(directory);
  for (const entry of await findEntries(mountpoint, process.getuid?.() ?? 0, process.env)) {
    const status = await ask(entry);
    if (!status) continue;
    const text = isJson ? JSON.stringify(status, undefined, 2) : describeInFull(status, new Date());
    return { text, exitCode: 0 };
  }
  throw new CommandError(
    `${directory} is not mounted by an osirisfs of yours; osirisfs status without it shows what is`,
  );
}

/** Undefined if a killed process left the entry. */
async function ask({ socketPath }: RegistryEntry): Promise<MountStatus | undefined> {
  const outcome = await askServingProcess(socketPath, { command: 'status' }, undefined, answerTimeoutMs);
  if ('noProcess' in outcome) return undefined;
  if ('status' in outcome) return outcome.status;
  throw new CommandError(
    'error' in outcome
      ? `${outcome.error}: is it of another version?`
      : 'the serving process gave another answer',
  );
}
