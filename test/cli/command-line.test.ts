import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { findUnknownOption } from '../../src/cli/command-line.js';
import { runOk, start, waitUntil, type Finished } from '../mount/child.js';
import { makeMountpoint, osirisfs } from '../mount/mounting.js';
import { makeDirectory, makeKeyFile, nowhere } from '../mount/temporary.js';
import { patienceMs } from '../patience.js';
import { bareMount } from './bare-mount.js';

/** No config, credentials or endpoint of the tests' user. */
const cleanEnvironment = {
  HOME: nowhere,
  XDG_CONFIG_HOME: nowhere,
  XDG_STATE_HOME: undefined,
  OSIRISFS_KEY_FILE: undefined,
  AWS_ENDPOINT_URL: 'https://localhost:1',
  AWS_ACCESS_KEY_ID: 'none',
  AWS_SECRET_ACCESS_KEY: 'none',
};

// Each starts processes; all at once they would only wait for each other.
const commandTest = test.serial;

/** The command must fail with this exit code and this one line, and say nothing else. */
async function fails(
  t: ExecutionContext,
  args: readonly string[],
  code: number,
  line: string | RegExp,
  env: Readonly<Record<string, string | undefined>> = {},
): Promise<Finished> {
  const finished = await osirisfs(args, { env: { ...cleanEnvironment, ...env }, timeoutMs: 60_000 });
  t.is(finished.stdout, '');
  t.regex(finished.stderr, /^osirisfs: [^\n]+\n$/);
  const said = finished.stderr.slice('osirisfs: '.length, -1);
  if (typeof line === 'string') t.is(said, line);
  else t.regex(said, line);
  t.is(finished.code, code);
  return finished;
}

commandTest('--version prints the version of the package', async (t) => {
  const { version } = JSON.parse(await readFile('package.json', 'utf8')) as { version: string };
  const { code, stdout } = await osirisfs(['--version']);
  t.is(stdout, `${version}\n`);
  t.is(code, 0);
});

commandTest('help shows every option with its unit, default and examples', async (t) => {
  const { code, stdout, stderr } = await osirisfs(['mount', '--help']);
  t.is(code, 0);
  t.is(stderr, '');
  for (const words of [
    '--key-file',
    '--cache-size',
    'SIZE: ',
    '[default: 96MiB]',
    'DURATION: ',
    '[default: 30s]',
    'OCTAL: ',
    'Examples:',
    'osirisfs mount data ~/data',
    'OSIRISFS_CACHE_SIZE',
    'config.toml',
  ]) {
    t.true(stdout.includes(words), words);
  }
});

commandTest('each command has help', async (t) => {
  t.regex((await osirisfs(['--help'])).stdout, /osirisfs mount[^]*osirisfs umount[^]*osirisfs keygen/);
  t.regex((await osirisfs(['umount', '--help'])).stdout, /--lazy/);
  t.regex((await osirisfs(['keygen', '--help'])).stdout, /--text[^]*without it nobody can/);
});

for (const command of ['ls', 'audit', 'rekey', 'encrypt', 'put', 'get']) {
  commandTest(
    `the help of ${command} has the settings of the bucket with defaults, and an example`,
    async (t) => {
      const { stdout, code } = await osirisfs([command, '--help']);
      t.is(code, 0);
      for (const words of [
        'Bucket:',
        '--endpoint',
        'Limits:',
        '[default: 32]',
        'Examples:',
        `osirisfs ${command} `,
        'config.toml',
      ]) {
        t.true(stdout.includes(words), words);
      }
    },
  );
}

