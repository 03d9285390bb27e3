/** Runs the programs that touch a mount: never this process, which would hang with it. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** Standard output. Rejects unless the program ends with 0 within `timeoutMs`; it is killed then. */
export async function runLimited(
  program: string,
  args: readonly string[],
  timeoutMs: number,
): Promise<string> {
  const { stdout } = await execute(program, args, {
    cwd: '/',
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
    maxBuffer: 16 << 20,
  });
  return stdout;
}
