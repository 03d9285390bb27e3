import { PutBucketVersioningCommand } from '@aws-sdk/client-s3';
import test from 'ava';
import { RetryPolicy } from '../../src/s3/retry-policy.js';
import { RetryingObjectStore } from '../../src/s3/retrying-object-store.js';
import { serverUnderTest } from '../mount/server.js';
import { objectStoreSuite } from '../object-store/object-store-suite.js';
import { objectTagsTest } from '../object-store/object-tags.js';
import { cephTest, makeTestBucket, silentLog, type TestBucket, wantsCeph } from './connect-to-ceph.js';

const canKeepVersions = serverUnderTest.versioning === 'OK';
let place: TestBucket;
let versioned: TestBucket | undefined;
let count = 0;

if (wantsCeph) {
  test.before(async () => {
    place = await makeTestBucket('s3-suite');
    if (canKeepVersions) versioned = await makeVersionedBucket();
  });
  test.after.always(async () => {
    await place.remove();
    await versioned?.remove();
  });
}

objectStoreSuite(cephTest, `on ${serverUnderTest.title}`, () => ({
  store: place.makeStore(),
  prefix: `plain-${++count}/`,
}));

objectTagsTest(cephTest, `on ${serverUnderTest.title}`, () => ({
  store: place.makeStore(),
  client: place.connection.client,
  bucket: place.bucket,
  prefix: `tags-${++count}/`,
}));

objectStoreSuite(cephTest, `on ${serverUnderTest.title} with retries`, () => {
  const policy = new RetryPolicy({ maxElapsedMs: 60_000, log: silentLog });
  const store = new RetryingObjectStore(place.makeStore({ copyRetry: policy }), policy);
  return { store, prefix: `retrying-${++count}/` };
});

if (canKeepVersions) {
  objectStoreSuite(cephTest, `on ${serverUnderTest.title} in a bucket that keeps versions`, () => {
    if (!versioned) throw new Error('the bucket was not made');
    return { store: versioned.makeStore({ keepsVersions: true }), prefix: `versioned-${++count}/` };
  });
}

async function makeVersionedBucket(): Promise<TestBucket> {
  const made = await makeTestBucket('s3-versions');
  const VersioningConfiguration = { Status: 'Enabled' as const };
  await made.connection.client.send(
    new PutBucketVersioningCommand({ Bucket: made.bucket, VersioningConfiguration }),
  );
  return made;
}
