/**
 * Every setting of a mount: its name, help, default and form. A new one is added here; its type, options, `-o`, environment,
 * config file and help follow.
 */
import path from 'node:path';
import { mebibyte } from '../units.js';
import {
  logLevels,
  oneOf,
  parseBoolean,
  parseConnections,
  parseDuration,
  parseId,
  parseListenAddress,
  parseOctal,
  parsePath,
  parsePaths,
  parsePositiveDuration,
  parseText,
  parseUrl,
  sizeFrom,
  type RawValue,
} from './setting-values.js';

export const helpGroups = ['Bucket', 'Directory', 'Limits', 'Running'] as const;

export interface Setting<T> {
  /** The name in options and in the config file; in the environment it is OSIRISFS_ and this in capitals, with _ for -. */
  readonly option: string;
  /** What stands for the value in help; undefined for a switch. */
  readonly placeholder?: string;
  /** May be given several times, as a list in the config file, and with ':' between the values in a variable and after -o. */
  readonly isList?: boolean;
  readonly group: (typeof helpGroups)[number];
  readonly help: string;
  /** As help shows it. */
  readonly defaultText?: string;
  readonly makeDefault: 'required' | (() => T);
  /** Throws a `ConfigError`, to which the caller adds the setting's name. */
  readonly parse: (value: RawValue) => T;
}

const table = {
  /** Absolute paths, at least one: the first key writes, all read. */
  keyFiles: {
    option: 'key-file',
    placeholder: 'FILE',
    isList: true,
    group: 'Bucket',
    help: 'the file with your customer key (osirisfs keygen makes one); given several times, the first key writes and all read',
    makeDefault: 'required',
    parse: parsePaths,
  },
  /** Undefined: from the AWS conventions (environment, profile), else AWS itself. */
  endpoint: {
    option: 'endpoint',
    placeholder: 'URL',
    group: 'Bucket',
    help: 'the S3 server, as https://host:port',
    ...unset(parseUrl, 'AWS_ENDPOINT_URL, the profile, AWS'),
  },
  region: {
    option: 'region',
    placeholder: 'NAME',
    group: 'Bucket',
    help: 'the region to sign for',
    ...unset(parseText, 'AWS_REGION, the profile, us-east-1'),
  },
  profile: {
    option: 'profile',
    placeholder: 'NAME',
    group: 'Bucket',
    help: 'profile in ~/.aws/config and ~/.aws/credentials',
    ...unset(parseText, 'AWS_PROFILE, default'),
  },
  /** Absolute path of a PEM file. */
  caBundle: {
    option: 'ca-bundle',
    placeholder: 'FILE',
    group: 'Bucket',
    help: 'PEM certificates to trust beside those of Node',
    ...unset(parsePath, 'AWS_CA_BUNDLE'),
  },
  /** For loopback hosts only. */
  allowPlainHttp: {
    option: 'allow-plain-http',
    group: 'Bucket',
    help: 'allow an http:// endpoint on this machine (for tests)',
    ...off(),
  },
  /** Whether objects without SSE-C are shown. */
  plaintext: {
    option: 'plaintext',
    placeholder: 'read|warn|refuse',
    group: 'Bucket',
    help: 'objects that are not encrypted; warn logs each of them',
    ...preset('read', oneOf(['read', 'warn', 'refuse'])),
  },
  /** Whether a missing bucket is made. */
  create: {
    option: 'create',
    group: 'Bucket',
    help: 'make the bucket if it is missing; where all buckets are mounted, let mkdir make buckets',
    ...off(),
  },
  /** The LocationConstraint of buckets that are made; undefined: the server's choice. */
  location: {
    option: 'location',
    placeholder: 'NAME',
    group: 'Bucket',
    help: 'where buckets that are made are to be: a region, or :PLACEMENT on Ceph',
    ...unset(parseText, 'the region on AWS; the choice of the server elsewhere'),
  },

  readOnly: { option: 'read-only', group: 'Directory', help: 'refuse every change', ...off() },
  allowOther: {
    option: 'allow-other',
    group: 'Directory',
    help: 'let other users in (needs user_allow_other in /etc/fuse.conf)',
    ...off(),
  },
  /** What all objects show for owner and group; undefined: what is stored with them, or the user who mounts. */
  uid: {
    option: 'uid',
    placeholder: 'NUMBER',
    group: 'Directory',
    help: 'owner that everything shows, as with s3fs',
    ...unset(parseId, 'the stored one, or you'),
  },
  gid: {
    option: 'gid',
    placeholder: 'NUMBER',
    group: 'Directory',
    help: 'group that everything shows',
    ...unset(parseId, 'the stored one, or yours'),
  },
  /** All objects show mode 0777 without these bits; undefined: what is stored with them. */
  umask: {
    option: 'umask',
    placeholder: 'OCTAL',
    group: 'Directory',
    help: 'everything shows mode 0777 without these bits',
    ...unset(parseOctal, 'the stored mode, or 0644 and 0755'),
  },

  /** Memory for what was read, in bytes. */
  cacheBytes: {
    option: 'cache-size',
    placeholder: 'SIZE',
    group: 'Limits',
    help: 'memory for data that was read',
    ...preset('96MiB', sizeFrom(mebibyte)),
  },
  /** Memory for what was written and is not in the bucket yet, in bytes. */
  writeBufferBytes: {
    option: 'write-buffer-size',
    placeholder: 'SIZE',
    group: 'Limits',
    help: 'memory for data on its way to the bucket',
    ...preset('64MiB', sizeFrom(16 * mebibyte)),
  },
  /** Where written data goes, encrypted, when that memory is full. Absolute path. */
  spillDirectory: {
    option: 'spill-dir',
    placeholder: 'DIR',
    group: 'Limits',
    help: 'where such data goes, encrypted, when that is full',
    ...computed(largeTemporaryDirectory, '$TMPDIR, /var/tmp', parsePath),
  },
  /** How much may go there, in bytes. */
  spillBytes: {
    option: 'spill-size',
    placeholder: 'SIZE',
    group: 'Limits',
    help: 'how much may go there',
    ...preset('10GiB', sizeFrom(0)),
  },
  /** By how many zeros a file may grow without being written. */
  maxHoleBytes: {
    option: 'max-hole',
    placeholder: 'SIZE',
    group: 'Limits',
    help: 'how many zeros a file may be extended by without being written (truncate, fallocate, writing beyond its end); they are sent as any bytes, since S3 has no sparse files. More is refused: file too large',
    ...preset('100GiB', sizeFrom(0)),
  },
  /** How old knowledge of names and attributes may be; 0 asks every time. */
  metadataTtlMs: {
    option: 'metadata-ttl',
    placeholder: 'DURATION',
    group: 'Limits',
    help: 'how long names and attributes are believed; 0s: ask each time',
    ...preset('30s', parseDuration),
  },
  negativeTtlMs: {
    option: 'negative-ttl',
    placeholder: 'DURATION',
    group: 'Limits',
    help: 'how long it is believed that a name is not there, metadata-ttl at most',
    ...preset('1s', parseDuration),
  },
  /** Connections to the server at the same time. */
  maxConnections: {
    option: 'max-connections',
    placeholder: 'NUMBER',
    group: 'Limits',
    help: 'connections to the server at a time',
    ...preset('32', parseConnections),
  },
  connectTimeoutMs: {
    option: 'connect-timeout',
    placeholder: 'DURATION',
    group: 'Limits',
    help: 'how long to wait for a connection',
    ...preset('10s', parsePositiveDuration),
  },
  /** How long a request may make no progress. */
  requestTimeoutMs: {
    option: 'request-timeout',
    placeholder: 'DURATION',
    group: 'Limits',
    help: 'how long a request may make no progress',
    ...preset('60s', parsePositiveDuration),
  },
  /** How long a request is tried again after its first failure. Then its caller gets the error. */
  retryMs: {
    option: 'retry-time',
    placeholder: 'DURATION',
    group: 'Limits',
    help: 'how long a request that failed for a passing reason is tried again',
    ...preset('60s', parseDuration),
  },

  driver: {
    option: 'driver',
    placeholder: 'kernel|fuse-native',
    group: 'Running',
    help: 'how the kernel is spoken to: by osirisfs itself, or by the npm package fuse-native',
    ...preset('kernel', oneOf(['kernel', 'fuse-native'])),
  },
  foreground: {
    option: 'foreground',
    group: 'Running',
    help: 'stay in the foreground; Ctrl-C unmounts',
    ...off(),
  },
  /** Where metrics are served; undefined: nowhere. */
  metrics: {
    option: 'metrics',
    placeholder: 'ADDRESS',
    group: 'Running',
    help: 'serve Prometheus metrics at http://ADDRESS/metrics: HOST:PORT, or PORT on this machine only',
    ...unset(parseListenAddress, 'none'),
  },
  /** Absolute path; undefined: stderr in the foreground, else a file in the user's state directory. */
  logFile: {
    option: 'log-file',
    placeholder: 'FILE',
    group: 'Running',
    help: 'where the log goes (at 10 MiB it begins anew; the old one is kept as FILE.1)',
    ...unset(parsePath, '~/.local/state/osirisfs/DIR.log; stderr in the foreground'),
  },
  logLevel: {
    option: 'log-level',
    placeholder: logLevels.join('|'),
    group: 'Running',
    help: 'how much is logged',
    ...preset('info', oneOf(logLevels)),
  },
} satisfies Record<string, Setting<unknown>>;

