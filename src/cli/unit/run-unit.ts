/** `osirisfs unit`: prints a unit with which systemd mounts a bucket. */
import path from 'node:path';
import { allBuckets } from '../../settings/config.js';
import { parsePath, parsePaths, type RawValue } from '../../settings/setting-values.js';
import { settingNames, settings, type SettingName } from '../../settings/settings.js';
import { textsOf, type ParsedArguments } from '../command-line.js';
import { parseFuseOptions } from '../mount/fuse-options.js';
import { readMountConfig } from '../mount/mount-options.js';
import { readSettingOptions, takesValue } from '../setting-options.js';
import { configVariable, variableOf } from '../setting-sources.js';
import { announceText, complain } from '../terminal.js';
import { systemdUnit } from './systemd-unit.js';

/** Variables that say where the server is. None is secret. */
const passedVariables = [
  'AWS_PROFILE',
  'AWS_REGION',
  'AWS_DEFAULT_REGION',
  'AWS_ENDPOINT_URL',
  'AWS_ENDPOINT_URL_S3',
  'AWS_CA_BUNDLE',
  'AWS_CONFIG_FILE',
  'AWS_SHARED_CREDENTIALS_FILE',
];
/** The ones among them that name files, which AWS programs take as relative to their working directory. */
const passedPaths: ReadonlySet<string> = new Set([
  'AWS_CA_BUNDLE',
  'AWS_CONFIG_FILE',
  'AWS_SHARED_CREDENTIALS_FILE',
]);

const pathSettings: ReadonlySet<SettingName> = new Set<SettingName>([
  'keyFiles',
  'caBundle',
  'spillDirectory',
  'logFile',
]);

/** Resolves with the exit code. Rejects with what `osirisfs mount` would reject these arguments with. */
export async function runUnit(parsed: ParsedArguments): Promise<number> {
  const { bucket, prefix, mountpoint, mountFlags } = await readMountConfig(parsed);
  // As for a mount, options win over -o. Commas in paths would break the list of -o.
  const values = {
    ...parseFuseOptions(textsOf(parsed, 'o')).values,
    ...readSettingOptions(parsed, settingNames),
  };
  const options = settingNames.flatMap((name) => {
    const value = values[name];
    return name === 'foreground' || value === undefined ? [] : optionsFor(name, value);
  });
  const script = process.argv[1] ?? '';
  announceText(
    systemdUnit({
      bucket: bucket === undefined ? allBuckets : prefix === '' ? bucket : `${bucket}/${prefix}`,
      mountpoint,
      program: [process.execPath, script],
      options: [...options, ...(mountFlags.length === 0 ? [] : ['-o', mountFlags.join(',')])],
      environment: passedEnvironment(process.env),
    }),
  );
  if (process.env['AWS_SECRET_ACCESS_KEY']) {
    complain(
      'the credentials in the environment are not in the unit: put them in ~/.aws/credentials for the service',
    );
  }
  return 0;
}

/** The service runs in another directory, so paths are made absolute. */
function optionsFor(name: SettingName, value: RawValue): string[] {
  const option = `--${settings[name].option}`;
  if (!takesValue(name))
    return [settings[name].parse(value) === true ? option : `--no-${settings[name].option}`];
  const texts = pathSettings.has(name) ? absolutePaths(name, value) : [String(value)];
  return texts.flatMap((text) => [option, text]);
}

function absolutePaths(name: SettingName, value: RawValue): readonly string[] {
  return settings[name].isList === true ? parsePaths(value) : [parsePath(value)];
}

function passedEnvironment(environment: NodeJS.ProcessEnv): Record<string, string> {
  const passed: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment)) {
    if (value === undefined || value === '') continue;
    if (passedVariables.includes(name)) passed[name] = passedPaths.has(name) ? path.resolve(value) : value;
    else if (name.startsWith('OSIRISFS_')) passed[name] = absoluteSetting(name, value);
  }
  return passed;
}

/** The paths in an OSIRISFS_* variable, separated by ':'. */
function absoluteSetting(variable: string, value: string): string {
  if (variable === configVariable) return parsePath(value);
  const name = settingNames.find((candidate) => variableOf(settings[candidate].option) === variable);
  if (name === undefined || !pathSettings.has(name)) return value;
  return absolutePaths(name, value).join(':');
}
