/**
 * Child processes for tests, with a limit on every wait. All access to a mount goes through them: a call that hangs in
 * the kernel can then be killed, where one made by the test runner itself would hang the runner.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { patienceMs } from '../patience.js';
import type { User } from './user.js';

export interface ChildOptions {
  /** Default `patienceMs`: the child is killed then, and the wait rejects. */
  readonly timeoutMs?: number;
  readonly cwd?: string;
  /** Added to the environment; undefined removes a variable. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** The user that runs it; default: the user of the tests. */
  readonly user?: User | undefined;
  readonly input?: string | Uint8Array;
  /** A process group of its own: Ctrl-C at the terminal does not reach it, and a kill reaches all that it has started. */
  readonly ownGroup?: boolean;
}

export interface Finished {
  /** Null if a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stdoutBytes: Buffer;
  readonly stderr: string;
  readonly durationMs: number;
}

export interface RunningChild {
  readonly pid: number;
  /** What it has written so far, standard output and error in one. */
  output(): string;
  hasEnded(): boolean;
  /** Rejects if it does not end within `timeoutMs`, having killed it; an exit code other than 0 is no rejection. */
  waitForEnd(timeoutMs: number): Promise<Finished>;
  kill(signal: NodeJS.Signals): void;
}

/** Starts a program. Rejects if there is no such program. */
export async function start(
  command: string,
  args: readonly string[],
  options: ChildOptions = {},
): Promise<RunningChild> {
  const startedMs = performance.now();
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.user?.env, ...options.env },
    stdio: 'pipe',
    detached: options.ownGroup === true,
    ...(options.user === undefined ? {} : { uid: options.user.uid, gid: options.user.gid }),
  });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  const both: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => both.push(chunk) && stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => both.push(chunk) && stderr.push(chunk));
  // A child may end without having read everything.
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input);
  const ended = new Promise<Finished>((resolve) => {
    child.once('close', (code, signal) => {
      const stdoutBytes = Buffer.concat(stdout);
      resolve({
        code,
        signal,
        stdout: stdoutBytes.toString(),
        stdoutBytes,
        stderr: Buffer.concat(stderr).toString(),
        durationMs: performance.now() - startedMs,
      });
    });
  });
  await spawned(child);
  const kill = (signal: NodeJS.Signals): void => {
    if (options.ownGroup === true) killGroup(child, signal);
    else child.kill(signal);
  };
  return {
    pid: child.pid ?? 0,
    output: () => Buffer.concat(both).toString(),
    hasEnded: () => child.exitCode !== null || child.signalCode !== null,
    waitForEnd: async (timeoutMs) => {
      const timer = new AbortController();
      const outcome = await Promise.race([
        ended,
        delay(timeoutMs, 'late' as const, { signal: timer.signal }).catch(() => 'late' as const),
      ]);
      timer.abort();
      if (outcome !== 'late') return outcome;
      kill('SIGKILL');
      const words = `${command} ${args.join(' ')}`.slice(0, 300);
      throw new Error(`still running after ${timeoutMs} ms: ${words}\n${Buffer.concat(both).toString()}`);
    },
    kill,
  };
}

/** The group outlives the program that began it if something else in it does. */
function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function spawned(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
}

/** Runs a program to its end. Rejects only on the time limit, not for an exit code. */
export async function run(
  command: string,
  args: readonly string[],
  options: ChildOptions = {},
): Promise<Finished> {
  const child = await start(command, args, options);
  return child.waitForEnd(options.timeoutMs ?? patienceMs);
}

/** Runs a program that must exit with 0; returns its standard output. */
export async function runOk(
  command: string,
  args: readonly string[],
  options: ChildOptions = {},
): Promise<string> {
  const { code, signal, stdout, stderr } = await run(command, args, options);
  if (code !== 0) {
    const words = `${command} ${args.join(' ')}`.slice(0, 300);
    throw new Error(`${signal ?? `exit code ${code ?? ''}`}: ${words}\n${stdout.slice(-2000)}${stderr}`);
  }
  return stdout;
}

/** Runs a line of bash, with `set -e` and `pipefail`, that must succeed; `$1` and on are `args`. */
export function bash(script: string, args: readonly string[], options: ChildOptions = {}): Promise<string> {
  return runOk('bash', ['-euo', 'pipefail', '-c', script, 'bash', ...args], options);
}

/** Polls until `condition` holds; rejects after `timeoutMs` with `what`. */
export async function waitUntil(
  what: string,
  timeoutMs: number,
  condition: () => boolean | Promise<boolean>,
): Promise<void> {
  const deadlineMs = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > deadlineMs) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await delay(20);
  }
}
