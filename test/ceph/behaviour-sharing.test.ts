// docs/semantics.md, what a mount promises about several clients of one bucket, and about what other programs put there.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { bash, run, runOk, start, waitUntil } from '../mount/child.js';
import { getByBoto3, keysInBucket, makeBucket, putByBoto3, python, withBoto3 } from '../mount/bucket.js';
import { isMounted, osirisfs } from '../mount/mounting.js';
import { makeKeyFile } from '../mount/temporary.js';
import { patienceMs } from '../patience.js';
import { driverTest, drivers, mountBy } from './drivers.js';

for (const driver of drivers) {
  driverTest(driver, 'what one mount has closed, another sees at its next open', async (t) => {
    const bucket = await makeBucket(t);
    const keyFile = await makeKeyFile(t);
    const one = await mountBy(driver, t, { bucket, keyFile });
    const two = await mountBy(driver, t, { bucket, keyFile });
    await bash('printf first >"$1/file"', [one.directory]);
    t.is(await runOk('cat', [path.join(two.directory, 'file')]), 'first');
    await bash('printf second! >"$1/file"', [one.directory]);
    t.is(await runOk('cat', [path.join(two.directory, 'file')]), 'second!');
  });

  driverTest(driver, 'until close, others see the old object whole', async (t) => {
    const bucket = await makeBucket(t);
    const keyFile = await makeKeyFile(t);
    const mount = await mountBy(driver, t, { bucket, keyFile });
    await bash('printf old >"$1/file"', [mount.directory]);
    const writer = await start(
      python,
      [
        '-c',
        `
import os, time
file = os.open('file', os.O_RDWR)
os.write(file, b'new and longer')
print('written', flush=True)
time.sleep(300)`,
      ],
      { cwd: mount.directory },
    );
    t.teardown(async () => {
      writer.kill('SIGKILL');
      await writer.waitForEnd(patienceMs);
    });
    await waitUntil('the writer has written', patienceMs, () => writer.output().includes('written'));
    t.is(await getByBoto3(bucket, keyFile, 'file'), 'old');
    t.is(await runOk('cat', [path.join(mount.directory, 'file')]), 'new and longer', 'this mount sees it');
  });

  driverTest(driver, 'a symbolic link that another mount replaced leads to its new target', async (t) => {
    const bucket = await makeBucket(t);
    const keyFile = await makeKeyFile(t);
    const options = ['--metadata-ttl', '1s'];
    const one = await mountBy(driver, t, { bucket, keyFile, options });
    const two = await mountBy(driver, t, { bucket, keyFile, options });
    await bash('cd "$1"; echo 1 >v1; echo 2 >version-two; ln -s v1 current', [one.directory]);
    const look = () => bash('cd "$1"; readlink current; cat current', [two.directory]);
    t.is(await look(), 'v1\n1\n');
    await bash('cd "$1"; ln -sfn version-two current', [one.directory]);
    await waitUntil('the link leads to the new target', 20_000, async () => {
      return (await look()) === 'version-two\n2\n';
    });
    t.pass();
  });

  driverTest(
    driver,
    'what others add, change and delete shows within the metadata time-to-live',
    async (t) => {
      const bucket = await makeBucket(t);
      const keyFile = await makeKeyFile(t);
      await putByBoto3(bucket, keyFile, 'folder/changed', 'old');
      await putByBoto3(bucket, keyFile, 'folder/deleted', 'old');
      const mount = await mountBy(driver, t, { bucket, keyFile, options: ['--metadata-ttl', '1s'] });
      const directory = path.join(mount.directory, 'folder');
      t.is(await bash('cd "$1"; stat -c "%n %s" *', [directory]), 'changed 3\ndeleted 3\n');
      await putByBoto3(bucket, keyFile, 'folder/changed', 'newer');
      await putByBoto3(bucket, keyFile, 'folder/added', 'x');
      await withBoto3(`s3.delete_object(Bucket=bucket, Key='folder/deleted')`, { bucket });
      // Less than the 30 s for which names are believed without the option.
      await waitUntil('the changes show', 10_000, async () => {
        return (
          (await run('bash', ['-c', 'cd "$1"; stat -c "%n %s" *', 'bash', directory])).stdout ===
          'added 1\nchanged 5\n'
        );
      });
      t.is(await runOk('cat', [path.join(directory, 'changed')]), 'newer');
    },
  );

  driverTest(
    driver,
    'objects that other programs put there need no metadata and no directory objects',
    async (t) => {
      const bucket = await makeBucket(t);
      const keyFile = await makeKeyFile(t);
      await putByBoto3(bucket, keyFile, 'a/b/c/file.txt', 'deep');
      const mount = await mountBy(driver, t, {
        bucket,
        keyFile,
        options: ['--uid', '1234', '--umask', '027'],
      });
      t.is(
        await bash('cd "$1"; find . -printf "%p %y\\n" | sort', [mount.directory]),
        '. d\n./a d\n./a/b d\n./a/b/c d\n./a/b/c/file.txt f\n',
      );
      t.is(
        await bash('stat -c "%a %u" "$1/a" "$1/a/b/c/file.txt"', [mount.directory]),
        '750 1234\n750 1234\n',
      );
      t.is(await runOk('cat', [path.join(mount.directory, 'a/b/c/file.txt')]), 'deep');
    },
  );

  driverTest(driver, 'keys that no path can have are hidden and told of in the log', async (t) => {
    const bucket = await makeBucket(t);
    const keyFile = await makeKeyFile(t);
    for (const objectKey of ['good', 'a//b', 'dots/../up', 'both', 'both/inside', './here']) {
      await putByBoto3(bucket, keyFile, objectKey, objectKey);
    }
    const mount = await mountBy(driver, t, { bucket, keyFile });
    const names = await bash('cd "$1"; find . -type f | sort', [mount.directory]);
    t.true(names.includes('./good\n'));
    t.false(names.includes('//') || names.includes('..'));
    // `both` is a file and a directory; one of them is shown, and never an error.
    t.regex(names, /both/);
    await mount.unmount();
    t.regex(await mount.log(), /hidden/);
    t.is((await keysInBucket(bucket)).length, 6, 'nothing was deleted');
  });

  driverTest(
    driver,
    'an object under another customer key is listed, and reading it is refused',
    async (t) => {
      const bucket = await makeBucket(t);
      const keyFile = await makeKeyFile(t);
      await putByBoto3(bucket, keyFile, 'aaa-mine', 'mine');
      await putByBoto3(bucket, await makeKeyFile(t), 'foreign', 'secret');
      const mount = await mountBy(driver, t, { bucket, keyFile });
      t.deepEqual((await runOk('ls', [mount.directory])).trim().split('\n'), ['aaa-mine', 'foreign']);
      const read = await run('cat', [path.join(mount.directory, 'foreign')]);
      t.is(read.code, 1);
      t.regex(read.stderr, /Permission denied/);
    },
  );

  driverTest(
    driver,
    'an unencrypted object is read by default, and refused with --plaintext=refuse',
    async (t) => {
      const bucket = await makeBucket(t);
      const keyFile = await makeKeyFile(t);
      await withBoto3(`s3.put_object(Bucket=bucket, Key='plain', Body=b'in the clear')`, { bucket });
      const reading = await mountBy(driver, t, { bucket, keyFile });
      t.is(await runOk('cat', [path.join(reading.directory, 'plain')]), 'in the clear');
      const refusing = await mountBy(driver, t, { bucket, keyFile, options: ['--plaintext=refuse'] });
      const read = await run('cat', [path.join(refusing.directory, 'plain')]);
      t.is(read.code, 1);
      t.regex(read.stderr, /Permission denied/);
    },
  );

  driverTest(driver, 'changing an unencrypted object stores it encrypted', async (t) => {
    const bucket = await makeBucket(t);
    const keyFile = await makeKeyFile(t);
    await withBoto3(`s3.put_object(Bucket=bucket, Key='plain', Body=b'clear')`, { bucket });
    const mount = await mountBy(driver, t, { bucket, keyFile });
    await bash('printf " no more" >>"$1/plain"', [mount.directory]);
    t.is(await getByBoto3(bucket, keyFile, 'plain'), 'clear no more');
    const without = `answer = refused(s3.get_object, Bucket=bucket, Key='plain')`;
    t.is(await withBoto3(without, { bucket }), 400);
  });

  driverTest(driver, 'a prefix is mounted as if it were the bucket', async (t) => {
    const bucket = await makeBucket(t);
    const keyFile = await makeKeyFile(t);
    await putByBoto3(bucket, keyFile, 'outside', 'x');
    await putByBoto3(bucket, keyFile, 'project/inside', 'y');
    const mount = await mountBy(driver, t, { bucket: `${bucket}/project`, keyFile });
    t.is(await runOk('ls', [mount.directory]), 'inside\n');
    await bash('printf z >"$1/new"', [mount.directory]);
    t.deepEqual(await keysInBucket(bucket), ['outside', 'project/inside', 'project/new']);
  });

  driverTest(driver, 'a read-only mount changes nothing', async (t) => {
    const bucket = await makeBucket(t);
    const keyFile = await makeKeyFile(t);
    await putByBoto3(bucket, keyFile, 'file', 'x');
    const mount = await mountBy(driver, t, { bucket, keyFile, options: ['--read-only'] });
    for (const change of ['touch "$1/new"', 'rm "$1/file"', 'echo y >>"$1/file"', 'chmod 600 "$1/file"']) {
      const attempt = await run('bash', ['-c', change, 'bash', mount.directory]);
      t.not(attempt.code, 0, change);
      t.regex(attempt.stderr, /Read-only file system/, change);
    }
    t.is(await runOk('cat', [path.join(mount.directory, 'file')]), 'x');
  });

  for (const how of ['SIGTERM', 'SIGINT', 'umount'] as const) {
    driverTest(driver, `${how} ends a mount with everything in the bucket and exit code 0`, async (t) => {
      const bucket = await makeBucket(t);
      const keyFile = await makeKeyFile(t);
      const mount = await mountBy(driver, t, { bucket, keyFile });
      await bash('head -c 20000000 /dev/zero >"$1/zeros"', [mount.directory]);
      if (how === 'umount') await runOk('fusermount3', ['-u', mount.directory]);
      else mount.child.kill(how);
      const { code } = await mount.child.waitForEnd(patienceMs);
      t.is(code, 0, mount.child.output());
      t.false(await isMounted(mount.directory));
      const size = `answer = s3.head_object(Bucket=bucket, Key='zeros', **key)['ContentLength']`;
      t.is(await withBoto3(size, { bucket, keyFile }), 20_000_000);
    });
  }

  driverTest(driver, 'SIGTERM stores what a program has written and not closed', async (t) => {
    const bucket = await makeBucket(t);
    const keyFile = await makeKeyFile(t);
    const mount = await mountBy(driver, t, { bucket, keyFile });
    const script = `
import os, sys, time
for name, size in ('small', 300_000), ('large', 40 << 20):
    file = os.open(os.path.join(sys.argv[1], name), os.O_CREAT | os.O_WRONLY)
    for offset in range(0, size, 100_000): os.write(file, b'x' * min(100_000, size - offset))
print('written', flush=True)
time.sleep(300)
`;
    const writer = await start(python, ['-c', script, mount.directory]);
    t.teardown(async () => {
      writer.kill('SIGKILL');
      await writer.waitForEnd(patienceMs);
    });
    await waitUntil('both files are written', patienceMs, () => writer.output().includes('written'));
    mount.child.kill('SIGTERM');
    const { code } = await mount.child.waitForEnd(patienceMs);
    t.is(code, 0, mount.child.output());
    const left = `
sizes = {o['Key']: o['Size'] for o in s3.list_objects_v2(Bucket=bucket)['Contents']}
answer = [sizes, [u['Key'] for u in s3.list_multipart_uploads(Bucket=bucket).get('Uploads', [])]]`;
    t.deepEqual(await withBoto3(left, { bucket, keyFile }), [{ small: 300_000, large: 40 * 2 ** 20 }, []]);
  });

  driverTest(
    driver,
    'umount of a busy mount says which process holds it, and leaves it mounted',
    async (t) => {
      const bucket = await makeBucket(t);
      const keyFile = await makeKeyFile(t);
      const mount = await mountBy(driver, t, { bucket, keyFile });
      const holder = await start('sleep', ['300'], { cwd: mount.directory });
      t.teardown(async () => {
        holder.kill('SIGKILL');
        await holder.waitForEnd(patienceMs);
      });
      const busy = await osirisfs(['umount', mount.directory]);
      t.not(busy.code, 0);
      t.true(busy.stderr.includes(String(holder.pid)) && busy.stderr.includes('sleep'), busy.stderr);
      t.true(await isMounted(mount.directory));
      t.true((await readFile(`/proc/${mount.pid}/cmdline`, 'utf8')).includes('mount'));
    },
  );
}

const [, fuseNative] = drivers;

/** The driver is not told of O_APPEND and O_EXCL when a file is created. */
driverTest(
  fuseNative,
  'a file that appeared elsewhere is appended to, and not created exclusively',
  async (t) => {
    const bucket = await makeBucket(t);
    const keyFile = await makeKeyFile(t);
    const mount = await mountBy(fuseNative, t, { bucket, keyFile });
    t.is(await runOk('ls', [mount.directory]), '', 'the listing is remembered');
    await putByBoto3(bucket, keyFile, 'log', 'theirs');
    await putByBoto3(bucket, keyFile, 'lock', 'theirs');
    await bash('printf " and ours" >>"$1/log"', [mount.directory]);
    t.is(await getByBoto3(bucket, keyFile, 'log'), 'theirs and ours');
    const lock = `import os, sys; os.open(sys.argv[1] + '/lock', os.O_CREAT | os.O_EXCL | os.O_WRONLY)`;
    t.regex((await run(python, ['-c', lock, mount.directory])).stderr, /FileExistsError/);
    t.is(await getByBoto3(bucket, keyFile, 'lock'), 'theirs');
  },
);
