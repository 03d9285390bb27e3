// `osirisfs policy` as it is typed, and a mount of a bucket under the policy, on a gateway that behaves as Ceph 16.
import path from 'node:path';
import test from 'ava';
import { startGatewayProcess } from '../../gateway/running-gateway.js';
import { createBucket, withBoto3 } from '../../mount/bucket.js';
import { bash } from '../../mount/child.js';
import { mountBucket, osirisfs } from '../../mount/mounting.js';
import { makeDirectory, makeKeyFile } from '../../mount/temporary.js';

test.serial('the policy is set, shown and removed, and a mount writes under it', async (t) => {
  const { env } = await startGatewayProcess(t, path.join(await makeDirectory(t), 'gateway'));
  const bucket = await createBucket(env);
  const policy = (...args: readonly string[]) => osirisfs(['policy', ...args], { env });
  const none = await policy(bucket, 'show');
  t.is(none.code, 1);
  t.regex(none.stderr, /has no force-encryption policy of osirisfs, and no other\n$/);
  const enforced = await policy(bucket, 'enforce');
  t.is(enforced.code, 0, enforced.stderr);
  t.regex(enforced.stdout, /a plain PUT is denied, an SSE-C PUT passes \(both tried\)/);
  t.regex(enforced.stdout, /denies multipart uploads/);
  t.is((await policy(bucket, 'show')).code, 0);
  const plainPut = `answer = refused(s3.put_object, Bucket=bucket, Key='plain', Body=b'x')`;
  t.is(await withBoto3(plainPut, { bucket }, { env }), 403);

  const keyFile = await makeKeyFile(t);
  const mount = await mountBucket(t, { bucket, keyFile, env });
  await bash('echo kept > "$1/file"; sync "$1/file"', [mount.directory]);
  await mount.unmount();
  const script = `answer = s3.get_object(Bucket=bucket, Key='file', **key)['Body'].read().decode()`;
  t.is(await withBoto3(script, { bucket, keyFile }, { env }), 'kept\n');

  // The other writers send the header that the policy demands, too.
  const key = ['--key-file', keyFile.path];
  const put = await osirisfs(['put', keyFile.path, `${bucket}/put`, ...key], { env });
  t.is(put.code, 0, put.stderr);
  const doctor = await osirisfs(['doctor', bucket, '--write', ...key], { env });
  t.is(doctor.code, 0, doctor.stdout);
  t.regex(
    doctor.stdout,
    /^ok +writing +.* takes encrypted objects, with the header that its policy demands$/m,
  );
  t.regex(doctor.stdout, /^warning +multipart +denied under the policy of /m);

  t.is((await policy(bucket, 'remove')).code, 0);
  t.is((await policy(bucket, 'remove')).code, 1);
  t.is(await withBoto3(plainPut, { bucket }, { env }), null);
  for (const [args, code, line] of [
    [['no-such-bucket', 'enforce'], 1, /NoSuchBucket|no such bucket/],
    [[`${bucket}/prefix`, 'show'], 2, /^osirisfs: a policy is for a whole bucket/],
    [[bucket, 'explode'], 2, /^osirisfs: "explode" is not enforce, show or remove/],
    [[bucket], 2, /^osirisfs: arguments are missing/],
    [[bucket, 'show', '--endpoint', 'https://127.0.0.1:1'], 1, /cannot be reached/],
  ] as const) {
    const outcome = await policy(...args);
    t.is(outcome.code, code, outcome.stderr);
    t.regex(outcome.stderr, line);
    t.is(outcome.stderr.split('\n').length, 2);
  }
});
