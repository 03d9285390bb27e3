import test, { type ExecutionContext } from 'ava';
import { StoreError } from '../../src/errors.js';
import type { ObjectInfo } from '../../src/object-store.js';
import { PrefixMove } from '../../src/vfs/prefix-move.js';
import { makeParts, signal } from './file-system-parts.js';

const prefixes = { oldPrefix: 'd/', newPrefix: 'e/' };

/** A directory `d/` with a marker and two files. */
function makeMove(t: ExecutionContext) {
  const parts = makeParts(t);
  const { store, clock } = parts;
  store.putForeign('d/', '', { metadata: { mode: String(0o40700) } });
  store.putForeign('d/f', 'content of f', { metadata: { title: 'f' }, contentType: 'text/plain' });
  store.putForeign('d/sub/g', 'content of g');
  clock.advance(5000);
  return {
    ...parts,
    makeAnother: () => new PrefixMove(parts, prefixes, signal),
    move: new PrefixMove(parts, prefixes, signal),
    keys: () => [...store.objects.keys()].sort(),
    contentOf: (key: string) => store.contentOf(key)?.toString(),
    /** As `DirectoryRenamer` stores it. */
    putMarker: async (move: PrefixMove): Promise<ObjectInfo> => {
      store.putForeign('e/', '', { metadata: { note: 'of the rename' } });
      const marker = await store.head('e/', signal);
      move.noteMarker(marker);
      return marker;
    },
  };
}

const nobody = () => {
  throw new Error('nobody else has stored anything');
};

test('every object but the marker is copied with its headers, and then the sources go, marker included', async (t) => {
  const { move, store, keys, contentOf } = makeMove(t);
  await move.copyAll();
  t.deepEqual(keys(), ['d/', 'd/f', 'd/sub/g', 'e/f', 'e/sub/g']);
  t.like(store.objects.get('e/f')?.info, { metadata: { title: 'f' }, contentType: 'text/plain' });
  t.like(move.copyOf('d/f'), { size: 12, toEtag: store.objects.get('e/f')?.info.etag });
  t.is(move.copyOf('d/other'), undefined);
  await move.removeSources(nobody);
  t.deepEqual(keys(), ['e/f', 'e/sub/g']);
  t.is(contentOf('e/sub/g'), 'content of g');
});

test('more objects than a listing has on one page are moved', async (t) => {
  const { move, store, keys } = makeMove(t);
  for (let i = 0; i < 1001; i += 1) store.putForeign(`d/n${i}`, 'x');
  await move.copyAll();
  await move.removeSources(nobody);
  t.is(keys().filter((key) => key.startsWith('e/')).length, 1003);
  t.is(keys().filter((key) => key.startsWith('d/')).length, 0);
});

test('an object that another client has under the new name is not replaced', async (t) => {
  const { move, store, contentOf } = makeMove(t);
  store.putForeign('e/f', 'theirs');
  await t.throwsAsync(move.copyAll(), { code: 'EEXIST' } as never);
  t.is(contentOf('e/f'), 'theirs');
  await move.undo(undefined);
  t.is(contentOf('e/f'), 'theirs');
  t.is(contentOf('d/f'), 'content of f');
});

test('an object that another client replaces while it is copied is copied as it is then', async (t) => {
  const { move, store, contentOf } = makeMove(t);
  store.beforeRequest = (method, key) => {
    if (method !== 'copy' || key !== 'd/f') return;
    store.beforeRequest = () => undefined;
    store.putForeign('d/f', 'theirs');
  };
  await move.copyAll();
  t.is(contentOf('e/f'), 'theirs');
  t.is(move.copyOf('d/f')?.etag, store.objects.get('d/f')?.info.etag);
});

test('an object that another client removes while it is copied is left out', async (t) => {
  const { move, store, keys } = makeMove(t);
  store.beforeRequest = (method, key) => {
    if (method === 'copy' && key === 'd/f') store.objects.delete('d/f');
  };
  await move.copyAll();
  t.is(move.copyOf('d/f'), undefined);
  await move.removeSources(nobody);
  t.deepEqual(keys(), ['e/sub/g']);
});

test('an object that changes at every try is given up', async (t) => {
  const { move, store } = makeMove(t);
  let changes = 0;
  store.beforeRequest = (method, key) => {
    if (method === 'copy' && key === 'd/f') store.putForeign('d/f', `change ${changes++}`);
  };
  await t.throwsAsync(move.copyAll(), { code: 'EBUSY' } as never);
  t.is(changes, 10);
});

test('what another client stores under the old name after the copy is moved as well, and told of', async (t) => {
  const { move, store, clock, keys, contentOf } = makeMove(t);
  await move.copyAll();
  clock.advance(5000);
  store.putForeign('d/f', 'changed');
  store.putForeign('d/new', 'new');
  store.putForeign('d/sub/g', 'content of g', { metadata: { title: 'changed' } });
  const told: string[] = [];
  await move.removeSources((objects) => told.push(...objects.map(({ key }) => key)));
  t.deepEqual(told, ['d/f', 'd/new', 'd/sub/g']);
  t.deepEqual(keys(), ['e/f', 'e/new', 'e/sub/g']);
  t.is(contentOf('e/f'), 'changed');
  t.deepEqual(store.objects.get('e/sub/g')?.info.metadata, { title: 'changed' }, 'of the same bytes');
});

