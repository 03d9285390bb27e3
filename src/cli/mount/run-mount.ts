/**
 * `osirisfs mount`: starts the serving process, or serves in the foreground, and reports the outcome. The work is in `serve.ts`.
 * Only the serving process loads it, because the layers below take half a second.
 */
import path from 'node:path';
import { allBuckets, type MountConfig } from '../../settings/config.js';
import { readKeyRing } from '../../keys/customer-key-file.js';
import { openLogFile, startLogging, type Logging } from '../logging.js';
import type { MountDependencies, RunningMount } from '../../mount/mount.js';
import { limitCoreDumps } from '../../native/limit-core-dumps.js';
import { ConfigError } from '../../settings/setting-values.js';
import type { ParsedArguments } from '../command-line.js';
import { explainError } from '../explain-error.js';
import { findStateDirectory } from '../state-directory.js';
import { announce, complain, quoteWhereNeeded } from '../terminal.js';
import { connectToCommand, startInBackground, type CommandChannel } from './background.js';
import { readMountConfig } from './mount-options.js';

/** Resolves with the exit code. */
export async function runMount(
  parsed: ParsedArguments,
  dependencies: MountDependencies | undefined,
): Promise<number> {
  limitCoreDumps();
  const command = connectToCommand();
  if (command) return await serveInBackground(await readMountConfig(parsed), command, dependencies);

  const config = await readMountConfig(parsed);
  const keyRing = await readKeyRing(config.keyFiles);
  if (!config.foreground) {
    const { logFile } = await chooseLogFile(config);
    const logDescriptor = withLogFile(logFile, () => openLogFile(logFile));
    const { line, exitCode } = await startInBackground({ keyRing, logDescriptor, logFile });
    (exitCode === 0 ? announce : complain)(line);
    return exitCode;
  }
  const logging = startLog(config, config.logFile);
  try {
    const onMounted = (running: RunningMount, problem: string | undefined): void => {
      announce(mountedLine(running));
      if (problem !== undefined) complain(problem);
    };
    const { signal } = new AbortController();
    const { serve } = await import('../serving/serve.js');
    await serve({ config, keyRing, logging, signal, onMounted, say: complain, dependencies });
    return 0;
  } catch (error) {
    logging.log.error({ err: error }, 'ended with an error');
    throw error;
  }
}

async function serveInBackground(
  config: MountConfig,
  command: CommandChannel,
  dependencies: MountDependencies | undefined,
): Promise<number> {
  const { logFile, problem: logProblem } = await chooseLogFile(config);
  const logging = startLog(config, logFile);
  if (logProblem !== undefined) logging.log.warn({}, logProblem);
  try {
    const keyRing = await command.receiveKeyRing();
    const onMounted = (running: RunningMount, problem: string | undefined): void => {
      // Leaves the user's directory, so as not to keep it busy. Not earlier: variables of AWS may name relative paths.
      process.chdir('/');
      const but = [logProblem, problem]
        .flatMap((each) => (each === undefined ? [] : [`; but ${each}`]))
        .join('');
      void command.reportMounted(`${mountedLine(running)}; log: ${logFile}${but}`);
    };
    const say = (line: string): void => logging.log.info({}, line);
    const { serve } = await import('../serving/serve.js');
    await serve({ config, keyRing, logging, signal: command.signal, onMounted, say, dependencies });
    return 0;
  } catch (error) {
    logging.log.error({ err: error }, 'ended with an error');
    const explanation = explainError(error);
    await command.reportFailure(explanation);
    return explanation.exitCode;
  }
}

function mountedLine({ source, mountpoint, news }: RunningMount): string {
  const bucket = source.replace(/^osirisfs:/, '');
  const what = bucket === allBuckets ? 'every bucket' : bucket;
  return `${news === undefined ? '' : `${news}; `}${what} is mounted on ${mountpoint}; to unmount: osirisfs umount ${quoteWhereNeeded(mountpoint)}`;
}

interface ChosenLogFile {
  readonly logFile: string;
  /** Why the log is not in its usual place, in one line. */
  readonly problem?: string | undefined;
}

/** The log file of this mount, in the user's state directory, named after the mountpoint. */
async function chooseLogFile(config: MountConfig): Promise<ChosenLogFile> {
  if (config.logFile !== undefined) return { logFile: config.logFile };
  const { directory, problem } = await findStateDirectory(process.env);
  const name = config.mountpoint.slice(1).replaceAll('/', '-').slice(-maxLogNameLength) || 'root';
  return { logFile: path.join(directory, `${name}.log`), problem };
}

/** A name has at most 255 bytes; characters may have four. */
const maxLogNameLength = 60;

function startLog(config: MountConfig, file: string | undefined): Logging {
  return withLogFile(file, () => startLogging({ level: config.logLevel, file }));
}

function withLogFile<T>(file: string | undefined, action: () => T): T {
  try {
    return action();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConfigError(
      `cannot write the log file ${file ?? ''}: ${reason}; choose another by --log-file`,
      {
        cause: error,
      },
    );
  }
}