commandTest('a command line that makes no sense is refused with exit code 2', async (t) => {
  const { path: key } = await makeKeyFile(t);
  const cases: (readonly [readonly string[], string | RegExp])[] = [
    [[], /^which command\? mount, umount, keygen, gateway, ls, .*; see osirisfs --help$/],
    [['mout', 'bucket', '/mnt'], 'Did you mean mount?; see osirisfs --help'],
    [['mount', '--foo', 'bucket', '/mnt'], 'unknown option --foo; see osirisfs mount --help'],
    [['mount', 'bucket', '/mnt', '--cash-size=1G'], 'unknown option --cash-size; see osirisfs mount --help'],
    [['umount', '/mnt', '-z'], 'unknown option -z; see osirisfs umount --help'],
    [['mount'], 'arguments are missing: 0 given, 1 needed; see osirisfs mount --help'],
    [['umount'], 'arguments are missing: 0 given, 1 needed; see osirisfs umount --help'],
    [['keygen'], 'arguments are missing: 0 given, 1 needed; see osirisfs keygen --help'],
    [['mount', 'bucket', ''], 'DIRECTORY is empty'],
    [['mount', 'bucket', '/a', '/b'], 'Unknown argument: /b; see osirisfs mount --help'],
    [
      ['mount', 'bucket', '/mnt', '--key-file'],
      'Not enough arguments following: key-file; see osirisfs mount --help',
    ],
    [
      ['mount', 'bucket', '/mnt'],
      /^--key-file is missing: the file with your customer key \(osirisfs keygen makes one\)/,
    ],
    [
      ['mount', 'bucket', '/mnt', '--key-file', key, '--region', 'a', '--region', 'b'],
      '--region is given more than once',
    ],
    [
      ['mount', 'bucket', '/mnt', '--key-file', key, '--cache-size', '12q'],
      '--cache-size: "12q" is not a size; give one like 256MiB, 1G or 65536',
    ],
    [
      ['mount', 'bucket', '/mnt', '--key-file', key, '--metadata-ttl', 'soon'],
      '--metadata-ttl: "soon" is not a duration; give one like 500ms, 30s or 2m',
    ],
    [
      ['mount', 'bucket', '/mnt', '--key-file', key, '-o', 'ro,foo'],
      '-o foo: unknown option; see osirisfs mount --help',
    ],
    [
      ['mount', 'bucket', '/mnt', '-oro,umask=9', `-okey_file=${key}`],
      /^-o umask: "9" is not a text of three octal/,
    ],
    [['mount', 'b', '/mnt', '--key-file', key], /^"b" does not begin with a bucket name: /],
    [
      ['mount', 'bucket', '/mnt', '--key-file', key, '--log-file', `${nowhere}/log`],
      /^cannot write the log file \/proc\/nowhere\/log: ENOENT/,
    ],
  ];
  for (const [args, line] of cases) await fails(t, args, 2, line);
});

commandTest('a mistake in the environment is refused as one on the command line is', async (t) => {
  await fails(t, ['mount', 'bucket', '/mnt'], 2, /^OSIRISFS_CACHE_SIZE: "x" is not a size/, {
    OSIRISFS_KEY_FILE: '/key',
    OSIRISFS_CACHE_SIZE: 'x',
  });
});

commandTest('a key file that is missing, too open or not a key is refused', async (t) => {
  const file = path.join(await makeDirectory(t), 'key');
  const mount = ['mount', 'bucket', '/mnt', '--key-file', file];
  await fails(t, mount, 1, `the key file ${file} does not exist`);
  await writeFile(file, 'geheim', { mode: 0o600 });
  await fails(
    t,
    mount,
    1,
    /does not hold a 32-byte key: found 6 characters of text without a final newline; expected/,
  );
  await writeFile(path.join(path.dirname(file), 'open'), 'a'.repeat(32), { mode: 0o644 });
  await fails(
    t,
    ['mount', 'bucket', '/mnt', `--key-file=${path.dirname(file)}/open`],
    1,
    /has mode 0644: [^]* run: chmod 600 /,
  );
});

commandTest(
  'a mountpoint that is missing, a file or not empty is refused, in the background as in the foreground',
  async (t) => {
    const { path: key } = await makeKeyFile(t);
    const directory = await makeDirectory(t);
    await writeFile(path.join(directory, 'file'), '');
    const log = path.join(directory, 'log');
    const cases: (readonly [string, RegExp])[] = [
      [path.join(directory, 'none'), /none does not exist; make it first: mkdir -p /],
      [path.join(directory, 'file'), /file is not a directory; give an empty directory$/],
      [path.dirname(key), /is not empty \(1 entry\); give an empty directory$/],
    ];
    for (const [mountpoint, line] of cases) {
      for (const mode of [
        ['--log-file', log],
        ['--foreground', '--log-file', log],
      ]) {
        await fails(t, ['mount', 'bucket', mountpoint, '--key-file', key, ...mode], 1, line);
      }
    }
    t.true((await readFile(log, 'utf8')).includes('does not exist'));
  },
);

commandTest('a directory that is mounted already is refused', async (t) => {
  const { path: key } = await makeKeyFile(t);
  const directory = await makeMountpoint(t);
  await bareMount(t, directory);
  const log = path.join(await makeDirectory(t), 'log');
  await fails(
    t,
    ['mount', 'bucket', directory, '--key-file', key, '-f', '--log-file', log],
    1,
    /is already mounted \(bare, fuse\.osirisfs\) and does not answer; unmount it first: osirisfs umount /,
  );
});

commandTest('without fusermount3 in PATH the package to install is named', async (t) => {
  const { path: key } = await makeKeyFile(t);
  const directory = await makeDirectory(t);
  const args = ['mount', 'bucket', directory, '--key-file', key, '--foreground', '--log-level', 'error'];
  args.push('--log-file', path.join(path.dirname(key), 'log'));
  await fails(
    t,
    args,
    1,
    'fusermount3 is not in PATH; install the package fuse3 (Debian: apt install fuse3)',
    {
      PATH: nowhere,
    },
  );
});

