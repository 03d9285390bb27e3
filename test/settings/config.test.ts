import { homedir } from 'node:os';
import test from 'ava';
import { resolveMountConfig, type MountConfig, type SettingSource } from '../../src/settings/config.js';
import { ConfigError } from '../../src/settings/setting-values.js';
import { settings } from '../../src/settings/settings.js';

const keyFiles = '/keys/one';

function source(name: string, values: SettingSource['values']): SettingSource {
  return { values, describe: ({ option }) => `${name} ${option}` };
}

function resolve(values: SettingSource['values'], bucket = 'bucket', directory = '/mnt'): MountConfig {
  return resolveMountConfig({ bucket, directory, mountFlags: [] }, [
    source('options', { keyFiles, ...values }),
  ]);
}

test('the first source that has a setting wins', (t) => {
  const config = resolveMountConfig({ bucket: 'bucket', directory: '/mnt', mountFlags: [] }, [
    source('options', { cacheBytes: '1MiB' }),
    source('environment', { cacheBytes: '2MiB', region: 'here' }),
    source('file', { cacheBytes: '3MiB', region: 'there', readOnly: true, keyFiles }),
  ]);
  t.is(config.cacheBytes, 2 ** 20);
  t.is(config.region, 'here');
  t.true(config.readOnly);
});

test('a switch that is turned off by an option stays off whatever the file says', (t) => {
  const config = resolveMountConfig({ bucket: 'bucket', directory: '/mnt', mountFlags: [] }, [
    source('options', { readOnly: false, keyFiles }),
    source('file', { readOnly: true }),
  ]);
  t.false(config.readOnly);
});

test('defaults are those that help shows', (t) => {
  const config = resolve({});
  t.is(config.cacheBytes, 96 * 2 ** 20);
  t.is(settings.cacheBytes.defaultText, '96MiB');
  t.is(config.metadataTtlMs, 30_000);
  t.is(config.umask, undefined);
  t.is(config.plaintext, 'read');
  t.is(config.driver, 'kernel');
  t.is(config.uid, undefined);
  t.is(config.endpoint, undefined);
  t.false(config.allowPlainHttp);
});

test('a config cannot be changed', (t) => {
  t.true(Object.isFrozen(resolve({})));
});

test('an error names the setting, where it came from and what is expected', (t) => {
  const cases: (readonly [SettingSource['values'], string])[] = [
    [{ cacheBytes: 'much' }, 'options cache-size: "much" is not a size; give one like 256MiB, 1G or 65536'],
    [{ cacheBytes: '1k' }, 'options cache-size: "1k" is too small; at least 1048576 bytes'],
    [
      { metadataTtlMs: 'soon' },
      'options metadata-ttl: "soon" is not a duration; give one like 500ms, 30s or 2m',
    ],
    [
      { metadataTtlMs: '999h' },
      'options metadata-ttl: "999h" is not a duration; give one like 500ms, 30s or 2m',
    ],
    [{ connectTimeoutMs: '0s' }, 'options connect-timeout: must be more than 0'],
    [{ umask: '089' }, 'options umask: "089" is not a text of three octal digits like "022"'],
    [{ umask: 22 }, 'options umask: 22 is not a text of three octal digits like "022"'],
    [{ uid: 'ann' }, 'options uid: "ann" is not a whole number from 0 to 4294967294'],
    [{ uid: '4294967295' }, 'options uid: "4294967295" is not a whole number from 0 to 4294967294'],
    [{ maxConnections: '0' }, 'options max-connections: "0" is not a whole number from 1 to 1024'],
    [
      { endpoint: 'rgw.example.org' },
      'options endpoint: "rgw.example.org" is not a URL; give it as https://host:port',
    ],
    [{ endpoint: 'ftp://rgw' }, 'options endpoint: "ftp://rgw" is not a URL; give it as https://host:port'],
    [{ plaintext: 'maybe' }, 'options plaintext: "maybe" is not one of read, warn, refuse'],
    [{ logLevel: 'loud' }, 'options log-level: "loud" is not one of trace, debug, info, warn, error'],
    [{ readOnly: 'perhaps' }, 'options read-only: "perhaps" is neither true nor false'],
    [{ region: '' }, 'options region: is empty; give a value or leave it out'],
  ];
  for (const [values, message] of cases)
    t.throws(() => resolve(values), { instanceOf: ConfigError, message });
});