test('what another client stores under both names after the copy stays under both', async (t) => {
  const { move, store, clock, contentOf } = makeMove(t);
  await move.copyAll();
  clock.advance(5000);
  store.putForeign('d/f', 'changed');
  store.putForeign('e/f', 'theirs');
  await t.throwsAsync(
    move.removeSources(() => undefined),
    { code: 'EEXIST' } as never,
  );
  t.is(contentOf('e/f'), 'theirs');
  t.is(contentOf('d/f'), 'changed');
});

test('sources that cannot be deleted are told of', async (t) => {
  const { move, store } = makeMove(t);
  await move.copyAll();
  const refused = new StoreError('AccessDenied', 'refused');
  store.deleteMany = (keys) => Promise.resolve(keys.map((key) => ({ key, error: refused })));
  const error = await t.throwsAsync(move.removeSources(nobody), { code: 'EIO' } as never);
  t.is(error.cause, refused);
});

test('a key that gets too long is ENAMETOOLONG', async (t) => {
  const parts = makeMove(t);
  parts.store.putForeign(`d/${'n'.repeat(250)}/${'n'.repeat(250)}`, 'x');
  const newPrefix = `${'e'.repeat(200)}/`.repeat(4);
  const move = new PrefixMove(parts, { oldPrefix: 'd/', newPrefix }, signal);
  await t.throwsAsync(move.copyAll(), { code: 'ENAMETOOLONG' } as never);
});

test('a move that goes on copies what was not copied, and what was changed under the old name since', async (t) => {
  const { move, makeAnother, store, clock, contentOf, keys } = makeMove(t);
  await move.copyAll();
  clock.advance(5000);
  store.putForeign('d/f', 'changed since');
  store.putForeign('e/sub/g', 'changed under the new name');
  store.putForeign('d/new', 'new');
  clock.advance(5000);
  const again = makeAnother();
  await again.resume();
  store.resetCounters();
  await again.copyAll();
  t.is(store.requestCount('copy'), 2);
  t.is(contentOf('e/f'), 'changed since');
  t.is(contentOf('e/sub/g'), 'changed under the new name');
  t.is(again.copyOf('d/sub/g')?.toEtag, undefined);
  await again.removeSources(nobody);
  t.deepEqual(keys(), ['e/f', 'e/new', 'e/sub/g']);
});

test('undo removes the copies and the marker that were made, and nothing else', async (t) => {
  const { move, putMarker, store, keys } = makeMove(t);
  await putMarker(move);
  await move.copyAll();
  store.putForeign('e/other', 'of another client');
  store.putForeign('e/f', 'replaced by another client');
  await move.undo(undefined);
  t.deepEqual(keys(), ['d/', 'd/f', 'd/sub/g', 'e/f', 'e/other']);
});

test('undo of a move that went on leaves what an earlier try had copied, and the marker that lets it go on', async (t) => {
  const { move, makeAnother, putMarker, store, clock, keys, contentOf } = makeMove(t);
  await putMarker(move);
  await move.copyAll();
  clock.advance(5000);
  store.putForeign('d/new', 'new');
  store.putForeign('d/f', 'changed since');
  const again = makeAnother();
  await again.resume();
  await putMarker(again);
  await again.copyAll();
  t.is(contentOf('e/f'), 'changed since');
  await again.undo(undefined);
  t.deepEqual(keys(), ['d/', 'd/f', 'd/new', 'd/sub/g', 'e/', 'e/f', 'e/sub/g']);
});

test('undo puts back the marker that was replaced, unless another client has replaced that', async (t) => {
  for (const isTheirs of [false, true]) {
    const { move, putMarker, store, keys } = makeMove(t);
    store.putForeign('e/', '', { metadata: { title: 'replaced' } });
    const replaced = await store.head('e/', signal);
    await putMarker(move);
    await move.copyAll();
    if (isTheirs) store.putForeign('e/', 'x', { metadata: { title: 'theirs' } });
    await move.undo(replaced);
    t.deepEqual(keys(), ['d/', 'd/f', 'd/sub/g', 'e/']);
    t.is(store.objects.get('e/')?.info.metadata['title'], isTheirs ? 'theirs' : 'replaced');
  }
});

test('undo that cannot delete the copies leaves the marker with its note, says so, and does not fail', async (t) => {
  for (const how of ['refused', 'failed'] as const) {
    const { move, putMarker, store, lines } = makeMove(t);
    store.putForeign('e/', '', { metadata: { title: 'replaced' } });
    const replaced = await store.head('e/', signal);
    await putMarker(move);
    await move.copyAll();
    const error = new StoreError('AccessDenied', 'refused');
    store.deleteMany = (keys) =>
      how === 'refused' ? Promise.resolve(keys.map((key) => ({ key, error }))) : Promise.reject(error);
    await move.undo(replaced);
    t.deepEqual(store.objects.get('e/')?.info.metadata, { note: 'of the rename' });
    t.like(lines.at(-1), { level: 'warn', message: 'copies of a failed rename are left in the bucket' });
  }
});

test('undo of a move that has made nothing costs no request', async (t) => {
  const { move, store } = makeMove(t);
  await move.undo(undefined);
  t.is(store.requestCount(), 0);
});
