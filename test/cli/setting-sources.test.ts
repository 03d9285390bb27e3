import { chmod, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { loadMountConfig } from '../../src/cli/setting-sources.js';
import { ConfigError } from '../../src/settings/setting-values.js';
import { makeDirectory, nowhere } from '../mount/temporary.js';

const mountArguments = { bucket: 'bucket', directory: '/mnt', mountFlags: [] };

/** An environment with a config file of this content in its usual place. */
async function environmentWith(t: ExecutionContext, content: string): Promise<Record<string, string>> {
  const directory = await makeDirectory(t);
  await mkdir(path.join(directory, 'osirisfs'));
  await writeFile(path.join(directory, 'osirisfs/config.toml'), content);
  return { XDG_CONFIG_HOME: directory };
}

test('options go before -o, -o before variables, variables before the config file', async (t) => {
  const environment = {
    ...(await environmentWith(
      t,
      'key-file = "/f"\nregion = "file"\nprofile = "file"\numask = "004"\nuid = 4\n',
    )),
    OSIRISFS_REGION: 'variable',
    OSIRISFS_PROFILE: 'variable',
    OSIRISFS_UMASK: '003',
  };
  const config = await loadMountConfig(
    mountArguments,
    { region: 'option' },
    { region: '-o', profile: '-o' },
    environment,
  );
  t.is(config.region, 'option');
  t.is(config.profile, '-o');
  t.is(config.umask, 0o003);
  t.is(config.uid, 4);
  t.deepEqual(config.keyFiles, ['/f']);
});

test('the config file takes texts, numbers and booleans', async (t) => {
  const environment = await environmentWith(
    t,
    'key-file = "/f"\ncache-size = 1073741824\nmetadata-ttl = 5\nread-only = true\nallow-other = false\n',
  );
  const config = await loadMountConfig(mountArguments, {}, {}, environment);
  t.is(config.cacheBytes, 2 ** 30);
  t.is(config.metadataTtlMs, 5_000);
  t.true(config.readOnly);
  t.false(config.allowOther);
});

test('key files are a list in the config file, and separated by colons in a variable', async (t) => {
  const environment = await environmentWith(t, 'key-file = ["/f:1", "/g"]\n');
  t.deepEqual((await loadMountConfig(mountArguments, {}, {}, environment)).keyFiles, ['/f:1', '/g']);
  const withVariable = { ...environment, OSIRISFS_KEY_FILE: '/h:/i' };
  t.deepEqual((await loadMountConfig(mountArguments, {}, {}, withVariable)).keyFiles, ['/h', '/i']);
  for (const wrong of ['[]', '[1]', '5', '[""]', '{ a = 1 }']) {
    const mistaken = await environmentWith(t, `key-file = ${wrong}\n`);
    await t.throwsAsync(
      loadMountConfig(mountArguments, {}, {}, mistaken),
      { instanceOf: ConfigError, message: /config\.toml: key-file/ },
      wrong,
    );
  }
});

test('an empty variable counts as none, and other variables of ours are left alone', async (t) => {
  const environment = { XDG_CONFIG_HOME: nowhere, OSIRISFS_UMASK: '', OSIRISFS_TEST_CEPH: '1' };
  const config = await loadMountConfig(mountArguments, { keyFiles: '/f' }, {}, environment);
  t.is(config.umask, undefined);
});

test('a mistake in a variable or in the config file names it', async (t) => {
  const load = (environment: Record<string, string>) =>
    loadMountConfig(mountArguments, { keyFiles: '/f' }, {}, environment);
  await t.throwsAsync(load({ XDG_CONFIG_HOME: nowhere, OSIRISFS_CACHE_SIZE: 'x' }), {
    instanceOf: ConfigError,
    message: /^OSIRISFS_CACHE_SIZE: "x" is not a size/,
  });
  const inFile = async (content: string) => {
    const environment = await environmentWith(t, content);
    const file = path.join(environment['XDG_CONFIG_HOME'] ?? '', 'osirisfs/config.toml');
    const error = await t.throwsAsync(load(environment), { instanceOf: ConfigError });
    t.true(error.message.startsWith(file), error.message);
    t.false(error.message.includes('\n'));
    return error.message.slice(file.length);
  };
  t.regex(await inFile('cache-size = "x"'), /^: cache-size: "x" is not a size/);
  t.is(await inFile('cash-size = 1'), ': unknown setting "cash-size"; see osirisfs mount --help');
  t.is(await inFile('region = ["a"]'), ': region must be a text, a number, true or false');
  t.regex(await inFile('a = 1\nregion = here\n'), /^ line 2: /);
});

test('a config file that was named must exist, the usual one need not', async (t) => {
  const file = path.join(await makeDirectory(t), 'my.toml');
  const load = (environment: Record<string, string>) => loadMountConfig(mountArguments, {}, {}, environment);
  await t.throwsAsync(load({ OSIRISFS_CONFIG: file }), {
    instanceOf: ConfigError,
    message: /^cannot read the config file: ENOENT/,
  });
  await writeFile(file, 'key-file = "/f"');
  t.deepEqual((await load({ OSIRISFS_CONFIG: file })).keyFiles, ['/f']);
});

test('a config file that others may write is not believed: it says where the key is sent', async (t) => {
  const environment = await environmentWith(t, 'url = "https://elsewhere.example"');
  const file = path.join(environment['XDG_CONFIG_HOME'] ?? '', 'osirisfs/config.toml');
  await chmod(file, 0o666);
  await t.throwsAsync(loadMountConfig(mountArguments, {}, {}, environment), {
    instanceOf: ConfigError,
    message: `the config file ${file} has mode 0666: others than its owner could change it; run: chmod go-w ${file}`,
  });
});
