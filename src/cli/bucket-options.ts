/** The options by which every command but mount reaches a bucket, and what comes of them: the settings of a mount that matter. */
import type { Argv } from 'yargs';
import type { AccessConfig } from '../config.js';
import { type SettingName, settings } from '../settings.js';
import { CommandError } from './command-errors.js';
import type { KnownOptions, ParsedArguments } from './command-line.js';
import { durationHelp, readSettingOptions, takesValue, yargsOption } from './mount/mount-options.js';
import { loadAccessConfig, type SettingValues } from './setting-sources.js';

const connectionNames = [
  'endpoint',
  'region',
  'profile',
  'caBundle',
  'allowPlainHttp',
  'maxConnections',
  'connectTimeoutMs',
  'requestTimeoutMs',
  'retryMs',
] as const satisfies readonly SettingName[];

/** `withKeyFile`: false for commands that name their keys by options of their own. */
export interface BucketOptionsForm {
  readonly withKeyFile: boolean;
}

export const sourcesEpilogue = [
  'Every option of the groups Bucket and Limits can also be given by a variable (--key-file by',
  'OSIRISFS_KEY_FILE) or in ~/.config/osirisfs/config.toml, as for osirisfs mount; credentials come from the AWS',
  `conventions. ${durationHelp}`,
].join('\n');

export function bucketOptions(
  form: BucketOptionsForm,
  own: KnownOptions = { values: [], switches: [] },
): KnownOptions {
  const names = namesOf(form);
  const optionsOf = (some: readonly SettingName[]) => some.map((name) => settings[name].option);
  return {
    values: [...optionsOf(names.filter(takesValue)), ...own.values],
    switches: [...optionsOf(names.filter((name) => !takesValue(name))), ...own.switches],
  };
}

export function describeBucketOptions(yargs: Argv, form: BucketOptionsForm): Argv {
  for (const name of namesOf(form)) yargs.option(settings[name].option, yargsOption(name));
  return yargs;
}

/** `own`: settings that come from other options of the command. Rejects with a `ConfigError` or `UsageError`. */
export async function readAccessConfig(
  parsed: ParsedArguments,
  bucket: string,
  form: BucketOptionsForm,
  own: SettingValues = {},
): Promise<AccessConfig> {
  const values = { ...readSettingOptions(parsed, namesOf(form)), ...own };
  return await loadAccessConfig(bucket, values, process.env);
}

/** For commands that found nothing: an empty bucket is as it is, a prefix is mistyped. Throws a `CommandError`. */
export function requireAnything({ bucket, prefix }: AccessConfig): void {
  if (prefix !== '') throw new CommandError(`there is nothing at ${bucket}/${prefix.slice(0, -1)}`);
}

function namesOf({ withKeyFile }: BucketOptionsForm): readonly SettingName[] {
  return withKeyFile ? ['keyFiles', ...connectionNames] : connectionNames;
}
