/** `osirisfs mount`: its options and help, and which process does the work. The work itself is in `serve.ts`. */
import { mkdirSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Argv, Options } from 'yargs';
import type { MountConfig } from '../config.js';
import { readCustomerKeyFile } from '../keys/customer-key-file.js';
import { openLogFile, startLogging, type Logging } from '../logging.js';
import type { MountDependencies, RunningMount } from '../mount.js';
import { limitCoreDumps } from '../native/limit-core-dumps.js';
import { ConfigError, type RawValue } from '../setting-values.js';
import { helpGroups, settingNames, settings, type SettingName } from '../settings.js';
import { connectToCommand, startInBackground, type CommandChannel } from './background.js';
import {
  positionalOf,
  switchOf,
  textOf,
  textsOf,
  type KnownOptions,
  type ParsedArguments,
} from './command-line.js';
import { explainError } from './explain-error.js';
import { parseFuseOptions } from './fuse-options.js';
import { serve } from './serve.js';
import { loadMountConfig, type SettingValues } from './setting-sources.js';
import { announce, complain } from './terminal.js';

const mountEpilogue = `Examples:
  osirisfs mount data ~/data --key-file ~/data.key --endpoint https://rgw.example.org
  osirisfs mount data/2024 ~/data --key-file ~/data.key --read-only --cache-size 1GiB
  osirisfs mount data ~/data -o ro,allow_other,url=https://rgw.example.org,key_file=~/data.key
  osirisfs umount ~/data

SIZE is in bytes, or with k, M, G, T (powers of 1,024), as in 256M; also KiB, MiB, GiB, TiB, kB, MB, GB, TB.
DURATION is in seconds, or with ms, s, m, h, as in 500ms.

Credentials come from the AWS conventions: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or ~/.aws/credentials
with --profile; so do endpoint, region and CA bundle where no option gives them.

Every option can also be given by a variable (--cache-size by OSIRISFS_CACHE_SIZE) or in
~/.config/osirisfs/config.toml, or the file named by OSIRISFS_CONFIG (cache-size = "1GiB", read-only = true).
Options override variables, and variables the file.`;

export const mountUsage = 'mount <bucket> <directory>';
export const mountDescription = 'mount BUCKET[/PREFIX] on an empty DIRECTORY';

export function describeMountOptions(yargs: Argv): Argv {
  for (const group of helpGroups) {
    for (const name of settingNames) {
      const setting = settings[name];
      if (setting.group === group) yargs.option(setting.option, yargsOption(name));
    }
  }
  return yargs
    .positional('bucket', { type: 'string', demandOption: true, describe: 'BUCKET or BUCKET/PREFIX' })
    .positional('directory', { type: 'string', demandOption: true, describe: 'an empty directory' })
    .option('o', {
      type: 'string',
      array: true,
      requiresArg: true,
      group: 'Directory:',
      describe:
        'the same options as mount(8) and s3fs write them, and noexec, nodev, nosuid, noatime, sync, ...',
    })
    .alias('f', 'foreground')
    .epilogue(mountEpilogue);
}

export const mountOptions: KnownOptions = {
  values: [...settingNames.filter(takesValue).map((name) => settings[name].option), 'o'],
  switches: [...settingNames.filter((name) => !takesValue(name)).map((name) => settings[name].option), 'f'],
};

/** Resolves with the exit code. */
export async function runMount(
  parsed: ParsedArguments,
  dependencies: MountDependencies | undefined,
): Promise<number> {
  limitCoreDumps();
  const command = connectToCommand();
  if (command) return await serveInBackground(await configOf(parsed), command, dependencies);

  const config = await configOf(parsed);
  const customerKey = await readCustomerKeyFile(config.keyFile);
  if (!config.foreground) {
    const logFile = logFileOf(config);
    const logDescriptor = withLogFile(logFile, () => {
      if (config.logFile === undefined) mkdirSync(path.dirname(logFile), { recursive: true, mode: 0o700 });
      return openLogFile(logFile);
    });
    const { line, exitCode } = await startInBackground({ customerKey, logDescriptor, logFile });
    (exitCode === 0 ? announce : complain)(line);
    return exitCode;
  }
  const logging = startLog(config, config.logFile);
  try {
    const onMounted = (running: RunningMount): void => announce(mountedLine(running));
    const { signal } = new AbortController();
    await serve({ config, customerKey, logging, signal, onMounted, say: complain, dependencies });
    return 0;
  } catch (error) {
    logging.log.error({ error }, 'ended with an error');
    throw error;
  } finally {
    logging.flush();
  }
}

async function serveInBackground(
  config: MountConfig,
  command: CommandChannel,
  dependencies: MountDependencies | undefined,
): Promise<number> {
  const logFile = logFileOf(config);
  const logging = startLog(config, logFile);
  try {
    const customerKey = await command.receiveCustomerKey();
    const onMounted = (running: RunningMount): void => {
      // The directory that the user was in must not be kept busy. Not before: variables of AWS may name relative paths.
      process.chdir('/');
      void command.reportMounted(`${mountedLine(running)}; log: ${logFile}`);
    };
    const say = (line: string): void => logging.log.info({}, line);
    await serve({ config, customerKey, logging, signal: command.signal, onMounted, say, dependencies });
    return 0;
  } catch (error) {
    logging.log.error({ error }, 'ended with an error');
    const explanation = explainError(error);
    await command.reportFailure(explanation);
    return explanation.exitCode;
  } finally {
    logging.flush();
  }
}

function mountedLine({ source, mountpoint }: RunningMount): string {
  return `${source.replace(/^osirisfs:/, '')} is mounted on ${mountpoint}; to unmount: osirisfs umount ${mountpoint}`;
}

async function configOf(parsed: ParsedArguments): Promise<MountConfig> {
  const { values: fuseValues, mountFlags } = parseFuseOptions(textsOf(parsed, 'o'));
  const values: SettingValues = {};
  for (const name of settingNames) {
    const { option } = settings[name];
    const value: RawValue | undefined = takesValue(name) ? textOf(parsed, option) : switchOf(parsed, option);
    if (value !== undefined) values[name] = value;
  }
  const mountArguments = {
    bucket: positionalOf(parsed, 'bucket'),
    directory: positionalOf(parsed, 'directory'),
    mountFlags,
  };
  return await loadMountConfig(mountArguments, values, fuseValues, process.env);
}

/** In the user's state directory, by the mountpoint, as each mount has one of its own. */
function logFileOf(config: MountConfig): string {
  if (config.logFile !== undefined) return config.logFile;
  const state = process.env['XDG_STATE_HOME'] ?? path.join(os.homedir(), '.local', 'state');
  const name = config.mountpoint.slice(1).replaceAll('/', '-').slice(-maxLogNameLength) || 'root';
  return path.join(state, 'osirisfs', `${name}.log`);
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

function takesValue(name: SettingName): boolean {
  return settings[name].placeholder !== undefined;
}

function yargsOption(name: SettingName): Options {
  const { placeholder, group, help, defaultText } = settings[name];
  return {
    type: takesValue(name) ? 'string' : 'boolean',
    requiresArg: takesValue(name),
    group: `${group}:`,
    describe: placeholder === undefined ? help : `${placeholder}: ${help}`,
    ...(defaultText !== undefined && { defaultDescription: defaultText }),
  };
}
