import test from 'ava';
import { listEntries, listObjects } from '../../src/transfer/object-listing.js';
import { MemoryObjectStore } from '../object-store/memory-object-store.js';

const never = new AbortController().signal;

async function keysOf(store: MemoryObjectStore, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of listObjects(store, prefix, never)) keys.push(key);
  return keys;
}

test('a listing of several pages is complete and in order', async (t) => {
  const store = new MemoryObjectStore();
  const names = Array.from({ length: 2500 }, (_, index) => `dir/${String(index).padStart(4, '0')}`);
  for (const name of names) store.putForeign(name, 'x');
  store.putForeign('other', 'x');
  t.deepEqual(await keysOf(store, 'dir/'), names);
});

test('an object of the name itself comes first, one that only begins like it does not come', async (t) => {
  const store = new MemoryObjectStore();
  for (const key of ['a', 'a/b', 'ab', 'a-b']) store.putForeign(key, 'x');
  t.deepEqual(await keysOf(store, 'a/'), ['a', 'a/b']);
  t.deepEqual(await keysOf(store, 'a-/'), []);
});

test('without recursion what is deeper is one prefix', async (t) => {
  const store = new MemoryObjectStore();
  for (const key of ['a/b', 'a/c', 'd']) store.putForeign(key, 'x');
  const names: string[] = [];
  for await (const entry of listEntries(store, '', { isRecursive: false }, never)) {
    names.push(entry.object?.key ?? (entry as { prefix: string }).prefix);
  }
  t.deepEqual(names, ['a/', 'd']);
});
