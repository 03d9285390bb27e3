// A mount of all buckets, and --create, on a real gateway.
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { makeBucket, putByBoto3, withBoto3 } from '../mount/bucket.js';
import { bash, run, runOk } from '../mount/child.js';
import { isMounted, makeMountpoint, osirisfs } from '../mount/mounting.js';
import { serverUnderTest } from '../mount/server.js';
import { makeKeyFile, type Scope } from '../mount/temporary.js';
import { cephTest } from './ceph-test.js';
import { driverTest, drivers, mountBy } from './drivers.js';

/** Deleted with what is in it at the end of the test, if it is there. */
function nameBucket(scope: Scope): string {
  const bucket = `osirisfs-test-${randomBytes(6).toString('hex')}`;
  scope.teardown(async () => {
    await withBoto3(
      `
try:
    for item in listed(): s3.delete_object(Bucket=bucket, Key=item['Key'])
    s3.delete_bucket(Bucket=bucket)
except ClientError: pass`,
      { bucket },
    );
  });
  return bucket;
}

for (const driver of drivers) {
  driverTest(
    driver,
    'all buckets are directories, also one that another client makes meanwhile',
    async (t) => {
      const [one, two, keyFile] = await Promise.all([makeBucket(t), makeBucket(t), makeKeyFile(t)]);
      await putByBoto3(one, keyFile, 'folder/file', 'of one');
      const mount = await mountBy(driver, t, { bucket: 's3://', keyFile });
      const { directory } = mount;
      const names = (await runOk('ls', [directory])).split('\n');
      t.true(names.includes(one) && names.includes(two), names.join());
      t.is(await runOk('cat', [path.join(directory, one, 'folder/file')]), 'of one');
      const late = await makeBucket(t);
      await putByBoto3(late, keyFile, 'file', 'of late');
      t.is(await runOk('cat', [path.join(directory, late, 'file')]), 'of late');
      const script = `cd "$1"
      mv "$2/folder/file" "$3/moved" && cat "$3/moved" && test ! -e "$2/folder/file"
      cp "$3/moved" "$2/copied" && cmp "$3/moved" "$2/copied"
      stat -c %i "$2" "$3" "$2/copied" "$3/moved" | sort -u | wc -l`;
      t.is(await bash(script, [directory, one, two]), 'of one4\n');
      for (const command of ['touch "$1/file"', 'mkdir "$1/osirisfs-test-new"', 'rmdir "$1/$2"']) {
        const refused = await run('bash', ['-c', command, 'bash', directory, one]);
        t.regex(refused.stderr, /Operation not permitted/, command);
      }
      await bash('printf pending >"$1/$2/last"', [directory, one]);
      await mount.unmount();
      t.is(
        await withBoto3(`answer = [item['Key'] for item in listed()]`, { bucket: one }).then((keys) =>
          (keys as string[]).filter((key) => !key.endsWith('/')).join(),
        ),
        'copied,last',
      );
    },
  );

  driverTest(driver, 'a bucket under another key is shown and refuses to be entered', async (t) => {
    const [bucket, other, keyFile] = await Promise.all([makeBucket(t), makeKeyFile(t), makeKeyFile(t)]);
    await putByBoto3(bucket, other, 'file', 'secret');
    const mount = await mountBy(driver, t, { bucket: 's3://', keyFile });
    const { directory } = mount;
    t.true((await runOk('ls', [directory])).includes(bucket));
    t.regex((await run('ls', [path.join(directory, bucket)])).stderr, /Permission denied/);
    t.regex((await run('touch', [path.join(directory, bucket, 'new')])).stderr, /Permission denied/);
    t.true((await mount.log()).includes('does not decrypt the objects in bucket'));
  });

  driverTest(driver, 'with --create, mkdir at the top makes a bucket', async (t) => {
    const [keyFile, bucket] = [await makeKeyFile(t), nameBucket(t)];
    const mount = await mountBy(driver, t, { bucket: 's3://', keyFile, options: ['--create'] });
    await bash('mkdir "$1" && echo hello >"$1/file"', [path.join(mount.directory, bucket)]);
    const { stderr } = await run('mkdir', [path.join(mount.directory, bucket)]);
    t.regex(stderr, /File exists/);
    await mount.unmount();
    t.deepEqual(await withBoto3(`answer = [item['Key'] for item in listed()]`, { bucket }), ['file']);
  });
}

cephTest('one argument is the directory, which then has all buckets', async (t) => {
  const [bucket, keyFile, directory] = await Promise.all([makeBucket(t), makeKeyFile(t), makeMountpoint(t)]);
  const mounted = await osirisfs(['mount', directory, '--key-file', keyFile.path]);
  t.teardown(async () => {
    if (await isMounted(directory)) await run('fusermount3', ['-uz', directory]);
  });
  t.is(mounted.code, 0, mounted.stderr);
  t.true(mounted.stdout.startsWith(`every bucket is mounted on ${directory}; `), mounted.stdout);
  t.true((await runOk('ls', [directory])).split('\n').includes(bucket));
  const status = await osirisfs(['status', directory, '--json']);
  t.is((JSON.parse(status.stdout) as { readonly source: string }).source, 's3://');
  t.is((await osirisfs(['umount', directory])).code, 0);
});

cephTest(
  'a bucket that is made where no server has a place goes where the server likes, which is said',
  async (t) => {
    const [keyFile, directory] = await Promise.all([makeKeyFile(t), makeMountpoint(t)]);
    const bucket = nameBucket(t);
    t.teardown(async () => {
      if (await isMounted(directory)) await run('fusermount3', ['-uz', directory]);
    });
    const options = ['--key-file', keyFile.path, '--create', '--location', 'nowhere'];
    const { code, stdout, stderr } = await osirisfs(['mount', bucket, directory, ...options]);
    t.is(code, 0, stderr);
    t.regex(stdout, serverUnderTest.unknownLocation);
    t.is((await osirisfs(['umount', directory])).code, 0);
  },
);

cephTest('who gives a bucket and forgets the directory is told so', async (t) => {
  const keyFile = await makeKeyFile(t);
  const { code, stderr } = await osirisfs(['mount', 'my-bucket', '--key-file', keyFile.path]);
  t.is(code, 1);
  t.regex(stderr, /my-bucket does not exist; .*for one of them give BUCKET DIRECTORY\)\n$/);
});

cephTest('a missing bucket is made by --create, which says so, and only by that', async (t) => {
  const [keyFile, directory] = await Promise.all([makeKeyFile(t), makeMountpoint(t)]);
  const bucket = nameBucket(t);
  const args = ['mount', bucket, directory, '--key-file', keyFile.path];
  t.teardown(async () => {
    if (await isMounted(directory)) await run('fusermount3', ['-uz', directory]);
  });
  const refused = await osirisfs(args);
  t.is(refused.code, 1);
  t.regex(refused.stderr, /^osirisfs: there is no bucket ".*" at .*; --create makes it\n$/);
  const made = await osirisfs([...args, '--create']);
  t.is(made.code, 0, made.stderr);
  t.true(
    made.stdout.startsWith(`the bucket ${bucket} was made; ${bucket} is mounted on ${directory}`),
    made.stdout,
  );
  await bash('echo hello >"$1/file"', [directory]);
  t.is((await osirisfs(['umount', directory])).code, 0);
  const again = await osirisfs([...args, '--create']);
  t.true(again.stdout.startsWith(`${bucket} is mounted on`), again.stdout + again.stderr);
  t.is(await runOk('cat', [path.join(directory, 'file')]), 'hello\n');
  t.is((await osirisfs(['umount', directory])).code, 0);
});
