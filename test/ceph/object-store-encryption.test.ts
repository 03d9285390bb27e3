import { createHash, randomBytes } from 'node:crypto';
import { GetObjectCommand, PutBucketPolicyCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import test from 'ava';
import { CustomerKey } from '../../src/keys/customer-key.js';
import { KeyRing } from '../../src/keys/key-ring.js';
import { checkBucket } from '../../src/s3/check-bucket.js';
import type { S3ObjectStore } from '../../src/s3/s3-object-store.js';
import { noHeaders, rejects } from '../s3/fake-replies.js';
import {
  cephTest,
  connectAs,
  makeTestBucket,
  silentLog,
  type TestBucket,
  wantsCeph,
} from './connect-to-ceph.js';
import { serverUnderTest } from '../mount/server.js';
import { whole } from '../object-store/whole.js';
import { joinPieces } from '../../src/object-store.js';

const never = new AbortController().signal;
const otherKey = new CustomerKey(randomBytes(32));

let place: TestBucket;

if (wantsCeph) {
  test.before(async () => {
    place = await makeTestBucket('s3-encryption');
  });
  test.after.always(() => place.remove());
}

async function putPlain(key: string, content: Buffer): Promise<void> {
  const { connection, bucket } = place;
  await connection.client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: content }));
}

function check(
  store: S3ObjectStore,
  options: { readonly bucket?: string; readonly prefix?: string; readonly customerKey?: CustomerKey } = {},
) {
  const { customerKey, ...where } = options;
  const keyRing = new KeyRing(customerKey ?? place.customerKey);
  const subject = {
    bucket: place.bucket,
    endpoint: place.connection.endpoint,
    prefix: '',
    ...where,
    keyRing,
  };
  return checkBucket({ store, log: silentLog, ...subject }, never);
}

cephTest('what the store writes cannot be read without the customer key', async (t) => {
  const store = place.makeStore();
  const { connection, bucket } = place;
  await store.put(
    { key: 'secret/put', body: [Buffer.from('secret')], headers: noHeaders, condition: {} },
    never,
  );
  const source = await store.head('secret/put', never);
  await store.copy({ source, targetKey: 'secret/copied', headers: noHeaders, condition: {} }, never);
  const uploadId = await store.createUpload({ key: 'secret/uploaded', headers: noHeaders }, never);
  const part = await store.uploadPart(
    { key: 'secret/uploaded', uploadId, partNumber: 1, body: [Buffer.from('secret')] },
    never,
  );
  await store.completeUpload({ key: 'secret/uploaded', uploadId, parts: [part], condition: {} }, never);
  for (const Key of ['secret/put', 'secret/copied', 'secret/uploaded']) {
    const read = connection.client.send(new GetObjectCommand({ Bucket: bucket, Key }));
    await t.throwsAsync(read, { name: 'InvalidArgument' }, Key);
  }
});

cephTest('an object under another customer key is a WrongCustomerKey, to read and to copy', async (t) => {
  await place
    .makeStore()
    .put({ key: 'other/file', body: [randomBytes(1000)], headers: noHeaders, condition: {} }, never);
  const source = await place.makeStore().head('other/file', never);
  const store = place.makeStore({ customerKey: otherKey });
  const error = await rejects(t, 'WrongCustomerKey', store.head('other/file', never));
  t.true(error.message.includes(otherKey.fingerprint));
  await rejects(t, 'WrongCustomerKey', store.get({ key: 'other/file', ...whole }, never));
  await rejects(
    t,
    'WrongCustomerKey',
    store.get({ key: 'other/file', range: { offset: 0, length: 1 } }, never),
  );
  await rejects(
    t,
    'WrongCustomerKey',
    store.copy({ source, targetKey: 'other/copy', headers: noHeaders, condition: {} }, never),
  );
  const uploadId = await store.createUpload({ key: 'other/copy', headers: noHeaders }, never);
  const copyPart = store.uploadPartCopy(
    { key: 'other/copy', uploadId, partNumber: 1, source: { key: 'other/file', ifMatch: source.etag } },
    never,
  );
  await rejects(t, 'WrongCustomerKey', copyPart);
  await store.abortUpload({ key: 'other/copy', uploadId }, never);
});

cephTest('an unencrypted object is read or refused, as the policy says', async (t) => {
  await putPlain('plain/file', Buffer.from('in the clear'));
  const { info, pieces } = await place.makeStore().get({ key: 'plain/file', ...whole }, never);
  const bytes = joinPieces(pieces);
  t.false(info.isEncrypted);
  t.is(Buffer.from(bytes).toString(), 'in the clear');
  const strict = place.makeStore({ plaintext: 'refuse' });
  t.false((await strict.head('plain/file', never)).isEncrypted);
  await rejects(t, 'PlaintextRefused', strict.get({ key: 'plain/file', ...whole }, never));
});

