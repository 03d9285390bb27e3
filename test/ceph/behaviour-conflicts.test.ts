// docs/semantics.md, what a mount promises about clients that change one file at the same time.
import { createHash } from 'node:crypto';
import path from 'node:path';
import type { ExecutionContext } from 'ava';
import { bash, runOk, start, waitUntil } from '../mount/child.js';
import {
  getByBoto3,
  keysInBucket,
  makeBucket,
  putByBoto3,
  python,
  setVersioning,
  withBoto3,
} from '../mount/bucket.js';
import type { NamedFinding } from '../../src/cli/doctor/checks.js';
import { mountBucket, osirisfs, type Mount } from '../mount/mounting.js';
import { serverUnderTest } from '../mount/server.js';
import { makeKeyFile, type KeyFile } from '../mount/temporary.js';
import { cephTest } from './ceph-test.js';
import { patienceMs } from '../patience.js';
import { driverTest, drivers, mountBy, type DriverUnderTest } from './drivers.js';

/** A program that opens `file`, says so, waits for a line from the test, and goes on. */
const withPause = (first: string, then: string): string =>
  `import errno, os, sys, time\n${first}\nopen('../paused', 'w').close()\nwhile not os.path.exists('../go on'): time.sleep(0.02)\n${then}`;

interface Race {
  /** What fsync said to the one who came second. */
  readonly outcome: string;
  readonly bucket: string;
  readonly keyFile: KeyFile;
  readonly mount: Mount;
}

/** Changes `folder/file` through a mount while another client replaces the object, and only then stores the change. */
async function loseRace(t: ExecutionContext, driver: DriverUnderTest, change: string): Promise<Race> {
  return await loseRaceIn(await makeBucket(t), t, { driver, change });
}

async function loseRaceIn(
  bucket: string,
  t: ExecutionContext,
  { driver, change }: { readonly driver: DriverUnderTest; readonly change: string },
): Promise<Race> {
  const keyFile = await makeKeyFile(t);
  await putByBoto3(bucket, keyFile, 'folder/file', 'common');
  const mount = await mountBy(driver, t, { bucket, keyFile });
  const store = `
try: os.fsync(file); print('stored')
except OSError as error: print(errno.errorcode[error.errno])
try: os.close(file)
except OSError: pass`;
  const cwd = path.join(mount.directory, 'folder');
  const writer = await start(python, ['-c', withPause(change, store)], { cwd });
  await waitUntil('the writer has written', patienceMs, async () =>
    (await keysInBucket(bucket)).includes('paused'),
  );
  await putByBoto3(bucket, keyFile, 'folder/file', 'theirs');
  await bash('touch "$1/go on"', [mount.directory]);
  const { stdout, stderr } = await writer.waitForEnd(patienceMs);
  return { outcome: stdout.trim() || stderr, bucket, keyFile, mount };
}

for (const driver of drivers) {
  driverTest(
    driver,
    'a file replaced by another client while it is open gives ESTALE, never a mixture',
    async (t) => {
      const bucket = await makeBucket(t);
      const keyFile = await makeKeyFile(t);
      const size = 24_000_000;
      const put = (letter: string): Promise<unknown> =>
        withBoto3(
          `s3.put_object(Bucket=bucket, Key='folder/file', Body=given['letter'].encode() * given['size'], **key)`,
          { bucket, keyFile, letter, size },
        );
      await put('a');
      const mount = await mountBy(driver, t, { bucket, keyFile });
      const reader = await start(
        python,
        [
          '-c',
          withPause(
            `file = os.open('file', os.O_RDONLY); first = os.pread(file, 4096, 0)`,
            `
try: print(first[:1], os.pread(file, 4096, ${size - 5000})[:1])
except OSError as error: print(first[:1], errno.errorcode[error.errno])
print(open('file', 'rb').read()[-1:])`,
          ),
        ],
        { cwd: path.join(mount.directory, 'folder') },
      );
      await waitUntil('the reader has read the start', patienceMs, async () =>
        (await keysInBucket(bucket)).includes('paused'),
      );
      await put('b');
      await bash('touch "$1/go on"', [mount.directory]);
      const { stdout, stderr } = await reader.waitForEnd(patienceMs);
      t.is(stdout, "b'a' ESTALE\nb'b'\n", stderr);
    },
  );

  driverTest(
    driver,
    'when two clients write a file, the later one to store gets ESTALE and its version is kept beside',
    async (t) => {
      const change = `file = os.open('file', os.O_WRONLY | os.O_TRUNC); os.write(file, b'all of ours')`;
      const { outcome, bucket, keyFile, mount } = await loseRace(t, driver, change);
      t.is(outcome, 'ESTALE');
      t.is(await getByBoto3(bucket, keyFile, 'folder/file'), 'theirs');
      const kept = (await keysInBucket(bucket)).filter((key) => key.startsWith('folder/file.conflict-'));
      t.is(kept.length, 1);
      t.is(await getByBoto3(bucket, keyFile, kept[0] ?? ''), 'all of ours');
      t.is(await runOk('cat', [path.join(mount.directory, 'folder/file')]), 'theirs');
      await mount.unmount(30_000);
    },
  );

  driverTest(
    driver,
    'a change to a part of a file whose rest another client replaced gives ESTALE, and the file stays usable',
    async (t) => {
      const change = `file = os.open('file', os.O_RDWR); os.pwrite(file, b'OURS', 0)`;
      const { outcome, bucket, keyFile, mount } = await loseRace(t, driver, change);
      t.is(outcome, 'ESTALE');
      t.is(await runOk('cat', [path.join(mount.directory, 'folder/file')]), 'theirs');
      await bash('printf " and more" >>"$1/folder/file"', [mount.directory]);
      await mount.unmount(30_000);
      t.is(await getByBoto3(bucket, keyFile, 'folder/file'), 'theirs and more');
    },
  );
}

