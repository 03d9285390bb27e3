/** Reads the settings of a mount from the command line's values, the environment and the config file. */
import { open } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { parse as parseToml, TomlError } from 'smol-toml';
import {
  resolveAccessConfig,
  resolveMountConfig,
  type AccessConfig,
  type MountArguments,
  type MountConfig,
  type SettingSource,
} from '../settings/config.js';
import { writersOf } from '../file-access.js';
import { ConfigError, parsePath, type RawValue } from '../settings/setting-values.js';
import { settingNames, settings, type SettingName } from '../settings/settings.js';
import { xdgDirectory } from './user-directories.js';

export const configVariable = 'OSIRISFS_CONFIG';

/** By the setting's name; what was not given is absent. */
export type SettingValues = Partial<Record<SettingName, RawValue>>;

/**
 * Puts together the config of a mount: options, then OSIRISFS_* variables, then the config file. Rejects with a
 * `ConfigError`. `options` come from the command line, `fuseOptions` from its `-o`.
 */
export async function loadMountConfig(
  mountArguments: MountArguments,
  options: SettingValues,
  fuseOptions: SettingValues,
  environment: NodeJS.ProcessEnv,
): Promise<MountConfig> {
  return resolveMountConfig(mountArguments, await readSources(options, fuseOptions, environment));
}

/** In falling precedence. Rejects with a `ConfigError`. */
export async function readSources(
  options: SettingValues,
  fuseOptions: SettingValues,
  environment: NodeJS.ProcessEnv,
): Promise<SettingSource[]> {
  return [
    { values: options, describe: ({ option }) => `--${option}` },
    { values: fuseOptions, describe: ({ option }) => `-o ${option}` },
    environmentSource(environment),
    await configFileSource(environment),
  ];
}

/** Puts together the config of commands that only reach a bucket, BUCKET[/PREFIX]. */
export async function loadAccessConfig(
  bucket: string,
  options: SettingValues,
  environment: NodeJS.ProcessEnv,
): Promise<AccessConfig> {
  return resolveAccessConfig(bucket, [
    { values: options, describe: ({ option }) => `--${option}` },
    environmentSource(environment),
    await configFileSource(environment),
  ]);
}

/** For example OSIRISFS_KEY_FILE. */
export function variableOf(option: string): string {
  return `OSIRISFS_${option.toUpperCase().replaceAll('-', '_')}`;
}

/** An empty variable counts as none. */
function environmentSource(environment: NodeJS.ProcessEnv): SettingSource {
  const values: SettingValues = {};
  const variables = new Map(settingNames.map((name) => [variableOf(settings[name].option), name]));
  for (const [variable, value] of Object.entries(environment)) {
    if (!variable.startsWith('OSIRISFS_') || value === undefined || value === '') continue;
    const name = variables.get(variable);
    if (name !== undefined) values[name] = value;
  }
  return { values, describe: ({ option }) => variableOf(option) };
}

/** The path of the config file that counts. It need not exist. */
export function configFileOf(environment: NodeJS.ProcessEnv): string {
  const named = environment[configVariable];
  const directory = xdgDirectory(environment, 'XDG_CONFIG_HOME') ?? path.join(os.homedir(), '.config');
  return named ? parsePath(named) : path.join(directory, 'osirisfs', 'config.toml');
}

/** A file that the user named must exist; the default one need not. */
async function configFileSource(environment: NodeJS.ProcessEnv): Promise<SettingSource> {
  const named = environment[configVariable];
  const file = configFileOf(environment);
  let text: string;
  let problem: string | undefined;
  try {
    const handle = await open(file);
    try {
      problem = writersOf(await handle.stat(), environment);
      text = await handle.readFile('utf8');
    } finally {
      await handle.close();
    }
  } catch (error) {
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    if (isMissing && !named) return { values: {}, describe: () => file };
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConfigError(`cannot read the config file: ${reason}`, { cause: error });
  }
  // The file says where keys and data are sent.
  if (problem !== undefined)
    throw new ConfigError(`the config file ${file} ${problem}; run: chmod go-w ${file}`);
  return { values: parseConfigFile(file, text), describe: ({ option }) => `${file}: ${option}` };
}

/** A flat table of the options' names. */
function parseConfigFile(file: string, text: string): SettingValues {
  let table: Record<string, unknown>;
  try {
    table = parseToml(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    // The rest of the message is an excerpt in several lines.
    const [reason] = error.message.split('\n');
    throw new ConfigError(`${file} line ${error.line}: ${reason ?? 'not TOML'}`, { cause: error });
  }
  const values: SettingValues = {};
  const names = new Map(settingNames.map((name) => [settings[name].option, name]));
  for (const [option, value] of Object.entries(table)) {
    const name = names.get(option);
    if (name === undefined) {
      throw new ConfigError(`${file}: unknown setting ${JSON.stringify(option)}; see osirisfs mount --help`);
    }
    values[name] = settings[name].isList ? textsIn(file, option, value) : scalarIn(file, option, value);
  }
  return values;
}

function scalarIn(file: string, option: string, value: unknown): RawValue {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
  throw new ConfigError(`${file}: ${option} must be a text, a number, true or false`);
}

/** One text is a list of one, and is not split: only variables and -o need a separator. */
function textsIn(file: string, option: string, value: unknown): readonly string[] {
  const texts: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (texts.every((text) => typeof text === 'string')) return texts;
  throw new ConfigError(`${file}: ${option} must be a text or a list of texts`);
}
