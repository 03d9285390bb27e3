// mount(8) and systemd as callers: what they are given, and a real mount by mount(8).
import { chmod, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { mountArgumentsOf } from '../../../src/cli/mount/mount-helper.js';
import { startGatewayProcess } from '../../gateway/running-gateway.js';
import { createBucket } from '../../mount/bucket.js';
import { run } from '../../mount/child.js';
import { makeMountpoint, osirisfs } from '../../mount/mounting.js';
import { makeDirectory, makeKeyFile } from '../../mount/temporary.js';
import { projectRoot } from '../../mount/user.js';

const main = path.join(projectRoot, 'dist/src/main.cjs');

test('only what mount.fuse3 calls is a mount without the word', (t) => {
  const isCommand = (word: string): boolean => word === 'mount' || word === 'umount';
  t.deepEqual(mountArgumentsOf(['b', '/mnt', '-o', 'rw,dev,suid,ro'], isCommand), [
    'mount',
    'b',
    '/mnt',
    '-o',
    'rw,ro',
  ]);
  t.deepEqual(mountArgumentsOf(['b', '/mnt', '-o', 'dev'], isCommand), ['mount', 'b', '/mnt']);
  for (const args of [
    [],
    ['b', '/mnt'],
    ['mount', 'b', '-o', 'rw'],
    ['b', '/mnt', '-o', 'rw', 'x'],
    ['-o', 'b', '-o', 'rw'],
  ]) {
    t.is(mountArgumentsOf(args, isCommand), undefined, args.join(' '));
  }
});

const asRoot = process.getuid?.() === 0 ? test.serial : test.skip;

asRoot('mount -t fuse.osirisfs mounts, with the options that fstab has', async (t) => {
  const scratch = await makeDirectory(t);
  const { env } = await startGatewayProcess(t, path.join(scratch, 'gateway'));
  const bucket = await createBucket(env);
  const keyFile = await makeKeyFile(t);
  const directory = await makeMountpoint(t);
  // mount(8) and mount.fuse3 leave neither PATH nor other variables.
  const variables = Object.entries({
    ...env,
    XDG_RUNTIME_DIR: scratch,
    XDG_STATE_HOME: scratch,
    PATH: '/usr/bin:/bin',
  });
  const exports = variables.map(([name, value]) => `export ${name}='${value}'`).join('\n');
  const program = path.join(scratch, 'program');
  await writeFile(program, `#!/bin/sh\n${exports}\nexec '${process.execPath}' '${main}' "$@"\n`, {
    mode: 0o755,
  });
  const options = `rw,_netdev,nofail,noauto,user,x-systemd.automount,key_file=${keyFile.path}`;
  // In a mount namespace of its own, where the program is installed as an administrator would do it.
  const script = `
    mount -t tmpfs none /usr/local/sbin
    ln -s "$1" /usr/local/sbin/osirisfs
    mount -t fuse.osirisfs "$2" "$3" -o "$4"
    echo kept > "$3/file"
    test "$(cat "$3/file")" = kept
    grep " $3 fuse.osirisfs .*nosuid" /proc/mounts
    osirisfs umount "$3"
    mount -t fuse.osirisfs s3:// "$3" -o "$4"
    test "$(cat "$3/$2/file")" = kept
    grep -F "osirisfs:s3:// $3 fuse.osirisfs" /proc/mounts
    osirisfs umount "$3"`;
  const outcome = await run(
    'unshare',
    ['-m', 'bash', '-ec', script, 'bash', program, bucket, directory, options],
    {
      env: { PATH: '/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin' },
    },
  );
  t.is(outcome.code, 0, outcome.stderr);
  t.is(outcome.stdout.match(/nosuid,nodev/g)?.length, 2);
});

test('a unit for all buckets names none', async (t) => {
  const { code, stdout, stderr } = await osirisfs(['unit', '/mnt/all', '--key-file', '/k', '--create']);
  t.is(code, 0, stderr);
  t.regex(stdout, /^ExecStart=.* mount s3:\/\/ \/mnt\/all --key-file \/k --create --foreground$/m);
});

test.serial('a unit has absolute paths and no secrets, and systemd takes it', async (t) => {
  const scratch = await makeDirectory(t);
  const env = {
    AWS_ACCESS_KEY_ID: 'id',
    AWS_SECRET_ACCESS_KEY: 'never-told',
    AWS_ENDPOINT_URL: 'https://s3.test',
  };
  const unit = await osirisfs(
    ['unit', 'bucket/folder', 'my 100% $dir', '--key-file', 'my.key', '--read-only'],
    {
      env,
      cwd: scratch,
    },
  );
  t.is(unit.code, 0, unit.stderr);
  t.false(`${unit.stdout}${unit.stderr}`.includes('never-told'));
  t.true(
    unit.stdout.includes(
      `"${scratch}/my 100%% $$dir" --key-file ${scratch}/my.key --read-only --foreground\n`,
    ),
  );
  const list = 'ro,noexec,key_file=of-list.key,spill_dir=spill,umask=077,_netdev';
  const other = await osirisfs(['unit', 'bucket', 'dir', '--spill-dir', 'own', '-o', list], {
    env: { ...env, AWS_CA_BUNDLE: 'ca.pem', OSIRISFS_LOG_FILE: 'my.log', OSIRISFS_UMASK: '027' },
    cwd: scratch,
  });
  t.is(other.code, 0, other.stderr);
  for (const part of [
    ` --key-file ${scratch}/of-list.key `,
    ' --read-only ',
    ` --spill-dir ${scratch}/own `,
    ' --umask 077 ',
    ' -o noexec --foreground\n',
    `Environment=AWS_CA_BUNDLE=${scratch}/ca.pem\n`,
    `Environment=OSIRISFS_LOG_FILE=${scratch}/my.log\n`,
    'Environment=OSIRISFS_UMASK=027\n',
  ]) {
    t.true(other.stdout.includes(part), `${part}: ${other.stdout}`);
  }
  t.regex(unit.stdout, /^Environment=AWS_ENDPOINT_URL=https:\/\/s3\.test$/m);
  const file = path.join(scratch, 'data.service');
  await writeFile(file, unit.stdout);
  await chmod(file, 0o644);
  const verified = await run('systemd-analyze', ['--user', 'verify', file], {
    env: { XDG_RUNTIME_DIR: scratch },
  }).catch(() => undefined);
  if (verified === undefined) t.log('systemd-analyze is not here: the unit is not verified');
  else t.false(verified.stderr.includes('data.service'), verified.stderr);
  const refused = await osirisfs(['unit', 'bucket', '/mnt']);
  t.is(refused.code, 2);
  t.regex(refused.stderr, /^osirisfs: --key-file is missing/);
});

test.serial('a script for the completion of the shell is printed', async (t) => {
  const { code, stdout } = await osirisfs(['completion']);
  t.is(code, 0);
  t.regex(stdout, /complete .*osirisfs/);
});