test('credentials in an endpoint are refused without being shown', (t) => {
  const error = t.throws(() => resolve({ endpoint: 'https://me:geheim@rgw' }), { instanceOf: ConfigError });
  t.false(error.message.includes('geheim'));
});

test('a missing key file is asked for', (t) => {
  t.throws(() => resolveMountConfig({ bucket: 'bucket', directory: '/mnt', mountFlags: [] }, []), {
    instanceOf: ConfigError,
    message: /^--key-file is missing: the file with your customer key \(osirisfs keygen makes one\)/,
  });
});

test('bucket and prefix are taken from each way of writing them', (t) => {
  const cases = {
    bucket: ['bucket', ''],
    'bucket/': ['bucket', ''],
    'bucket/a': ['bucket', 'a/'],
    'bucket/a/b/': ['bucket', 'a/b/'],
    's3://bucket/a': ['bucket', 'a/'],
    'bucket:/a/b': ['bucket', 'a/b/'],
    'bucket:/': ['bucket', ''],
    'My_Old.Bucket-1': ['My_Old.Bucket-1', ''],
    'bucket/über mich': ['bucket', 'über mich/'],
    'tenant:bucket': ['tenant:bucket', ''],
    's3://my_tenant:bucket/a': ['my_tenant:bucket', 'a/'],
    'tenant:bucket:/a': ['tenant:bucket', 'a/'],
    ':bucket/a': [':bucket', 'a/'],
  };
  for (const [text, [bucket, prefix]] of Object.entries(cases)) {
    const config = resolve({}, text);
    t.deepEqual([config.bucket, config.prefix], [bucket, prefix], text);
  }
});

test('what cannot be a bucket or a prefix is refused', (t) => {
  for (const text of [
    '',
    'ab',
    '/bucket',
    '-bucket',
    'bucket-',
    'buck et',
    'bücket',
    'b:c:d',
    'tenant:',
    'tenant:ab',
    'ten ant:bucket',
    'a:b:bucket',
    `a${'b'.repeat(255)}`,
  ]) {
    t.throws(
      () => resolve({}, text),
      { instanceOf: ConfigError, message: /does not begin with a bucket name/ },
      text,
    );
  }
  for (const text of ['bucket/a//b', 'bucket/../a', 'bucket/.']) {
    t.throws(() => resolve({}, text), { instanceOf: ConfigError, message: /has an empty part/ }, text);
  }
});

test('paths become absolute and ~ the home directory', (t) => {
  const config = resolve({ keyFiles: '~/key:other', caBundle: 'ca.pem' }, 'bucket', 'dir');
  t.deepEqual(config.keyFiles, [`${homedir()}/key`, `${process.cwd()}/other`]);
  t.is(config.caBundle, `${process.cwd()}/ca.pem`);
  t.is(config.mountpoint, `${process.cwd()}/dir`);
});

test('a log file or spill directory inside the mountpoint is refused', (t) => {
  t.throws(() => resolve({ logFile: '/mnt/log' }), {
    message: '--log-file: /mnt/log is inside the directory that is to be mounted; choose another',
  });
  t.throws(() => resolve({ spillDirectory: '/mnt' }), { message: /^--spill-dir: \/mnt is inside/ });
  t.notThrows(() => resolve({ logFile: '/mnt-log' }));
});

test('no bucket and s3:// are all buckets, and a bucket after s3:// is one', (t) => {
  const values = { keyFiles: '/k' };
  const configOf = (bucket: string | undefined) =>
    resolveMountConfig({ bucket, directory: '/mnt', mountFlags: [] }, [
      { values, describe: ({ option }) => option },
    ]);
  for (const bucket of [undefined, 's3://']) t.like(configOf(bucket), { bucket: undefined, prefix: '' });
  t.like(configOf('s3://bucket/a'), { bucket: 'bucket', prefix: 'a/' });
  t.throws(() => configOf(''), { message: /bucket name/ });
});
