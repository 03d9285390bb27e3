/**
 * What a mount is asked to do, put together from the command line, the environment and the config file, checked once and
 * frozen. `settings.ts` has the list of settings; `src/cli` reads the sources.
 */
import path from 'node:path';
import { isBucketReference } from '../bucket-name.js';
import { ConfigError, type RawValue } from './setting-values.js';
import { settingNames, settings, type MountSettings, type Setting, type SettingName } from './settings.js';

/** The settings and the arguments of a mount. */
export interface MountConfig extends MountSettings {
  /** Undefined: all buckets that the credentials' owner has, as directories. */
  readonly bucket: string | undefined;
  /** '' or ending in '/': only keys below it are seen. */
  readonly prefix: string;
  /** Absolute, not yet resolved. */
  readonly mountpoint: string;
  /** Options that osirisfs only passes on to fusermount3: `noexec`, `noatime`, ... */
  readonly mountFlags: readonly string[];
}

/** Values by setting; where they came from is for messages. */
export interface SettingSource {
  /** For example `--cache-size` or `OSIRISFS_CACHE_SIZE`. */
  describe(setting: Setting<unknown>): string;
  readonly values: Partial<Record<SettingName, RawValue>>;
}

export interface MountArguments {
  /** `BUCKET[/PREFIX]`; undefined, or `s3://`: all buckets. */
  readonly bucket: string | undefined;
  readonly directory: string;
  readonly mountFlags: readonly string[];
}

const accessSettings = [
  'keyFiles',
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

/** What a command needs to reach the objects of a bucket without a mount. */
export type AccessConfig = { readonly bucket: string } & Pick<
  MountConfig,
  'prefix' | (typeof accessSettings)[number]
>;

/** As `resolveMountConfig`. `bucket`: BUCKET[/PREFIX]. */
export function resolveAccessConfig(bucket: string, sources: readonly SettingSource[]): AccessConfig {
  return Object.freeze({ ...parseBucket(bucket), ...settingValues(accessSettings, sources) });
}

/** Puts a config together; `sources` in falling precedence. Throws a `ConfigError`. */
export function resolveMountConfig(
  { bucket, directory, mountFlags }: MountArguments,
  sources: readonly SettingSource[],
): MountConfig {
  const config: MountConfig = {
    ...(bucket === undefined || bucket === allBuckets
      ? { bucket: undefined, prefix: '' }
      : parseBucket(bucket)),
    mountpoint: path.resolve(directory),
    mountFlags: Object.freeze([...mountFlags]),
    ...settingValues(settingNames, sources),
  };
  requireOutside(config.mountpoint, 'log-file', config.logFile);
  requireOutside(config.mountpoint, 'spill-dir', config.spillDirectory);
  return Object.freeze(config);
}

function settingValues<Name extends SettingName>(
  names: readonly Name[],
  sources: readonly SettingSource[],
): Pick<MountSettings, Name> {
  const values = names.map((name) => [name, settingValue(name, sources)] as const);
  return Object.fromEntries(values) as Pick<MountSettings, Name>;
}

/** The value of one setting; `sources` in falling precedence. Throws a `ConfigError`, also if it is required and missing. */
export function settingValue<Name extends SettingName>(
  name: Name,
  sources: readonly SettingSource[],
): MountSettings[Name] {
  const setting = settings[name];
  for (const source of sources) {
    const raw = source.values[name];
    if (raw === undefined) continue;
    try {
      return setting.parse(raw);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      throw new ConfigError(`${source.describe(setting)}: ${error.message}`, { cause: error });
    }
  }
  if (setting.makeDefault === 'required') {
    throw new ConfigError(`--${setting.option} is missing: ${setting.help}`);
  }
  return setting.makeDefault();
}

/** The serving process would wait for itself. */
function requireOutside(mountpoint: string, option: string, file: string | undefined): void {
  if (file === mountpoint || file?.startsWith(`${mountpoint}/`)) {
    throw new ConfigError(
      `--${option}: ${file} is inside the directory that is to be mounted; choose another`,
    );
  }
}

/** Stands for all buckets where a source has to be named, as in /etc/fstab: `s3://BUCKET` without a bucket. */
export const allBuckets = 's3://';

/** `BUCKET`, `BUCKET/PREFIX`, `s3://BUCKET/PREFIX` and s3fs's `BUCKET:/PREFIX`; `TENANT:` may be before the bucket. */
export function parseBucket(text: string): { readonly bucket: string; readonly prefix: string } {
  const match = /^(?:s3:\/\/)?((?:\w*:(?!\/|$))?[^/:]*)(?::?\/+(.*))?$/s.exec(text);
  const bucket = match?.[1] ?? '';
  if (!isBucketReference(bucket)) {
    throw new ConfigError(
      `${JSON.stringify(text)} does not begin with a bucket name: 3 or more letters, digits, '-' and '.'; give BUCKET or BUCKET/PREFIX, on Ceph also TENANT:BUCKET`,
    );
  }
  const parts = (match?.[2] ?? '').split('/');
  if (parts.at(-1) === '') parts.pop();
  if (parts.some((part) => part === '' || part === '.' || part === '..')) {
    throw new ConfigError(`the prefix in ${JSON.stringify(text)} has an empty part, '.' or '..'`);
  }
  return { bucket, prefix: parts.map((part) => `${part}/`).join('') };
}
