/** Starts the demo's gateway in its own process, so that mount and server cannot block each other. */
import { fork, type ChildProcess } from 'node:child_process';
import { closeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export interface DemoGateway {
  readonly endpoint: string;
  readonly authorityFile: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Calls back, with how it ended, if the process ends before `stop`. */
  onUnexpectedEnd(listener: (how: string) => void): void;
  /** Resolves when the process has ended. */
  stop(): Promise<void>;
}

/** The message is for users. */
export class DemoGatewayError extends Error {
  override readonly name = 'DemoGatewayError';
}

/** How long requests under way may take to finish when the gateway is stopped. */
export const gatewayGraceMs = 5_000;
/** More than the gateway takes to stop. */
const killAfterMs = 2 * gatewayGraceMs;
const program = fileURLToPath(new URL('gateway-process.js', import.meta.url));

/** What the gateway's process says. The end of the channel tells it to stop. */
export type FromGateway =
  | {
      readonly type: 'listening';
      readonly endpoint: string;
      readonly authorityFile: string;
      readonly accessKeyId: string;
      readonly secretAccessKey: string;
    }
  | { readonly type: 'failed'; readonly message: string };

interface GatewayLog {
  /** Named in errors. */
  readonly file: string;
  /** Open to be written; it is closed here. */
  readonly descriptor: number;
}

/** Rejects with a `DemoGatewayError`, or with the signal's reason. */
export async function startDemoGateway(
  directory: string,
  log: GatewayLog,
  signal: AbortSignal,
): Promise<DemoGateway> {
  // Detached: Ctrl-C reaches every process of the terminal, and the gateway must live longer than the mount.
  const child = fork(program, [directory], {
    detached: true,
    stdio: ['ignore', log.descriptor, log.descriptor, 'ipc'],
  });
  closeSync(log.descriptor);
  const ended = new Promise<string>((resolve) => {
    child.once('exit', (code, name) => resolve(name ?? `exit code ${code ?? '?'}`));
    child.once('error', (error) => resolve(error.message));
  });
  let isStopping = false;
  const stop = async (): Promise<void> => {
    isStopping = true;
    if (child.connected) child.disconnect();
    const timer = setTimeout(() => child.kill('SIGKILL'), killAfterMs);
    await ended;
    clearTimeout(timer);
  };
  try {
    const access = await firstMessage(child, ended, log.file, signal);
    return {
      ...access,
      onUnexpectedEnd: (listener) => {
        void ended.then((how) => {
          if (!isStopping) listener(how);
        });
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function firstMessage(
  child: ChildProcess,
  ended: Promise<string>,
  logFile: string,
  signal: AbortSignal,
): Promise<Extract<FromGateway, { type: 'listening' }>> {
  return await new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    child.once('message', (message: FromGateway) => {
      if (message.type === 'listening') resolve(message);
      else reject(new DemoGatewayError(`the gateway does not start: ${message.message}`));
    });
    void ended.then((how) =>
      reject(new DemoGatewayError(`the gateway does not start (${how}); see ${logFile}`)),
    );
  });
}
