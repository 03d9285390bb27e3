import test from 'ava';
import { ObjectInfoCache } from '../../src/vfs/object-info-cache.js';
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
  const settled = { ...info, toldAtMs: info.lastModifiedMs + 2000 };
  cache.set(settled);
  t.is(cache.get({ ...info, lastModifiedMs: info.lastModifiedMs + 999 }), settled);
});

test('what HEAD told within the second of its storing is confirmed by HEAD once, and then known by the time of listings', (t) => {
  const cache = new ObjectInfoCache(10);
  const listed = { ...info, lastModifiedMs: info.lastModifiedMs + 300 };
  for (const toldAtMs of [undefined, info.lastModifiedMs, info.lastModifiedMs + 1000]) {
    const told = { ...info, ...(toldAtMs !== undefined && { toldAtMs }) };
    cache.set(told);
    t.is(cache.get(listed), undefined);
    cache.set(told, listed);
    t.is(cache.get(listed), told);
    t.is(cache.get({ ...listed, lastModifiedMs: listed.lastModifiedMs + 1 }), undefined, 'stored once more');
  }
});

test('where listings tell whole seconds too, HEAD confirms when the second is over', (t) => {
  const cache = new ObjectInfoCache(10);
  for (const [ageMs, isKnown] of [
    [0, false],
    [1000, false],
    [2000, true],
  ] as const) {
    cache.set({ ...info, toldAtMs: info.lastModifiedMs + ageMs }, { ...info });
    t.is(cache.get({ ...info }) !== undefined, isKnown, `${ageMs} ms`);
  }
});

test('another version is not recognised, by its ETag, its size or its time', (t) => {
  const cache = new ObjectInfoCache(10);
  cache.set({ ...info, toldAtMs: info.lastModifiedMs + 2000 });
  t.is(cache.get({ ...info, etag: 'other' }), undefined);
  t.is(cache.get({ ...info, size: 4 }), undefined);
  t.is(cache.get({ ...info, lastModifiedMs: info.lastModifiedMs + 1000 }), undefined);
});

test('an object written here is known where it was listed here, and not taken for what the server lists', (t) => {
  const cache = new ObjectInfoCache(10);
  cache.setWritten(info);
  t.is(cache.get(info), info);
  for (const later of [1, 999, 2000, 60_000]) {
    t.is(cache.get({ ...info, lastModifiedMs: info.lastModifiedMs + later }), undefined);
  }
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
