/**
 * What a mount is asked to do, put together from the command line, the environment and the config file, checked once and
 * frozen. Which settings there are is left to `settings.ts`, reading the sources to `src/cli`.
 */
import path from 'node:path';
import { isBucketReference } from '../bucket-name.js';
import { ConfigError, type ListenAddress, type LogLevel, type RawValue } from './setting-values.js';
import { settings, type Setting, type SettingName } from './settings.js';

export interface MountConfig {
  /** Undefined: all buckets that the credentials' owner has, as directories. */
  readonly bucket: string | undefined;
  /** '' or ending in '/': only keys below it are seen. */
  readonly prefix: string;
  /** Absolute, not yet resolved. */
  readonly mountpoint: string;

  /** Absolute paths, at least one: the first key writes, all read. */
  readonly keyFiles: readonly string[];
  /** Undefined: from the AWS conventions (environment, profile), else AWS itself. */
  readonly endpoint: string | undefined;
  readonly region: string | undefined;
  readonly profile: string | undefined;
  /** Absolute path of a PEM file. */
  readonly caBundle: string | undefined;
  /** For loopback hosts only. */
  readonly allowPlainHttp: boolean;
  /** Whether objects without SSE-C are shown. */
  readonly plaintext: 'read' | 'warn' | 'refuse';
  /** Whether a missing bucket is made. */
  readonly create: boolean;
  /** The LocationConstraint of buckets that are made; undefined: the server's choice. */
  readonly location: string | undefined;

  readonly readOnly: boolean;
  readonly allowOther: boolean;
  /** What all objects show for owner and group; undefined: what is stored with them, or the user who mounts. */
  readonly uid: number | undefined;
  readonly gid: number | undefined;
  /** All objects show mode 0777 without these bits; undefined: what is stored with them. */
  readonly umask: number | undefined;
  /** Options that fusermount3 understands and osirisfs has nothing to do with: `noexec`, `noatime`, ... */
  readonly mountFlags: readonly string[];

  /** Memory for what was read, in bytes. */
  readonly cacheBytes: number;
  /** How old knowledge of names and attributes may be; 0 asks every time. */
  readonly metadataTtlMs: number;
  readonly negativeTtlMs: number;
  /** Memory for what was written and is not in the bucket yet, in bytes. */
  readonly writeBufferBytes: number;
  /** Where written data goes, encrypted, when that memory is full. Absolute path. */
  readonly spillDirectory: string;
  /** How much may go there, in bytes. */
  readonly spillBytes: number;
  /** The most zeros that a file is extended by between two times that it is stored. */
  readonly maxHoleBytes: number;
  /** To the server, at the same time. */
  readonly maxConnections: number;
  readonly connectTimeoutMs: number;
  /** Without any progress of a request. */
  readonly requestTimeoutMs: number;
  /** Since the first failure of a request, before its caller hears of it. */
  readonly retryMs: number;

  readonly driver: 'kernel' | 'fuse-native';
  readonly foreground: boolean;
  /** Where metrics are served; undefined: nowhere. */
  readonly metrics: ListenAddress | undefined;
  /** Absolute path; undefined: stderr in the foreground, else a file in the user's state directory. */
  readonly logFile: string | undefined;
  readonly logLevel: LogLevel;
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

/** What it takes to reach the objects of a bucket, without a mount. */
export type AccessConfig = { readonly bucket: string } & Pick<
  MountConfig,
  | 'prefix'
  | 'keyFiles'
  | 'endpoint'
  | 'region'
  | 'profile'
  | 'caBundle'
  | 'allowPlainHttp'
  | 'maxConnections'
  | 'connectTimeoutMs'
  | 'requestTimeoutMs'
  | 'retryMs'
>;

/** As `resolveMountConfig`. `bucket`: BUCKET[/PREFIX]. */
export function resolveAccessConfig(bucket: string, sources: readonly SettingSource[]): AccessConfig {
  return Object.freeze({
    ...parseBucket(bucket),
    keyFiles: settingValue('keyFiles', sources),
    endpoint: settingValue('endpoint', sources),
    region: settingValue('region', sources),
    profile: settingValue('profile', sources),
    caBundle: settingValue('caBundle', sources),
    allowPlainHttp: settingValue('allowPlainHttp', sources),
    maxConnections: settingValue('maxConnections', sources),
    connectTimeoutMs: settingValue('connectTimeoutMs', sources),
    requestTimeoutMs: settingValue('requestTimeoutMs', sources),
    retryMs: settingValue('retryMs', sources),
  });
}

/** Puts a config together; `sources` in falling precedence. Throws a `ConfigError`. */
export function resolveMountConfig(
  { bucket, directory, mountFlags }: MountArguments,
  sources: readonly SettingSource[],
): MountConfig {
  const value = <Name extends SettingName>(name: Name): MountConfig[Name] => settingValue(name, sources);
  const config: MountConfig = {
    ...(bucket === undefined || bucket === allBuckets
      ? { bucket: undefined, prefix: '' }
      : parseBucket(bucket)),
    mountpoint: path.resolve(directory),
    mountFlags: Object.freeze([...mountFlags]),
    keyFiles: value('keyFiles'),
    endpoint: value('endpoint'),
    region: value('region'),
    profile: value('profile'),
    caBundle: value('caBundle'),
    allowPlainHttp: value('allowPlainHttp'),
    plaintext: value('plaintext'),
    create: value('create'),
    location: value('location'),
    readOnly: value('readOnly'),
    allowOther: value('allowOther'),
    uid: value('uid'),
    gid: value('gid'),
    umask: value('umask'),
    cacheBytes: value('cacheBytes'),
    metadataTtlMs: value('metadataTtlMs'),
    negativeTtlMs: value('negativeTtlMs'),
    writeBufferBytes: value('writeBufferBytes'),
    spillDirectory: value('spillDirectory'),
    spillBytes: value('spillBytes'),
    maxHoleBytes: value('maxHoleBytes'),
    maxConnections: value('maxConnections'),
    connectTimeoutMs: value('connectTimeoutMs'),
    requestTimeoutMs: value('requestTimeoutMs'),
    retryMs: value('retryMs'),
    driver: value('driver'),
    foreground: value('foreground'),
    metrics: value('metrics'),
    logFile: value('logFile'),
    logLevel: value('logLevel'),
  };
  requireOutside(config.mountpoint, 'log-file', config.logFile);
  requireOutside(config.mountpoint, 'spill-dir', config.spillDirectory);
  return Object.freeze(config);
}

/** The value of one setting; `sources` in falling precedence. Throws a `ConfigError`, also if it is required and missing. */
export function settingValue<Name extends SettingName>(
  name: Name,
  sources: readonly SettingSource[],
): MountConfig[Name] {
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