cephTest('a copy of an unencrypted object is encrypted', async (t) => {
  const store = place.makeStore();
  for (const size of [0, 1000, 700_000]) {
    const content = randomBytes(size);
    await putPlain(`plain/source${size}`, content);
    const source = await store.head(`plain/source${size}`, never);
    t.false(source.isEncrypted);
    for (const target of [`plain/target${size}`, source.key]) {
      await store.copy(
        { source, targetKey: target, headers: { metadata: { mode: '33188' } }, condition: {} },
        never,
      );
      const { info, pieces } = await store.get({ key: target, ...whole }, never);
      const bytes = joinPieces(pieces);
      t.true(info.isEncrypted, `${target}, ${size} bytes`);
      t.true(content.equals(bytes));
    }
  }
});

cephTest('an object of several copy parts is copied whole', async (t) => {
  const store = place.makeStore();
  const size = 130 * 1024 * 1024 + 7;
  const content = randomBytes(size);
  await store.put({ key: 'large/source', body: [content], headers: noHeaders, condition: {} }, never);
  await store.copy(
    {
      source: await store.head('large/source', never),
      targetKey: 'large/target',
      headers: noHeaders,
      condition: {},
    },
    never,
  );
  const { info, pieces } = await store.get({ key: 'large/target', ...whole }, never);
  const bytes = joinPieces(pieces);
  t.true(info.etag.endsWith('-3'));
  const md5 = (data: Uint8Array) => createHash('md5').update(data).digest('hex');
  t.is(md5(bytes), md5(content));
});

cephTest('a bucket is checked with the key that its objects need', async (t) => {
  const store = place.makeStore();
  for (const name of ['a', 'b', 'c'])
    await store.put(
      { key: `check/${name}`, body: [Buffer.from('x')], headers: noHeaders, condition: {} },
      never,
    );
  await putPlain('check/plain', Buffer.from('x'));
  t.deepEqual(await check(store, { prefix: 'check/' }), {
    sampled: 4,
    encrypted: 3,
    plaintext: 1,
    otherKey: 0,
  });
  const other = place.makeStore({ customerKey: otherKey });
  const error = await rejects(
    t,
    'WrongCustomerKey',
    check(other, { prefix: 'check/', customerKey: otherKey }),
  );
  t.true(error.message.includes(otherKey.fingerprint));
});

cephTest('a bucket that is not there and credentials that are wrong are told apart', async (t) => {
  const bucket = 's3-no-such-bucket';
  const missing = await rejects(t, 'NoSuchBucket', check(place.makeStore({ bucket }), { bucket }));
  t.regex(missing.message, /^there is no bucket "s3-no-such-bucket" at /);
  const own = await place.connection.client.config.credentials();
  for (const [credentials, message] of [
    [{ ...own, accessKeyId: 'NOBODY' }, /does not know the access key/],
    [{ ...own, secretAccessKey: 'wrong' }, /check AWS_SECRET_ACCESS_KEY/],
  ] as const) {
    const access = await connectAs(credentials);
    t.teardown(() => access.close());
    const error = await rejects(t, 'AccessDenied', check(place.makeStore({ access })));
    t.regex(error.message, message);
  }
});

// Alone, since the policy is for the bucket as a whole.
cephTest.serial('where a policy demands it, the extra encryption header lets writes through', async (t) => {
  const strict = await makeTestBucket('s3-policy');
  t.teardown(() => strict.remove());
  const statement = {
    Effect: 'Deny',
    Principal: '*',
    Action: 's3:PutObject',
    Resource: `arn:aws:s3:::${strict.bucket}/*`,
    Condition: { Null: { 's3:x-amz-server-side-encryption': 'true' } },
  };
  const Policy = JSON.stringify({ Version: '2012-10-17', Statement: [statement] });
  await strict.connection.client.send(new PutBucketPolicyCommand({ Bucket: strict.bucket, Policy }));
  const put = (store: S3ObjectStore, size: number) =>
    store.put(
      { key: 'file', body: [Buffer.alloc(size), Buffer.alloc(size)], headers: noHeaders, condition: {} },
      never,
    );
  for (const size of [1, 16 * 1024 * 1024]) await rejects(t, 'AccessDenied', put(strict.makeStore(), size));
  const store = strict.makeStore({ extraEncryptionHeader: true });
  if (serverUnderTest.rules === 'ceph18') {
    const { message } = await rejects(t, 'InvalidRequest', put(store, 1));
    t.regex(message, /can't do sse-c/);
    return;
  }
  await put(store, 1);
  t.true((await store.head('file', never)).isEncrypted);
});
