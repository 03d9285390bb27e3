/**
 * Both ends of the channel between the command `osirisfs mount`, which waits until the mount works, and the serving process
 * that it leaves behind. The customer key goes through this channel and never through arguments or environment: the
 * command reads the key file, which may be a pipe of the user's shell.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync } from 'node:fs';
import { CustomerKey } from '../../keys/customer-key.js';
import { KeyRing } from '../../keys/key-ring.js';
import { CommandError } from '../command-errors.js';
import { exitFailure, exitInterrupted, type Explanation } from '../explain-error.js';

/** More than all time limits of connecting and checking together. */
const startTimeoutMs = 300_000;
/** After a SIGTERM, until the serving process is killed. */
const stopTimeoutMs = 10_000;

type FromServer =
  | { readonly type: 'key-wanted' }
  | { readonly type: 'mounted'; readonly line: string }
  | ({ readonly type: 'failed' } & Explanation);

interface FromCommand {
  readonly type: 'key';
  /** The first key writes. */
  readonly base64: readonly [string, ...string[]];
}

interface BackgroundOptions {
  readonly keyRing: KeyRing;
  /** The serving process prints there. Closed here. */
  readonly logDescriptor: number;
  readonly logFile: string;
}

/**
 * Starts this same program again, with the same flags of Node, detached, and resolves when its mount works. Resolves with the
 * exit code of the command and a line for the user; an interrupt ends the serving process too.
 */
export async function startInBackground(options: BackgroundOptions): Promise<Explanation> {
  const { logDescriptor } = options;
  const [, script] = process.argv;
  if (script === undefined)
    throw new CommandError('cannot start the serving process: the program has no file name');
  const child = spawn(process.execPath, [...process.execArgv, script, ...process.argv.slice(2)], {
    detached: true,
    stdio: ['ignore', logDescriptor, logDescriptor, 'ipc'],
    env: { ...process.env, OSIRISFS_BACKGROUND: '1' },
  });
  closeSync(logDescriptor);
  const stop = new AbortController();
  const onSignal = (): void => stop.abort();
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal).on('SIGHUP', onSignal);
  try {
    return await conclude(child, options, stop.signal);
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal).off('SIGHUP', onSignal);
    if (child.connected) child.disconnect();
    child.unref();
  }
}

async function conclude(
  child: ChildProcess,
  { keyRing, logFile }: BackgroundOptions,
  stop: AbortSignal,
): Promise<Explanation> {
  return await new Promise((resolve) => {
    const endChild = (): void => {
      child.kill('SIGTERM');
      setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs).unref();
    };
    const timer = setTimeout(() => {
      endChild();
      const line = `the mount did not work within ${startTimeoutMs / 1000} s and was given up; see ${logFile}`;
      resolve({ line, exitCode: exitFailure });
    }, startTimeoutMs);
    const end = (explanation: Explanation): void => {
      clearTimeout(timer);
      const interrupted = { line: 'interrupted; nothing is mounted', exitCode: exitInterrupted };
      resolve(stop.aborted ? interrupted : explanation);
    };
    stop.addEventListener('abort', endChild, { once: true });
    child.on('message', (message: FromServer) => {
      if (stop.aborted) return; // the end of the process counts
      if (message.type === 'key-wanted') {
        const { first, others } = keyRing;
        const base64 = [first.toBase64(), ...others.map((key) => key.toBase64())] as const;
        const answer: FromCommand = { type: 'key', base64: [...base64] };
        child.send(answer, () => undefined); // if it does not arrive, 'exit' follows
      } else if (message.type === 'mounted') end({ line: message.line, exitCode: 0 });
      else end({ line: message.line, exitCode: message.exitCode });
    });
    child.on('error', (error) =>
      end({ line: `cannot start the serving process: ${error.message}`, exitCode: exitFailure }),
    );
    child.on('exit', (code, signal) => {
      const how = signal === null ? `with exit code ${code ?? '?'}` : `by ${signal}`;
      end({
        line: `the serving process ended ${how} before the mount worked; see ${logFile}`,
        exitCode: exitFailure,
      });
    });
  });
}

/** The serving process's end. */
export interface CommandChannel {
  /** Aborts if the command ends before the first message to it. */
  readonly signal: AbortSignal;
  receiveKeyRing(): Promise<KeyRing>;
  /** Resolves when the command has received it, or is gone. Then the channel is closed. */
  reportMounted(line: string): Promise<void>;
  reportFailure(explanation: Explanation): Promise<void>;
}

/** Undefined if `startInBackground` did not start this process. Call it once. */
export function connectToCommand(): CommandChannel | undefined {
  // Set by startInBackground.
  const isServer = process.env['OSIRISFS_BACKGROUND'] === '1' && process.connected;
  // Child processes are no serving processes.
  delete process.env['OSIRISFS_BACKGROUND'];
  if (!isServer) return undefined;
  const gone = new AbortController();
  const onDisconnect = (): void =>
    gone.abort(new CommandError('the command that asked for the mount is gone'));
  process.once('disconnect', onDisconnect);
  const sendLast = async (message: FromServer): Promise<void> => {
    process.off('disconnect', onDisconnect);
    await send(message);
    if (process.connected) process.disconnect();
  };
  return {
    signal: gone.signal,
    receiveKeyRing: async () => {
      const keyRing = new Promise<KeyRing>((resolve, reject) => {
        process.once('message', ({ base64: [first, ...others] }: FromCommand) =>
          resolve(new KeyRing(decodeCustomerKey(first), others.map(decodeCustomerKey))),
        );
        gone.signal.addEventListener('abort', () => reject(gone.signal.reason as Error), { once: true });
      });
      await send({ type: 'key-wanted' });
      return await keyRing;
    },
    reportMounted: (line) => sendLast({ type: 'mounted', line }),
    reportFailure: ({ line, exitCode }) => sendLast({ type: 'failed', line, exitCode }),
  };
}

function decodeCustomerKey(base64: string): CustomerKey {
  return new CustomerKey(Buffer.from(base64, 'base64'));
}

/** Resolves also if the other end is gone. */
async function send(message: FromServer): Promise<void> {
  await new Promise<void>((resolve) => {
    if (process.send && process.connected) process.send(message, undefined, undefined, () => resolve());
    else resolve();
  });
}
