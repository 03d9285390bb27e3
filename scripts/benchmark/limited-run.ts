/** Programs that the bench runs: ended, with all that they have started, by a time limit or when the bench is. */
import { start, type ChildOptions, type Finished } from '../../test/mount/child.js';

/** The message is what the table says. */
export class StepFailure extends Error {}

interface LimitedOptions extends Omit<ChildOptions, 'timeoutMs' | 'ownGroup'> {
  readonly limitSeconds: number;
  readonly signal: AbortSignal;
}

/** Rejects with `StepFailure` if the program fails or reaches its limit, and with the signal's reason if that aborts. */
export async function runLimited(
  command: string,
  args: readonly string[],
  options: LimitedOptions,
): Promise<Finished> {
  const { limitSeconds, signal, ...rest } = options;
  signal.throwIfAborted();
  const child = await start(command, args, { ...rest, ownGroup: true });
  const late = new AbortController();
  const timer = setTimeout(() => {
    late.abort();
    child.kill('SIGKILL');
  }, limitSeconds * 1000);
  const onAbort = (): void => child.kill('SIGKILL');
  signal.addEventListener('abort', onAbort);
  // It may have while the program was starting.
  if (signal.aborted) onAbort();
  try {
    // A program that waits in the kernel for a mount ends when that does, if not by the signal.
    const finished = await child.waitForEnd((limitSeconds + 10) * 1000).catch((error: unknown) => {
      throw late.signal.aborted ? new StepFailure(`> ${limitSeconds} s`, { cause: error }) : error;
    });
    signal.throwIfAborted();
    if (late.signal.aborted) throw new StepFailure(`> ${limitSeconds} s`);
    if (finished.code !== 0) {
      const whole = new Error(`${command} said: ${finished.stderr.trim().slice(-2000)}`);
      throw new StepFailure(`fails: ${describeFailure(finished)}`, { cause: whole });
    }
    return finished;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}

function describeFailure({ code, signal, stderr }: Finished): string {
  const [line = ''] = stderr.trim().split('\n');
  return line === '' ? (signal ?? `exit code ${code ?? ''}`) : line.slice(0, 120);
}
