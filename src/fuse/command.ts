/** Runs the small programs that mount and unmount. They see PATH and nothing else: our environment may hold secrets. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { StdioOptions } from 'node:child_process';

/** Text kept of what a program says. */
const maxWords = 4096;

export interface CommandResult {
  readonly exitCode: number | null;
  /** What it wrote to stderr, in one line. */
  readonly words: string;
}

export function safeEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'] ?? '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' };
}

/** In parentheses, what the process waits for, from proc(5); '' if that is unknown. */
function whatHoldsUp(pid: number | undefined): string {
  const read = (file: string): string | undefined => {
    try {
      return readFileSync(`/proc/${pid ?? 'none'}/${file}`, 'latin1');
    } catch {
      return undefined;
    }
  };
  const [, state] = /^State:\t(.*)$/m.exec(read('status') ?? '') ?? [];
  if (state === undefined) return '';
  return ` (state ${[state, read('wchan'), read('syscall')?.trim()].filter(Boolean).join(', ')})`;
}

/**
 * Resolves when the program has ended. Rejects with the error of spawn(3) if it cannot be started (`code` ENOENT if it is
 * not installed), and with a plain Error if it takes longer than `timeoutMs`; it is killed then.
 * `inherited` are descriptors that it gets as 3 and up.
 */
export function runCommand(
  program: string,
  programArguments: readonly string[],
  options: {
    readonly timeoutMs: number;
    readonly environment?: NodeJS.ProcessEnv;
    readonly inherited?: readonly number[];
  },
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const stdio: StdioOptions = ['ignore', 'ignore', 'pipe', ...(options.inherited ?? [])];
    const child = spawn(program, programArguments, {
      stdio,
      cwd: '/',
      env: { ...safeEnvironment(), ...options.environment },
    });
    let words = '';
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      words = (words + chunk).slice(0, maxWords);
    });
    const timer = setTimeout(() => {
      const waiting = whatHoldsUp(child.pid);
      child.kill('SIGKILL');
      reject(new Error(`${program} did not end within ${options.timeoutMs / 1000} s${waiting}`));
    }, options.timeoutMs);
    child.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.on('close', (exitCode) => {
      clearTimeout(timer);
      resolve({ exitCode, words: words.trim().replaceAll(/\s*\n\s*/g, '; ') });
    });
  });
}
