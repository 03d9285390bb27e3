import test from 'ava';
import { ObjectInfoCache } from '../../src/cache/object-info-cache.js';
import type { ObjectInfo } from '../../src/object-store.js';

const info: ObjectInfo = {
  key: 'k',
  etag: 'e',
  size: 3,
  lastModifiedMs: 1_700_000_000_000,
  metadata: { mode: '33188' },
  contentType: undefined,
  isEncrypted: true,
};

test('the version that a listing shows is recognised though HEAD tells whole seconds only', (t) => {
  const cache = new ObjectInfoCache(10);
  cache.set(info);
  t.is(cache.get({ ...info, lastModifiedMs: info.lastModifiedMs + 999 }), info);
});

test('another version is not recognised, by its ETag, its size or its time', (t) => {
  const cache = new ObjectInfoCache(10);
  cache.set(info);
  t.is(cache.get({ ...info, etag: 'other' }), undefined);
  t.is(cache.get({ ...info, size: 4 }), undefined);
  t.is(cache.get({ ...info, lastModifiedMs: info.lastModifiedMs + 1000 }), undefined);
});

test('an object written here is recognised by the first listing that shows it, and then by its time', (t) => {
  const cache = new ObjectInfoCache(10);
  cache.setWritten(info);
  const listed = { ...info, lastModifiedMs: info.lastModifiedMs + 2000 };
  t.is(cache.get(listed)?.lastModifiedMs, listed.lastModifiedMs);
  t.truthy(cache.get(listed));
  t.is(cache.get({ ...info, lastModifiedMs: info.lastModifiedMs + 4000 }), undefined);
});

test('an object written here is not taken for one of the same bytes that somebody stored later', (t) => {
  const cache = new ObjectInfoCache(10);
  cache.setWritten(info);
  t.is(cache.get({ ...info, lastModifiedMs: info.lastModifiedMs + 60_000 }), undefined);
});

test('the number of remembered objects is limited', (t) => {
  const cache = new ObjectInfoCache(2);
  for (const key of ['a', 'b', 'c']) cache.set({ ...info, key });
  t.is(cache.size, 2);
  t.is(cache.get({ ...info, key: 'a' }), undefined);
});

test('caches of two buckets share their room, and do not take each other’s objects for theirs', (t) => {
  const one = new ObjectInfoCache(2, 'one/');
  const two = new ObjectInfoCache(one, 'two/');
  one.set(info);
  t.is(two.get(info), undefined);
  two.set({ ...info, metadata: {} });
  two.delete('other');
  t.is(one.get(info), info);
  two.set({ ...info, key: 'a' });
  t.is(one.size, 2);
  t.is(two.get(info), undefined);
  one.delete('k');
  t.is(one.size, 1);
});
