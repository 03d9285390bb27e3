// README's table of behaviour, the rows about clients that change one file at the same time.
import path from 'node:path';
import type { ExecutionContext } from 'ava';
import { bash, runOk, start, waitUntil } from '../mount/child.js';
import { getByBoto3, keysInBucket, makeBucket, putByBoto3, python, withBoto3 } from '../mount/bucket.js';
import type { Mount } from '../mount/mounting.js';
import { makeKeyFile, type KeyFile } from '../mount/temporary.js';
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
  const bucket = await makeBucket(t);
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
  await waitUntil('the writer has written', 20_000, async () =>
    (await keysInBucket(bucket)).includes('paused'),
  );
  await putByBoto3(bucket, keyFile, 'folder/file', 'theirs');
  await bash('touch "$1/go on"', [mount.directory]);
  const { stdout, stderr } = await writer.waitForEnd(60_000);
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
      await waitUntil('the reader has read the start', 20_000, async () =>
        (await keysInBucket(bucket)).includes('paused'),
      );
      await put('b');
      await bash('touch "$1/go on"', [mount.directory]);
      const { stdout, stderr } = await reader.waitForEnd(60_000);
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