export type SettingName = keyof typeof table;

/** What the values are, once they are parsed. */
export type MountSettings = {
  readonly [Name in SettingName]: ReturnType<(typeof table)[Name]['parse']>;
};

export const settings: { readonly [Name in SettingName]: Setting<MountSettings[Name]> } = table;

export const settingNames = Object.keys(settings) as readonly SettingName[];

type Parsing<T> = Pick<Setting<T>, 'parse' | 'makeDefault' | 'defaultText'>;

/** The default is written as a user would write it. */
function preset<T extends string | number>(defaultText: string, parse: (value: RawValue) => T): Parsing<T> {
  return { parse, defaultText, makeDefault: () => parse(defaultText) };
}

function computed<T>(makeDefault: () => T, defaultText: string, parse: (value: RawValue) => T): Parsing<T> {
  return { parse, defaultText, makeDefault };
}

function unset<T>(parse: (value: RawValue) => T, defaultText: string): Parsing<T | undefined> {
  return { parse, defaultText, makeDefault: () => undefined };
}

function off(): Parsing<boolean> {
  return { parse: parseBoolean, makeDefault: () => false };
}

/** Not /tmp, which is often memory. */
function largeTemporaryDirectory(): string {
  const directory = process.env['TMPDIR'];
  return directory !== undefined && path.isAbsolute(directory) ? directory : '/var/tmp';
}
