import test from 'ava';
import { VersionMap } from '../../src/cache/version-map.js';

const version = { key: 'a', etag: '1', size: 5 };

test('a version is found by key, ETag and size together', (t) => {
  const map = new VersionMap<string>();
  map.set(version, 'x');
  t.is(map.get({ ...version }), 'x');
  t.is(map.get({ ...version, key: 'b' }), undefined);
  t.is(map.get({ ...version, etag: '2' }), undefined);
  t.is(map.get({ ...version, size: 6 }), undefined);
});

test('all versions of a key are found by the key', (t) => {
  const map = new VersionMap<string>();
  map.set(version, 'x');
  map.set({ ...version, etag: '2' }, 'y');
  map.set({ ...version, key: 'b' }, 'z');
  t.deepEqual(map.ofKey('a'), ['x', 'y']);
  t.deepEqual(map.ofKey('c'), []);
});

test('deleting another value than the one of this version does nothing', (t) => {
  const map = new VersionMap<string>();
  map.set(version, 'x');
  map.delete(version, 'y');
  t.is(map.get(version), 'x');
  map.delete(version, 'x');
  t.deepEqual([...map.entries()], []);
});
