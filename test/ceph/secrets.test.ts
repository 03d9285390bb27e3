// Neither the customer key nor the S3 secret nor what files say may be found where others look.
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { ExecutionContext } from 'ava';
import { bash, run, runOk } from '../mount/child.js';
import { makeBucket, putByBoto3 } from '../mount/bucket.js';
import { isMounted, makeMountpoint, mountBucket, osirisfs } from '../mount/mounting.js';
import { makeDirectory, makeKeyFile, type KeyFile } from '../mount/temporary.js';
import { cephTest } from './ceph-test.js';

const contents = 'the contents of a secret file, 8d1f6a';

/** Everything that must not be seen, in each form that it could have. */
function secretsOf(keyFile: KeyFile): Map<string, string> {
  const s3Secret = process.env['AWS_SECRET_ACCESS_KEY'] ?? '';
  const bytes = Buffer.from(keyFile.keystring);
  return new Map([
    ['the keystring', keyFile.keystring],
    ['the customer key in base64', bytes.toString('base64')],
    ['the customer key in base64url', bytes.toString('base64url')],
    ['the customer key in hex', bytes.toString('hex')],
    ['the customer key as a list of numbers', [...bytes].join(',')],
    ['the S3 secret', s3Secret],
    ['the S3 secret, URL-encoded', encodeURIComponent(s3Secret)],
    ['the S3 secret in base64', Buffer.from(s3Secret).toString('base64')],
    ['contents', contents],
  ]);
}

function assertHidden(t: ExecutionContext, keyFile: KeyFile, place: string, text: string): void {
  for (const [what, secret] of secretsOf(keyFile)) {
    t.false(secret !== '' && text.toLowerCase().includes(secret.toLowerCase()), `${what} is in ${place}`);
  }
}

/** The command lines of all processes of this machine. */
async function commandLines(): Promise<string> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''));
  return (await Promise.all(lines)).join('\n').replaceAll('\0', ' ');
}

cephTest(
  'no command line and no line of the trace log holds a secret, whatever is done on the mount',
  async (t) => {
    const bucket = await makeBucket(t);
    const keyFile = await makeKeyFile(t);
    await putByBoto3(bucket, keyFile, 'own', 'under this key');
    await putByBoto3(bucket, await makeKeyFile(t), 'foreign', 'under another key');
    const mount = await mountBucket(t, { bucket, keyFile, logLevel: 'trace' });
    const script = `
cd "$1"; mkdir d; printf '%s' "$2" >d/file; printf '%s' "$2" >>d/file; cat d/file; mv d/file d/new; ln -s d/new link
chmod 600 d/new; touch -d 2001-01-01 d/new; setfattr -n user.note -v "$2" d/new; getfattr -d d/new; rm -r d; cat foreign`;
    // The last command fails: the object is under another key.
    const session = await run('bash', ['-c', script, 'bash', mount.directory, contents]);
    t.not(session.code, 0);
    const visible = (await commandLines()).replaceAll(contents, '');
    t.true(visible.includes(mount.directory), 'the mount is among the processes looked at');
    assertHidden(t, keyFile, 'a command line', visible);
    assertHidden(t, keyFile, 'the error text of a program', session.stderr);
    await mount.unmount();
    const log = await mount.log();
    t.true(log.includes('d/file'), 'the log tells of the files');
    assertHidden(t, keyFile, 'the log', log);
  },
);

cephTest('a mount in the background shows no secret on its command lines either', async (t) => {
  const bucket = await makeBucket(t);
  const keyFile = await makeKeyFile(t);
  const directory = await makeMountpoint(t);
  const logFile = path.join(await makeDirectory(t), 'log');
  t.teardown(async () => {
    if (await isMounted(directory)) await runOk('fusermount3', ['-uz', directory]);
  });
  const args = ['mount', bucket, directory, '--key-file', keyFile.path];
  const mount = await osirisfs([...args, '--log-file', logFile, '--log-level', 'trace']);
  t.is(mount.code, 0, mount.stderr);
  const visible = await commandLines();
  t.true(visible.includes(directory), 'the mount is among the processes looked at');
  assertHidden(t, keyFile, 'a command line', visible);
  await bash('cat "$1" >/dev/null', [logFile]);
  const umount = await osirisfs(['umount', directory]);
  t.is(umount.code, 0, umount.stderr);
  assertHidden(t, keyFile, 'the output', mount.stdout + mount.stderr + umount.stdout + umount.stderr);
  assertHidden(t, keyFile, 'the log', await readFile(logFile, 'utf8'));
});

cephTest('no error text of a mount that fails holds a secret', async (t) => {
  const bucket = await makeBucket(t);
  const keyFile = await makeKeyFile(t);
  await putByBoto3(bucket, await makeKeyFile(t), 'foreign', 'under another key');
  const directory = await makeMountpoint(t);
  const secret = process.env['AWS_SECRET_ACCESS_KEY'] ?? '';
  const failures: Record<string, { bucket?: string; env?: Record<string, string>; options?: string[] }> = {
    'another customer key': {},
    'no such bucket': { bucket: 'osirisfs-test-no-such-bucket' },
    'a wrong S3 secret': { env: { AWS_SECRET_ACCESS_KEY: secret.slice(0, -1) } },
    'an untrusted certificate': { env: { AWS_CA_BUNDLE: '', NODE_EXTRA_CA_CERTS: '' } },
    'nobody listens': { options: ['--endpoint', 'https://127.0.0.1:9'] },
  };
  for (const [reason, failure] of Object.entries(failures)) {
    const args = ['mount', failure.bucket ?? bucket, directory, '--key-file', keyFile.path, '--foreground'];
    const { code, stdout, stderr } = await osirisfs(
      [...args, '--log-level', 'trace', ...(failure.options ?? [])],
      failure.env === undefined ? {} : { env: failure.env },
    );
    t.is(code, 1, `${reason}: ${stderr}`);
    assertHidden(t, keyFile, `the error text for ${reason}`, stdout + stderr);
    if (failure.env?.['AWS_SECRET_ACCESS_KEY'] !== undefined) {
      t.false(`${stdout}${stderr}`.includes(failure.env['AWS_SECRET_ACCESS_KEY']));
    }
  }
});
