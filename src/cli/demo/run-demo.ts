/** `osirisfs demo`: gateway, bucket, customer key and mount in one command, for people without a bucket. */
import { mkdir, rmdir } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { resolveMountConfig, type MountConfig } from '../../settings/config.js';
import { checkFuseSupport, systemFuseSupport } from '../../mount/fuse-support.js';
import { KeyRing } from '../../keys/key-ring.js';
import { openLogFile, startLogging } from '../logging.js';
import { limitCoreDumps } from '../../native/limit-core-dumps.js';
import { parsePath } from '../../settings/setting-values.js';
import { CommandError } from '../command-errors.js';
import { textOf, type ParsedArguments } from '../command-line.js';
import { exitFailure } from '../explain-error.js';
import { serve } from '../serving/serve.js';
import { Interrupted } from '../stop-signal.js';
import { announce, announceText, complain } from '../terminal.js';
import { xdgDirectory } from '../user-directories.js';
import { DemoDataError, openDemoData, type DemoData } from './demo-data.js';
import { demoText } from './demo-text.js';
import { DemoGatewayError, startDemoGateway, type DemoGateway } from './gateway-child.js';

const bucket = 'demo';
const region = 'us-east-1';

/** Resolves with the exit code when the demo has been ended and everything is stored. */
export async function runDemo(parsed: ParsedArguments, defaultName: string): Promise<number> {
  limitCoreDumps();
  const directory = parsePath(textOf(parsed, 'dir') ?? path.join(os.homedir(), defaultName));
  await checkFuseSupport(systemFuseSupport());
  const starting = stopOnSignals();
  try {
    const data = await openDemoData(dataDirectory());
    const isMade = await makeMountpoint(directory);
    try {
      return await runGatewayAndMount(directory, data, starting);
    } finally {
      if (isMade) await removeIfEmpty(directory);
      data.release();
    }
  } catch (error) {
    throw error instanceof DemoDataError || error instanceof DemoGatewayError
      ? new CommandError(error.message, { cause: error })
      : error;
  } finally {
    starting.stopListening();
  }
}

async function runGatewayAndMount(
  directory: string,
  data: DemoData,
  starting: ReturnType<typeof stopOnSignals>,
): Promise<number> {
  const file = data.gatewayLogFile;
  const log = { file, descriptor: openLogFile(file) };
  const gateway = await startDemoGateway(data.gatewayDirectory, log, starting.signal);
  const logging = startLogging({ level: 'info', file: data.mountLogFile });
  let exitCode = 0;
  try {
    leadAwsClientsTo(gateway);
    gateway.onUnexpectedEnd((how) => {
      exitCode = exitFailure;
      logging.log.error({ how }, 'the gateway ended');
      complain(`the gateway ended by itself (${how}; see ${file}); unmounting`);
      process.kill(process.pid, 'SIGTERM');
    });
    await serve({
      config: mountConfig(directory, data, gateway),
      keyRing: new KeyRing(data.customerKey),
      logging,
      signal: starting.signal,
      onMounted: () => {
        starting.stopListening(); // the mount handles signals from here on
        announceText(demoText({ bucket, directory, data }));
      },
      say: complain,
    });
    announce(`${directory} is unmounted; the bucket stays in ${data.directory} for the next time`);
    return exitCode;
  } catch (error) {
    logging.log.error({ err: error }, 'ended with an error');
    throw error;
  } finally {
    await gateway.stop();
  }
}

/** Handles signals until the directory is mounted. The first signal aborts; the second one has its default effect. */
function stopOnSignals(): { readonly signal: AbortSignal; stopListening(): void } {
  const controller = new AbortController();
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  const stopListening = (): void => {
    for (const name of signals) process.off(name, abort);
  };
  const abort = (name: NodeJS.Signals): void => {
    stopListening();
    controller.abort(new Interrupted(name));
  };
  for (const name of signals) process.on(name, abort);
  return { signal: controller.signal, stopListening };
}

function dataDirectory(): string {
  const data = xdgDirectory(process.env, 'XDG_DATA_HOME') ?? path.join(os.homedir(), '.local', 'share');
  return path.join(data, 'osirisfs', 'demo');
}

/** Resolves with whether it was missing. Does not look up an existing one: what is mounted there may hang. */
async function makeMountpoint(directory: string): Promise<boolean> {
  try {
    await mkdir(path.dirname(directory), { recursive: true });
    await mkdir(directory);
    return true;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return false;
    throw new CommandError(`cannot make ${directory}: ${message}; give another directory`, { cause: error });
  }
}

async function removeIfEmpty(directory: string): Promise<void> {
  try {
    await rmdir(directory);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOTEMPTY' || code === 'ENOENT' || code === 'EBUSY') return; // another program uses it by now
    complain(`${directory} was not removed: ${(error as Error).message}`);
  }
}

/** The user's own settings name another server. */
function leadAwsClientsTo(gateway: DemoGateway): void {
  for (const name of Object.keys(process.env)) {
    if (name.startsWith('AWS_')) Reflect.deleteProperty(process.env, name);
  }
  Object.assign(process.env, {
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    AWS_ACCESS_KEY_ID: gateway.accessKeyId,
    AWS_SECRET_ACCESS_KEY: gateway.secretAccessKey,
  });
}

/** All settings but these are at their defaults. */
function mountConfig(directory: string, data: DemoData, gateway: DemoGateway): MountConfig {
  const values = {
    endpoint: gateway.endpoint,
    region,
    caBundle: gateway.authorityFile,
    keyFiles: [data.keyFile],
    logFile: data.mountLogFile,
    foreground: true,
    create: true,
  };
  return resolveMountConfig({ bucket, directory, mountFlags: [] }, [
    { values, describe: ({ option }) => option },
  ]);
}
