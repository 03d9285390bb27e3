import test from 'ava';
import { BlockCache, blockOverheadBytes } from '../../src/cache/block-cache.js';

const first = { key: 'a', etag: '1', size: 1000 };
const second = { key: 'a', etag: '2', size: 1000 };
const other = { key: 'b', etag: '1', size: 1000 };

const blockBytes = 100;

/** A cache with room for so many blocks. */
function cacheOf(blockCount: number): BlockCache {
  return new BlockCache(blockCount * (blockBytes + blockOverheadBytes));
}

function block(fill: number): Uint8Array {
  return Buffer.allocUnsafeSlow(blockBytes).fill(fill);
}

test('the least recently used block goes first when the bytes run out', (t) => {
  const cache = cacheOf(2);
  cache.put(first, 0, block(0));
  cache.put(first, 1, block(1));
  cache.get(first, 0);
  cache.put(other, 0, block(2));
  cache.checkInvariants();
  t.deepEqual(cache.get(first, 0), block(0));
  t.false(cache.has(first, 1));
  t.deepEqual(cache.get(other, 0), block(2));
});

test('asking whether a block is there is no use of it', (t) => {
  const cache = cacheOf(2);
  cache.put(first, 0, block(0));
  cache.put(first, 1, block(1));
  t.true(cache.has(first, 0));
  cache.put(first, 2, block(2));
  t.false(cache.has(first, 0));
});

test('a block that is put twice counts once', (t) => {
  const cache = cacheOf(2);
  cache.put(first, 0, block(0));
  const { bytes } = cache;
  cache.put(first, 0, block(1));
  cache.checkInvariants();
  t.is(cache.bytes, bytes);
  t.deepEqual(cache.get(first, 0), block(1));
});

test('a block larger than the cache is not kept', (t) => {
  for (const maxBytes of [0, 1, blockBytes + blockOverheadBytes - 1]) {
    const cache = new BlockCache(maxBytes);
    cache.put(first, 0, block(0));
    cache.checkInvariants();
    t.false(cache.has(first, 0));
    t.is(cache.bytes, 0);
  }
});

test('versions of one key are kept apart', (t) => {
  const cache = cacheOf(10);
  cache.put(first, 0, block(1));
  t.false(cache.has(second, 0));
  cache.put(second, 0, block(2));
  t.deepEqual(cache.get(first, 0), block(1));
  t.deepEqual(cache.get(second, 0), block(2));
});

test('dropping a key drops all its versions and nothing else', (t) => {
  const cache = cacheOf(10);
  cache.put(first, 0, block(1));
  cache.put(second, 0, block(2));
  cache.put(other, 0, block(3));
  cache.drop('a');
  cache.checkInvariants();
  t.false(cache.has(first, 0));
  t.false(cache.has(second, 0));
  t.true(cache.has(other, 0));
});

test('relabelled blocks belong to the new version and keep their place in the order', (t) => {
  const cache = cacheOf(2);
  cache.put(first, 0, block(1));
  cache.put(second, 0, block(2));
  cache.relabel(first, other);
  cache.checkInvariants();
  t.false(cache.has(first, 0));
  t.true(cache.has(other, 0));
  cache.put(second, 1, block(3));
  t.false(cache.has(other, 0));
  cache.checkInvariants();
});

test('relabelling to a version that has blocks already joins them', (t) => {
  const cache = cacheOf(10);
  cache.put(first, 0, block(1));
  cache.put(first, 1, block(2));
  cache.put(other, 1, block(2));
  cache.put(other, 2, block(3));
  cache.relabel(first, other);
  cache.checkInvariants();
  t.deepEqual(
    [cache.get(other, 0), cache.get(other, 1), cache.get(other, 2)],
    [block(1), block(2), block(3)],
  );
  cache.drop('b');
  cache.checkInvariants();
  t.is(cache.bytes, 0);
});

test('relabelling to another size keeps nothing, and to itself everything', (t) => {
  const cache = cacheOf(10);
  cache.put(first, 0, block(1));
  cache.relabel(first, first);
  t.true(cache.has(first, 0));
  cache.relabel(first, { ...other, size: 999 });
  cache.checkInvariants();
  t.is(cache.bytes, 0);
});