/** Below what is copied through the client, above it, and above the least size of a part. */
const sizesInVersions = [1_000, 1_000_000, 12_000_000];

/** To be run again and again: makes new files, and changes those of the run before. */
const changes = `
import os
def write(name, flags, data):
    file = os.open(name, flags | os.O_WRONLY, 0o644); os.write(file, data); os.close(file)
for size in ${JSON.stringify(sizesInVersions)}:
    name = str(size)
    write(name + '-overwritten', os.O_CREAT | os.O_TRUNC, b'1' * size)
    write(name + '-overwritten', os.O_CREAT | os.O_TRUNC, b'2' * size)
    write(name + '-appended', os.O_CREAT | os.O_TRUNC, b'3' * size)
    write(name + '-appended', os.O_APPEND, b'more')
    write(name + '-mode', os.O_CREAT | os.O_TRUNC, b'4' * size)
    for mode in (0o640, 0o600):
        os.chmod(name + '-mode', mode)
        file = os.open(name + '-mode', os.O_RDONLY); os.fsync(file); os.close(file)
    write(name + '-new', os.O_CREAT | os.O_EXCL, b'5' * size)
    os.rename(name + '-new', name + '-renamed')
    write(name + '-again', os.O_CREAT | os.O_EXCL, b'6' * size)
    os.unlink(name + '-again')
    write(name + '-again', os.O_CREAT | os.O_EXCL, b'7' * size)
    os.unlink(name + '-again')
`;

function expectedContents(): Record<string, unknown> {
  const expected: Record<string, unknown> = {};
  const expect = (name: string, text: string, mode = '0o644'): void => {
    expected[name] = [createHash('md5').update(text).digest('hex'), mode];
  };
  for (const size of sizesInVersions) {
    expect(`${size}-overwritten`, '2'.repeat(size));
    expect(`${size}-appended`, `${'3'.repeat(size)}more`);
    expect(`${size}-mode`, '4'.repeat(size), '0o600');
    expect(`${size}-renamed`, '5'.repeat(size));
  }
  return expected;
}

/** MD5 and mode of each object. */
function contents(bucket: string, keyFile: KeyFile): Promise<unknown> {
  return withBoto3(
    `
answer = {}
for item in listed():
    reply = s3.get_object(Bucket=bucket, Key=item['Key'], **key)
    mode = oct(int(reply['Metadata']['mode']) & 0o777)
    answer[item['Key']] = [hashlib.md5(reply['Body'].read()).hexdigest(), mode]`,
    { bucket, keyFile },
  );
}

// The embedded gateway keeps no versions.
if (serverUnderTest.versioning === 'OK') {
  for (const isKnown of [true, false]) {
    const since = isKnown ? 'since before the mount' : 'since after the mount';
    cephTest(`in a bucket that keeps versions ${since}, no change is taken for a lost race`, async (t) => {
      const bucket = await makeBucket(t);
      const keyFile = await makeKeyFile(t);
      if (isKnown) await setVersioning(bucket, 'Enabled');
      const mount = await mountBucket(t, { bucket, keyFile });
      const change = (): Promise<string> => runOk(python, ['-c', changes], { cwd: mount.directory });
      if (!isKnown) {
        await change();
        await setVersioning(bucket, 'Enabled');
      }
      await change();
      await change();
      await setVersioning(bucket, 'Suspended');
      await change();
      await mount.unmount();
      t.deepEqual(await contents(bucket, keyFile), expectedContents());
      const warnings = (await mount.log())
        .split('\n')
        .filter((line) => line.includes('refuses conditions that hold'));
      t.is(warnings.length, 1);
    });
  }

  cephTest('a race that is lost in a bucket that keeps versions is found', async (t) => {
    const bucket = await makeBucket(t);
    await setVersioning(bucket, 'Enabled');
    const change = `file = os.open('file', os.O_WRONLY | os.O_TRUNC); os.write(file, b'all of ours')`;
    const { outcome, keyFile } = await loseRaceIn(bucket, t, { driver: drivers[0], change });
    t.is(outcome, 'ESTALE');
    t.is(await getByBoto3(bucket, keyFile, 'folder/file'), 'theirs');
    const kept = (await keysInBucket(bucket)).filter((key) => key.startsWith('folder/file.conflict-'));
    t.is(kept.length, 1);
    t.is(await getByBoto3(bucket, keyFile, kept[0] ?? ''), 'all of ours');
  });

  cephTest('doctor --write tells that a bucket keeps versions', async (t) => {
    const bucket = await makeBucket(t);
    const keyFile = await makeKeyFile(t);
    const doctor = async (): Promise<NamedFinding | undefined> => {
      const args = ['doctor', bucket, '--json', '--write', '--key-file', keyFile.path];
      const findings = JSON.parse((await osirisfs(args)).stdout) as NamedFinding[];
      return findings.find(({ name }) => name === 'If-Match');
    };
    t.is((await doctor())?.verdict, 'ok');
    for (const status of ['Enabled', 'Suspended'] as const) {
      await setVersioning(bucket, status);
      const found = await doctor();
      t.is(found?.verdict, 'warning');
      t.regex(found?.text ?? '', new RegExp(`keeps versions, as ${bucket} does \\(${status}\\)`));
    }
  });
}
