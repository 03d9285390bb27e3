/**
 * The options by which commands other than mount reach a server and a bucket, and the settings that they give: the part of a
 * mount's settings that matters there.
 */
import type { Argv } from 'yargs';
import { settingValue, type AccessConfig } from '../settings/config.js';
import type { ConnectOptions } from '../s3/connect.js';
import { settings, type SettingName } from '../settings/settings.js';
import { CommandError } from './command-errors.js';
import type { ParsedArguments } from './command-line.js';
import { durationHelp, readSettingOptions, yargsOption } from './setting-options.js';
import { loadAccessConfig, readSources, type SettingValues } from './setting-sources.js';

const serverNames = ['endpoint', 'region', 'profile', 'caBundle', 'allowPlainHttp'] as const;
const timeoutNames = ['connectTimeoutMs', 'requestTimeoutMs'] as const;

/** `withKeyFile`: false for commands that need no key, or have other options for it. */
interface BucketOptionsForm {
  readonly withKeyFile: boolean;
}

/** For commands that work on the objects of a bucket. */
export function describeBucketOptions(yargs: Argv, form: BucketOptionsForm): Argv {
  return describeAll(yargs, bucketNames(form));
}

/** For commands that send a few requests. */
export function describeConnectionOptions(yargs: Argv, form: BucketOptionsForm): Argv {
  return describeAll(yargs, connectionNames(form));
}

export const sourcesEpilogue = [
  'Every option of the groups Bucket and Limits can also be given by a variable (--key-file by',
  'OSIRISFS_KEY_FILE) or in ~/.config/osirisfs/config.toml, as for osirisfs mount; credentials come from the AWS',
  `conventions. ${durationHelp}`,
].join('\n');

/** `own`: settings from other options of the command. Rejects with a `ConfigError` or `UsageError`. */
export async function readAccessConfig(
  parsed: ParsedArguments,
  bucket: string,
  own: SettingValues = {},
): Promise<AccessConfig> {
  const values = { ...readSettingOptions(parsed, bucketNames({ withKeyFile: true })), ...own };
  return await loadAccessConfig(bucket, values, process.env);
}

type ConnectionSettings = Pick<
  ConnectOptions,
  (typeof serverNames)[number] | (typeof timeoutNames)[number]
> & {
  /** Absolute paths; only where the command takes them, and only if one is given somewhere. */
  readonly keyFiles?: readonly string[];
};

/** Options, then variables, then the config file. Rejects with a `UsageError` or `ConfigError`. */
export async function readConnectionSettings(
  parsed: ParsedArguments,
  form: BucketOptionsForm,
): Promise<ConnectionSettings> {
  const sources = await readSources(readSettingOptions(parsed, connectionNames(form)), {}, process.env);
  const endpoint = settingValue('endpoint', sources);
  const region = settingValue('region', sources);
  const profile = settingValue('profile', sources);
  const caBundle = settingValue('caBundle', sources);
  const hasKeyFiles = form.withKeyFile && sources.some(({ values }) => values.keyFiles !== undefined);
  return {
    ...(endpoint !== undefined && { endpoint }),
    ...(region !== undefined && { region }),
    ...(profile !== undefined && { profile }),
    ...(caBundle !== undefined && { caBundle }),
    allowPlainHttp: settingValue('allowPlainHttp', sources),
    connectTimeoutMs: settingValue('connectTimeoutMs', sources),
    requestTimeoutMs: settingValue('requestTimeoutMs', sources),
    ...(hasKeyFiles && { keyFiles: settingValue('keyFiles', sources) }),
  };
}

/** For commands that found nothing. An empty bucket is no failure; an empty prefix is probably mistyped, and throws a `CommandError`. */
export function requireAnything({ bucket, prefix }: AccessConfig): void {
  if (prefix !== '') throw new CommandError(`there is nothing at ${bucket}/${prefix.slice(0, -1)}`);
}

/** In the order of the help. */
function bucketNames(form: BucketOptionsForm): readonly SettingName[] {
  return [...keyNames(form), ...serverNames, 'maxConnections', ...timeoutNames, 'retryMs'];
}

function connectionNames(form: BucketOptionsForm): readonly SettingName[] {
  return [...keyNames(form), ...serverNames, ...timeoutNames];
}

function keyNames({ withKeyFile }: BucketOptionsForm): readonly SettingName[] {
  return withKeyFile ? ['keyFiles'] : [];
}

function describeAll(yargs: Argv, names: readonly SettingName[]): Argv {
  for (const name of names) yargs.option(settings[name].option, yargsOption(name));
  return yargs;
}
