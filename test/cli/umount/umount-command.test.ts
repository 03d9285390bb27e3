import { readdir, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { hasEnded } from '../../../src/cli/serving/mount-registry.js';
import { bash, start, waitUntil } from '../../mount/child.js';
import { makeMountpoint, osirisfs } from '../../mount/mounting.js';
import { makeDirectory } from '../../mount/temporary.js';
import { patienceMs } from '../../patience.js';
import { deadMount } from '../bare-mount.js';
import { memoryMount } from '../memory-mount.js';

const mountTest = test.serial;

mountTest('umount returns when the process is gone, and leaves nothing behind', async (t) => {
  const mount = await memoryMount(t);
  await mount.mount();
  const pid = await mount.servingPid();
  const { code, stdout, stderr } = await mount.umount();
  t.is(stdout + stderr, '');
  t.is(code, 0);
  t.true(await hasEnded(pid));
  t.false(await mount.isMounted());
  t.deepEqual(await readdir(path.join(mount.environment['XDG_RUNTIME_DIR']!, 'osirisfs')), []);
});

mountTest('umount waits until everything is in the bucket and says what for', async (t) => {
  const mount = await memoryMount(t);
  const untilFile = path.join(await makeDirectory(t), 'stored');
  await mount.mount({ pending: { paths: ['data/one', 'data/two'], untilFile } });
  const umount = await mount.startUmount();
  await waitUntil('it says what for', patienceMs, () => umount.output().includes('data/two\n'));
  t.false(umount.hasEnded());
  await writeFile(untilFile, '');
  const { code, stderr } = await umount.waitForEnd(patienceMs);
  t.is(code, 0);
  t.is(stderr, 'osirisfs: waiting until everything is in the bucket: data/one, data/two\n');
});

mountTest('umount fails if not everything could be stored', async (t) => {
  const mount = await memoryMount(t);
  await mount.mount({ pending: { paths: ['a'] } });
  const umount = mount.umount();
  await waitUntil('unmounting', patienceMs, async () => !(await mount.isMounted()));
  const pid = await mount.servingPid();
  // Two that arrive together count as one, so send more.
  await waitUntil('the end', patienceMs, async () => {
    if (await hasEnded(pid)) return true;
    process.kill(pid, 'SIGTERM');
    return false;
  });
  const { code, stderr } = await umount;
  t.is(code, 1);
  t.regex(stderr, /1 files were abandoned|ended before everything was in the bucket/);
});

mountTest('umount names what the server refuses and why, ends, and leaves it to the process', async (t) => {
  const mount = await memoryMount(t);
  const untilFile = path.join(await makeDirectory(t), 'stored');
  await mount.mount({ pending: { paths: ['ro/f'], untilFile, refused: 'access denied' } });
  const pid = await mount.servingPid();
  const refused = await mount.umount('--timeout', '0s');
  t.is(
    refused.stderr,
    'osirisfs: waiting until everything is in the bucket: ro/f (access denied)\n' +
      `osirisfs: not in the bucket: ro/f (access denied). Process ${pid} keeps it and goes on trying. ` +
      `Make storing possible and call osirisfs umount ${mount.directory} again, or lose it by umount --give-up\n`,
  );
  t.is(refused.code, 1);
  t.false(await mount.isMounted());
  t.false(await hasEnded(pid));

  const again = await mount.startUmount();
  await waitUntil('it says what for', patienceMs, () => again.output().includes('ro/f'));
  await writeFile(untilFile, '');
  t.is((await again.waitForEnd(patienceMs)).code, 0);
  t.true(await hasEnded(pid));
});

mountTest('a new mount is unmounted also while the former one keeps what is refused', async (t) => {
  const mount = await memoryMount(t);
  await mount.mount({ pending: { paths: ['ro/f'], refused: 'access denied' } });
  const pid = await mount.servingPid();
  t.is((await mount.umount('--timeout', '0s')).code, 1);
  await mount.mount();
  t.true(await mount.isMounted());
  const { code, stderr } = await mount.umount();
  t.is(stderr, '');
  t.is(code, 0);
  t.false(await mount.isMounted());
  t.false(await hasEnded(pid));
  t.is((await mount.umount('--give-up')).code, 0);
});

mountTest('umount --give-up ends at once and names what is lost', async (t) => {
  const mount = await memoryMount(t);
  await mount.mount({ pending: { paths: ['ro/f'], refused: 'access denied' } });
  const pid = await mount.servingPid();
  const { code, stderr } = await mount.umount('--give-up');
  t.is(stderr, 'osirisfs: given up, not in the bucket as they were written: ro/f (access denied)\n');
  t.is(code, 0);
  t.true(await hasEnded(pid));
  t.false(await mount.isMounted());
  const nothing = await mount.umount('--give-up');
  t.is(nothing.stderr, `osirisfs: ${mount.directory} is not mounted by an osirisfs of yours\n`);
  t.is(nothing.code, 1);
});

mountTest(
  'umount of a directory in use names the programs and their files, and leaves it mounted',
  async (t) => {
    const mount = await memoryMount(t);
    await mount.mount();
    const script = 'exec 7>"$1/open"; echo there; exec sleep 600';
    const user = await start('bash', ['-c', script, 'bash', mount.directory]);
    t.teardown(() => user.kill('SIGKILL'));
    await waitUntil('the user is there', patienceMs, () => user.output() === 'there\n');
    const { code, stderr } = await mount.umount();
    t.is(
      stderr,
      `osirisfs: ${mount.directory} is in use by sleep (pid ${user.pid}: ${mount.directory}/open); end that and try again, or detach it by umount --lazy\n`,
    );
    t.is(code, 1);
    t.is(await bash('cd "$1" && ls', [mount.directory]), 'open\n');
    user.kill('SIGKILL');
    await user.waitForEnd(patienceMs);
    t.is((await mount.umount()).code, 0);
  },
);

mountTest('umount --lazy detaches a directory in use, and the process ends after its user', async (t) => {
  const mount = await memoryMount(t);
  await mount.mount();
  const pid = await mount.servingPid();
  const trigger = path.join(await makeDirectory(t), 'trigger');
  const script = `exec 7>"$1/open"; echo there
    for i in {1..1200}; do [ -e "$2" ] && break; sleep 0.05; done
    echo hello >&7 && echo written`;
  const user = await start('bash', ['-c', script, 'bash', mount.directory, trigger]);
  t.teardown(() => user.kill('SIGKILL'));
  await waitUntil('the user is there', patienceMs, () => user.output() === 'there\n');

  const { code, stderr } = await mount.umount('--lazy');
  t.is(
    stderr,
    `osirisfs: ${mount.directory} is detached; process ${pid} goes on until its files are closed and everything is in the bucket\n`,
  );
  t.is(code, 0);
  t.false(await mount.isMounted());
  t.false(await hasEnded(pid));

  await writeFile(trigger, '');
  t.is((await user.waitForEnd(patienceMs)).stdout, 'there\nwritten\n');
  await waitUntil('the end of the process', patienceMs, () => hasEnded(pid));
});

mountTest(
  'umount finds the mount through a symbolic link, a relative path and a slash at the end',
  async (t) => {
    const links = await realpath(await makeDirectory(t));
    for (const how of ['link', 'relative', 'slash']) {
      const mount = await memoryMount(t);
      await mount.mount();
      await symlink(mount.directory, path.join(links, how));
      const name = {
        link: path.join(links, how),
        relative: path.basename(mount.directory),
        slash: `${mount.directory}/`,
      }[how]!;
      const { code, stderr } = await osirisfs(['umount', name], {
        env: mount.environment,
        cwd: path.dirname(mount.directory),
      });
      t.is(stderr, '', how);
      t.is(code, 0, how);
    }
  },
);

mountTest('umount detaches what is in no registry, and says that it cannot wait for it', async (t) => {
  const mount = await memoryMount(t);
  await mount.mount();
  const pid = await mount.servingPid();
  const { code, stderr } = await osirisfs(['umount', mount.directory], {
    env: { XDG_RUNTIME_DIR: await makeDirectory(t) },
  });
  t.regex(
    stderr,
    /looking for the process .*\n.* is detached, but the process that serves it cannot be found/,
  );
  t.is(code, 1);
  t.false(await mount.isMounted());
  await waitUntil('the end of the process', patienceMs, () => hasEnded(pid));
});

for (const lost of ['the entry', 'the socket', 'their directory'] as const) {
  mountTest(
    `umount finds a mount again of which somebody has removed ${lost}, and waits for it`,
    async (t) => {
      const mount = await memoryMount(t);
      const untilFile = path.join(await makeDirectory(t), 'stored');
      await mount.mount({ pending: { paths: ['data/one'], untilFile } });
      const pid = await mount.servingPid();
      const directory = path.join(mount.environment['XDG_RUNTIME_DIR']!, 'osirisfs');
      const names = await readdir(directory);
      for (const name of names) {
        const isLost = name.endsWith('.json') ? lost !== 'the socket' : lost !== 'the entry';
        if (isLost) await rm(path.join(directory, name));
      }
      if (lost === 'their directory') await rm(directory, { recursive: true });
      const umount = await mount.startUmount();
      await waitUntil('it waits', patienceMs, () => umount.output().includes('data/one\n'));
      t.false(umount.hasEnded());
      await writeFile(untilFile, '');
      const { code, stderr } = await umount.waitForEnd(patienceMs);
      t.is(code, 0, stderr);
      t.true(await hasEnded(pid));
      t.true((await mount.log()).includes('was removed, and made again'));
      t.deepEqual(await readdir(directory), []);
    },
  );
}

mountTest('umount removes what a dead process left', async (t) => {
  const directory = await makeMountpoint(t);
  await deadMount(t, directory);
  const { code, stderr } = await osirisfs(['umount', directory]);
  t.is(stderr, '');
  t.is(code, 0);
});

mountTest('umount that runs in the directory is told that it is in use there', async (t) => {
  const mount = await memoryMount(t);
  await mount.mount();
  const script = 'cd "$1" && "$2" "$3" umount . ; echo "code $?"';
  const main = path.resolve('dist/src/main.cjs');
  const shell = await start('bash', ['-c', script, 'bash', mount.directory, process.execPath, main], {
    env: mount.environment,
  });
  const { stdout, stderr } = await shell.waitForEnd(patienceMs);
  t.is(stdout, 'code 1\n');
  t.regex(stderr, /is in use by bash \(pid \d+: working directory\)/);
  t.is((await mount.umount()).code, 0);
});
