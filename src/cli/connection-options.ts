/** The settings by which commands other than `mount` reach a bucket: the same names and sources as there. */
import type { Argv } from 'yargs';
import { settingValue } from '../config.js';
import { settings, type SettingName } from '../settings.js';
import type { KnownOptions, ParsedArguments } from './command-line.js';
import { readSettingOptions, takesValue, yargsOption } from './mount/mount-options.js';
import { readSources } from './setting-sources.js';

const connectionSettings = [
  'endpoint',
  'region',
  'profile',
  'caBundle',
  'allowPlainHttp',
  'connectTimeoutMs',
  'requestTimeoutMs',
] as const satisfies readonly SettingName[];

export interface ConnectionSettings {
  readonly endpoint?: string;
  readonly region?: string;
  readonly profile?: string;
  /** Absolute path of a PEM file. */
  readonly caBundle?: string;
  readonly allowPlainHttp: boolean;
  readonly connectTimeoutMs: number;
  readonly requestTimeoutMs: number;
  /** Absolute paths; only where the command takes them, and only if one is given somewhere. */
  readonly keyFiles?: readonly string[];
}

export type ExtraSetting = 'keyFiles';

export function describeConnectionOptions(yargs: Argv, extra: readonly ExtraSetting[] = []): Argv {
  for (const name of [...extra, ...connectionSettings]) {
    yargs.option(settings[name].option, yargsOption(name));
  }
  return yargs;
}

export function connectionOptions(extra: readonly ExtraSetting[] = []): KnownOptions {
  const names = [...extra, ...connectionSettings];
  return {
    values: names.filter(takesValue).map((name) => settings[name].option),
    switches: names.filter((name) => !takesValue(name)).map((name) => settings[name].option),
  };
}

/** Options, then variables, then the config file. Rejects with a `UsageError` or `ConfigError`. */
export async function readConnectionSettings(
  parsed: ParsedArguments,
  extra: readonly ExtraSetting[] = [],
): Promise<ConnectionSettings> {
  const options = readSettingOptions(parsed, [...extra, ...connectionSettings]);
  const sources = await readSources(options, {}, process.env);
  const endpoint = settingValue('endpoint', sources);
  const region = settingValue('region', sources);
  const profile = settingValue('profile', sources);
  const caBundle = settingValue('caBundle', sources);
  const hasKeyFiles =
    extra.includes('keyFiles') && sources.some(({ values }) => values.keyFiles !== undefined);
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