commandTest(
  'an older Node is told which one is needed, before it meets what it does not understand',
  async (t) => {
    const { path: key } = await makeKeyFile(t);
    const hook = path.join(path.dirname(key), 'older-node.cjs');
    for (const version of ['18.20.8', '20.18.3']) {
      await writeFile(
        hook,
        `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } });`,
      );
      const why = `this is Node ${version}, and osirisfs needs Node 20.19 or a newer one; see https://nodejs.org`;
      await fails(t, ['--version'], 1, why, { NODE_OPTIONS: `--require ${hook}` });
    }
  },
);

commandTest('a driver whose package is not installed is refused', async (t) => {
  const { path: key } = await makeKeyFile(t);
  const directory = await makeDirectory(t);
  const hook = path.join(path.dirname(key), 'hide-fuse-native.cjs');
  await writeFile(
    hook,
    `const Module = require('node:module');
     const resolve = Module._resolveFilename;
     Module._resolveFilename = (request, ...rest) => resolve(request.replace('fuse-native', 'not-there'), ...rest);`,
  );
  const args = ['mount', 'bucket', directory, '--key-file', key, '--driver', 'fuse-native'];
  args.push('--log-file', path.join(path.dirname(key), 'log'));
  const why =
    'the package fuse-native is not installed; leave --driver out, or install it: npm install --ignore-scripts fuse-native@2.2.6';
  await fails(t, args, 1, why, { NODE_OPTIONS: `--require ${hook}` });
});

commandTest('the thread pool has room for the threads that a driver blocks', async (t) => {
  const directory = await makeDirectory(t);
  const fifo = path.join(directory, 'key');
  await runOk('mkfifo', ['-m', '600', fifo]);
  // Opening a pipe that nobody writes to keeps the process where it uses the pool.
  const main = path.resolve('dist/src/main.cjs');
  const child = await start(
    process.execPath,
    [main, 'mount', 'bucket', directory, '--key-file', fifo, '-f'],
    {
      env: { ...cleanEnvironment, UV_THREADPOOL_SIZE: undefined },
    },
  );
  t.teardown(() => child.kill('SIGKILL'));
  await waitUntil('24 threads and those of Node itself', patienceMs, async () =>
    child.hasEnded()
      ? Promise.reject(new Error(child.output()))
      : (await readdir(`/proc/${child.pid}/task`)).length > 24,
  );
  t.pass();
});

commandTest('umount of what is not mounted, or not by osirisfs, says so', async (t) => {
  const directory = await makeDirectory(t);
  await fails(t, ['umount', directory], 1, `${directory} is not mounted`);
  await fails(t, ['umount', path.join(directory, 'none')], 1, `${directory}/none is not mounted`);
  await fails(t, ['umount', '/proc'], 1, '/proc is a mount of proc (proc), not of osirisfs');
});

commandTest('keygen makes a key, shows its fingerprint and says what losing it means', async (t) => {
  const file = path.join(await makeDirectory(t), 'customer key');
  const { code, stdout, stderr } = await osirisfs(['keygen', file]);
  t.is(code, 0);
  t.is(stderr, '');
  t.regex(stdout, /^customer key [A-Za-z0-9+/]{22}== \(base64 MD5, as S3 shows it\) is in /);
  t.true(stdout.includes('if the key is lost, the data encrypted under it is lost too'));
  t.is((await stat(file)).mode & 0o777, 0o600);
  const content = await readFile(file, 'utf8');
  t.false(stdout.includes(content.trim()));
  await fails(t, ['keygen', file], 1, `${file} exists and is never overwritten; choose another name`);
  t.is(await readFile(file, 'utf8'), content);
});

commandTest('keygen --text makes a key that other programs take as it is', async (t) => {
  const directory = await makeDirectory(t);
  await mkdir(path.join(directory, 'keys'));
  t.is((await osirisfs(['keygen', '--text', 'keys/mine'], { cwd: directory })).code, 0);
  t.regex(await readFile(path.join(directory, 'keys/mine'), 'utf8'), /^[A-Za-z0-9_-]{32}$/);
});

commandTest('an unknown option is found whatever else is on the command line', (t) => {
  const known = { values: ['key-file', 'o'], switches: ['read-only', 'f'] };
  const find = (...args: string[]) => findUnknownOption(args, known);
  t.is(
    find('a', 'b', '--key-file', '--weird', '-o', '-x', '--read-only', '-f', '--help', '--no-read-only'),
    undefined,
  );
  t.is(find('a', '--key-file=x', '--foo=1'), '--foo');
  t.is(find('--foo'), '--foo');
  t.is(find('--', '--foo'), undefined);
  t.is(find('-x'), '-x');
  t.is(find('a', '-', '-1'), undefined);
});
