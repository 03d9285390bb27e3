import test from 'ava';
import { RetryPolicy } from '../../src/s3/retry-policy.js';
import { RetryingObjectStore } from '../../src/s3/retrying-object-store.js';
import { serverUnderTest } from '../mount/server.js';
import { objectStoreSuite } from '../object-store/object-store-suite.js';
import { cephTest, makeTestBucket, silentLog, type TestBucket, wantsCeph } from './connect-to-ceph.js';

let place: TestBucket;
let count = 0;

if (wantsCeph) {
  test.before(async () => {
    place = await makeTestBucket('s3-suite');
  });
  test.after.always(() => place.remove());
}

objectStoreSuite(cephTest, `on ${serverUnderTest.title}`, () => ({
  store: place.makeStore(),
  prefix: `plain-${++count}/`,
}));

objectStoreSuite(cephTest, `on ${serverUnderTest.title} with retries`, () => {
  const policy = new RetryPolicy({ log: silentLog });
  const store = new RetryingObjectStore(place.makeStore({ copyRetry: policy }), policy);
  return { store, prefix: `retrying-${++count}/` };
});
