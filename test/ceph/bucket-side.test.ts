// The harness itself: what tests believe of the bucket they believe because of these.
import { bash } from '../mount/child.js';
import { getByBoto3, keysInBucket, makeBucket, putByBoto3, withBoto3 } from '../mount/bucket.js';
import { makeKeyFile } from '../mount/temporary.js';
import { ordinaryUser } from '../mount/user.js';
import { cephTest } from './ceph-test.js';

cephTest('boto3 reads with the key what it wrote, and is refused without it and with another', async (t) => {
  const bucket = await makeBucket(t);
  const keyFile = await makeKeyFile(t);
  const other = await makeKeyFile(t);
  await putByBoto3(bucket, keyFile, 'folder/text ü', 'hello');
  t.is(await getByBoto3(bucket, keyFile, 'folder/text ü'), 'hello');
  t.deepEqual(await keysInBucket(bucket), ['folder/text ü']);
  const refusal = `answer = refused(s3.get_object, Bucket=bucket, Key='folder/text ü', **key)`;
  t.is(await withBoto3(refusal, { bucket }), 400);
  t.is(await withBoto3(refusal, { bucket, keyFile: other }), 400);
  t.is(await withBoto3(refusal, { bucket, keyFile }), null);
});

cephTest('the ordinary user is not root and can read the program', async (t) => {
  const user = await ordinaryUser(t);
  t.not((await bash('id -u', [], { user })).trim(), '0');
  await bash('test -r "$1/dist/src/errors.js" && node -e 0', [user.programRoot], { user, cwd: '/' });
  await t.throwsAsync(bash('echo x >"$1/new"', [user.programRoot], { user, cwd: '/' }));
});
