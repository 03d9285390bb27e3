// No root is needed, and no dead mount is left behind when the serving process is killed.
import path from 'node:path';
import { bash, run, runOk, waitUntil } from '../mount/child.js';
import { getByBoto3, makeBucket } from '../mount/bucket.js';
import { compareBytes, listingOf, makeTree } from '../mount/local-tree.js';
import { isMounted, mountBucket, osirisfs } from '../mount/mounting.js';
import { makeKeyFile } from '../mount/temporary.js';
import { ordinaryUser } from '../mount/user.js';
import { patienceMs } from '../patience.js';
import { cephTest } from './ceph-test.js';

cephTest('an ordinary user copies a tree in, unmounts, mounts again and finds it equal', async (t) => {
  const user = await ordinaryUser(t);
  const bucket = await makeBucket(t);
  const keyFile = await makeKeyFile(t, user);
  const tree = await makeTree(t, 50, user);
  const first = await mountBucket(t, { bucket, keyFile, user });
  await runOk('cp', ['-a', tree, first.directory], { user });
  await first.unmount();

  const second = await mountBucket(t, { bucket, keyFile, user });
  const mounted = path.join(second.directory, 'tree');
  await compareBytes(tree, mounted, user);
  t.deepEqual(await listingOf(mounted, user), await listingOf(tree, user));
  await second.unmount();
});

cephTest(
  'an ordinary user mounts in the background and unmounts with everything in the bucket',
  async (t) => {
    const user = await ordinaryUser(t);
    const bucket = await makeBucket(t);
    const keyFile = await makeKeyFile(t, user);
    const directory = path.join(user.home, 'mount point');
    await runOk('mkdir', [directory], { user });
    t.teardown(async () => {
      if (await isMounted(directory)) await runOk('fusermount3', ['-uz', directory], { user });
    });
    const mount = await osirisfs(['mount', bucket, directory, '--key-file', keyFile.path], {
      user,
      cwd: '/',
    });
    t.is(mount.code, 0, mount.stderr);
    await bash('echo written >"$1/file"', [directory], { user });
    const umount = await osirisfs(['umount', directory], { user, cwd: '/' });
    t.is(umount.code, 0, umount.stderr);
    t.false(await isMounted(directory));
    t.is(await getByBoto3(bucket, keyFile, 'file'), 'written\n');
  },
);

for (const who of ['root', 'an ordinary user'] as const) {
  cephTest(`kill -9 of a process that serves ${who} leaves a plain, usable directory`, async (t) => {
    const user = who === 'root' ? undefined : await ordinaryUser(t);
    const bucket = await makeBucket(t);
    const keyFile = await makeKeyFile(t, user);
    const mount = await mountBucket(t, { bucket, keyFile, ...(user === undefined ? {} : { user }) });
    await bash('echo kept >"$1/kept"', [mount.directory], { user });
    await mount.killHard();
    await waitUntil(
      'the dead mount is taken away',
      patienceMs,
      async () => !(await isMounted(mount.directory)),
    );
    await bash('test -z "$(ls -A "$1")" && echo x >"$1/local" && rm "$1/local"', [mount.directory], { user });

    const again = await mountBucket(t, {
      bucket,
      keyFile,
      directory: mount.directory,
      ...(user === undefined ? {} : { user }),
    });
    t.is(await runOk('cat', [path.join(again.directory, 'kept')], { user }), 'kept\n');
    await again.unmount();
  });
}

cephTest('another user may not enter a mount made without --allow-other', async (t) => {
  const user = await ordinaryUser(t);
  const bucket = await makeBucket(t);
  const keyFile = await makeKeyFile(t);
  const mount = await mountBucket(t, { bucket, keyFile });
  const entered = await run('ls', [mount.directory], { user });
  t.not(entered.code, 0);
  t.regex(entered.stderr, /Permission denied/);
});
