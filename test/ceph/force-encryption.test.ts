// Work on a bucket under the force-encryption policy: where Ceph 16 denies every multipart upload, and where Ceph 18 denies every write.
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { startGatewayProcess } from '../gateway/running-gateway.js';
import { createBucket, makeBucket, withBoto3 } from '../mount/bucket.js';
import { bash, run, runOk, waitUntil } from '../mount/child.js';
import { makeRandomFile } from '../mount/local-tree.js';
import { mountBucket, osirisfs } from '../mount/mounting.js';
import { serverUnderTest } from '../mount/server.js';
import { makeDirectory, makeKeyFile, type Scope } from '../mount/temporary.js';
import { patienceMs } from '../patience.js';
import { cephTest, mebibyte } from './ceph-test.js';

const hasForm = serverUnderTest.rules !== 'ceph18';

/** A server of whose policies no form lets encrypted objects through: this one, or a gateway of the test's own. */
async function makeStrictPlace(t: Scope) {
  if (!hasForm) return { env: {}, bucket: await makeBucket(t) };
  const directory = path.join(await makeDirectory(t), 'gateway');
  const { env } = await startGatewayProcess(t, directory, ['--flavor', 'ceph18']);
  return { env, bucket: await createBucket(env) };
}

const formOfCeph16 = `
statement = {'Sid': 'OsirisfsForceEncryption', 'Effect': 'Deny', 'Principal': '*', 'Action': 's3:PutObject',
             'Resource': 'arn:aws:s3:::%s/*' % bucket, 'Condition': {'Null': {'s3:x-amz-server-side-encryption': 'true'}}}
s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({'Version': '2012-10-17', 'Statement': [statement]}))`;

cephTest(
  'where no form of the policy lets encrypted objects through, it is not set, and says so',
  async (t) => {
    const { env, bucket } = await makeStrictPlace(t);
    const { code, stderr } = await osirisfs(['policy', bucket, 'enforce'], { env });
    t.is(code, 1);
    t.regex(stderr, /no form of the policy works on this server, and the bucket has its former policy again/);
    const policy = `answer = refused(lambda: s3.get_bucket_policy(Bucket=bucket))`;
    t.is(await withBoto3(policy, { bucket }, { env }), 404);
  },
);

cephTest(
  'what is written under a policy that the server itself makes impossible waits, is told of, and is stored when it is removed',
  async (t) => {
    const { env, bucket } = await makeStrictPlace(t);
    const keyFile = await makeKeyFile(t);
    await withBoto3(formOfCeph16, { bucket }, { env });
    const local = path.join(await makeDirectory(t), 'file');
    await writeFile(local, 'content');
    const mount = await mountBucket(t, { bucket, keyFile, env });
    const written = path.join(mount.directory, 'file');
    const copy = await run('cp', [local, written]);
    t.is(copy.code, 1);
    t.regex(copy.stderr, /Input\/output error/);
    t.regex(
      await mount.log(),
      /the server refuses x-amz-server-side-encryption beside a customer key, .* remove the policy/,
    );
    const removed = await osirisfs(['policy', bucket, 'remove'], { env });
    t.is(removed.code, 0, removed.stderr);
    await waitUntil('stored', patienceMs, async () => (await run('sync', [written])).code === 0);
    await mount.unmount();
    const read = `answer = s3.get_object(Bucket=bucket, Key='file', **key)['Body'].read().decode()`;
    t.is(await withBoto3(read, { bucket, keyFile }, { env }), 'content');
  },
);

if (hasForm)
  cephTest(
    'files of any size are written, changed, renamed and sent where multipart uploads are denied',
    async (t) => {
      const bucket = await makeBucket(t);
      const keyFile = await makeKeyFile(t);
      const command = (...args: readonly string[]) => osirisfs(args, { timeoutMs: 300_000 });
      const enforced = await command('policy', bucket, 'enforce');
      t.is(enforced.code, 0, enforced.stderr);

      const local = await makeDirectory(t);
      // One PUT, a planned upload, and one that is streamed while it is written.
      const sizes = { small: 1000, middle: 20 * mebibyte, large: 48 * mebibyte };
      for (const [name, size] of Object.entries(sizes)) await makeRandomFile(path.join(local, name), size);
      const mount = await mountBucket(t, { bucket, keyFile });
      await bash('cp "$1"/* "$2"', [local, mount.directory], { timeoutMs: 300_000 });
      const change =
        'cd "$1"; printf x >>large; printf y | dd of=middle bs=1 seek=9000000 conv=notrunc status=none; mv large moved; chmod 600 small moved';
      for (const directory of [local, mount.directory])
        await bash(change, [directory], { timeoutMs: 300_000 });
      await runOk('rsync', ['-a', path.join(local, 'middle'), path.join(mount.directory, 'synced')], {
        timeoutMs: 300_000,
      });
      await mount.unmount();

      const sent = await command(
        'put',
        path.join(local, 'moved'),
        `${bucket}/sent`,
        '--key-file',
        keyFile.path,
      );
      t.is(sent.code, 0, sent.stderr);
      const second = await makeKeyFile(t);
      const rekeyed = await command('rekey', bucket, '--from', keyFile.path, '--to', second.path);
      t.is(rekeyed.code, 0, rekeyed.stderr);

      const again = await mountBucket(t, { bucket, keyFile: second });
      for (const [here, there] of [
        ['small', 'small'],
        ['middle', 'middle'],
        ['middle', 'synced'],
        ['moved', 'moved'],
        ['moved', 'sent/moved'],
      ] as const) {
        await runOk('cmp', [path.join(local, here), path.join(again.directory, there)], {
          timeoutMs: 300_000,
        });
      }
      await again.unmount();
      const uploads = `answer = len(s3.list_multipart_uploads(Bucket=bucket).get('Uploads', []))`;
      t.is(await withBoto3(uploads, { bucket }), 0);
    },
  );
