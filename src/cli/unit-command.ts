/** `osirisfs unit`: prints a unit with which systemd mounts a bucket. */
import type { Argv } from 'yargs';
import { allBuckets } from '../config.js';
import { settingNames, settings } from '../settings.js';
import { parsePath } from '../setting-values.js';
import { switchOf, textsOf, type KnownOptions, type ParsedArguments } from './command-line.js';
import { describeMountOptions, mountOptions, readMountConfig, takesValue } from './mount-options.js';
import { systemdUnit } from './systemd-unit.js';
import { announce, complain } from './terminal.js';

export const unitUsage = 'unit [bucket] <directory>';
export const unitDescription =
  'print a systemd user unit that mounts BUCKET, or all your buckets, on DIRECTORY';
export const unitOptions: KnownOptions = mountOptions;

export function describeUnitOptions(yargs: Argv): Argv {
  return describeMountOptions(yargs).example(
    '$0 unit data ~/data --key-file ~/data.key > ~/.config/systemd/user/data.service',
    'then: systemctl --user enable --now data',
  );
}

/** Those that say where the server is, and are no secrets. */
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
const pathSettings: ReadonlySet<string> = new Set(['keyFiles', 'caBundle', 'spillDirectory', 'logFile']);

/** Resolves with the exit code. Rejects with what `osirisfs mount` would reject these arguments with. */
export async function runUnit(parsed: ParsedArguments): Promise<number> {
  const { bucket, prefix, mountpoint } = await readMountConfig(parsed);
  const options = settingNames.flatMap((name) => {
    const { option } = settings[name];
    if (name === 'foreground') return [];
    if (!takesValue(name)) {
      const value = switchOf(parsed, option);
      return value === undefined ? [] : [value ? `--${option}` : `--no-${option}`];
    }
    const values = textsOf(parsed, option);
    return values.flatMap((value) => [`--${option}`, pathSettings.has(name) ? parsePath(value) : value]);
  });
  const environment = Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) =>
      value !== undefined && value !== '' && (passedVariables.includes(name) || name.startsWith('OSIRISFS_'))
        ? [[name, value]]
        : [],
    ),
  );
  const script = process.argv[1] ?? '';
  announce(
    systemdUnit({
      bucket: bucket === undefined ? allBuckets : prefix === '' ? bucket : `${bucket}/${prefix}`,
      mountpoint,
      program: [process.execPath, script],
      options: [...options, ...textsOf(parsed, 'o').flatMap((list) => ['-o', list])],
      environment,
    }),
  );
  if (process.env['AWS_SECRET_ACCESS_KEY']) {
    complain(
      'the credentials in the environment are not in the unit: put them in ~/.aws/credentials for the service',
    );
  }
  return 0;
}
