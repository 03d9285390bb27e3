import test from 'ava';
import { BlockCache } from '../../src/cache/block-cache.js';
import { BlockMemory, blockOverheadBytes } from '../../src/cache/block-memory.js';

const first = { key: 'a', etag: '1', size: 1000 };
const second = { key: 'a', etag: '2', size: 1000 };
const other = { key: 'b', etag: '1', size: 1000 };

const blockBytes = 100;

/** Room for so many blocks. */
function memoryOf(blockCount: number): BlockMemory {
  return new BlockMemory(blockCount * (blockBytes + blockOverheadBytes));
}

function cacheOf(blockCount: number): BlockCache {
  return new BlockCache(memoryOf(blockCount));
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
  const memory = memoryOf(2);
  const cache = new BlockCache(memory);
  cache.put(first, 0, block(0));
  const { bytes } = memory;
  cache.put(first, 0, block(1));
  cache.checkInvariants();
  t.is(memory.bytes, bytes);
  t.deepEqual(cache.get(first, 0), block(1));
});

test('a block larger than the cache is not kept', (t) => {
  for (const maxBytes of [0, 1, blockBytes + blockOverheadBytes - 1]) {
    const memory = new BlockMemory(maxBytes);
    const cache = new BlockCache(memory);
    cache.put(first, 0, block(0));
    cache.checkInvariants();
    t.false(cache.has(first, 0));
    t.is(memory.bytes, 0);
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
  const memory = memoryOf(10);
  const cache = new BlockCache(memory);
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
  t.is(memory.bytes, 0);
});

test('relabelling to another size keeps nothing, and to itself everything', (t) => {
  const memory = memoryOf(10);
  const cache = new BlockCache(memory);
  cache.put(first, 0, block(1));
  cache.relabel(first, first);
  t.true(cache.has(first, 0));
  cache.relabel(first, { ...other, size: 999 });
  cache.checkInvariants();
  t.is(memory.bytes, 0);
});

test('caches that share a memory push out each other’s oldest blocks, and are emptied by themselves', (t) => {
  const memory = memoryOf(2);
  const [one, two] = [new BlockCache(memory), new BlockCache(memory)];
  one.put(first, 0, block(1));
  two.put(first, 0, block(2));
  t.deepEqual(one.get(first, 0), block(1));
  two.put(first, 1, block(3));
  t.false(two.has(first, 0));
  t.true(one.has(first, 0));
  one.checkInvariants();
  two.checkInvariants();
  two.clear();
  one.checkInvariants();
  two.checkInvariants();
  t.true(one.has(first, 0));
  one.clear();
  t.is(memory.bytes, 0);
});
