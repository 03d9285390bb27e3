import test, { type ExecutionContext } from 'ava';
import { copyLatest, SourceGone } from '../../src/vfs/latest-copy.js';
import { makeParts, signal } from './file-system-parts.js';

async function makeCopy(t: ExecutionContext) {
  const parts = makeParts(t);
  const { store } = parts;
  store.putForeign('f', 'ours', { metadata: { other: 'kept', uid: '1' } });
  const { info, attributes } = await parts.file('f');
  if (!info) throw new Error('unreachable');
  return {
    ...parts,
    copy: (noReplace = false, set: { permissions?: number } = {}) =>
      copyLatest(parts, { info, attributes: { ...attributes, ...set }, newKey: 'g', noReplace }, signal),
    contentOf: (key: string) => store.contentOf(key)?.toString(),
    /** Before each copy, with its number. */
    beforeCopies: (action: (copies: number) => void) => {
      let copies = 0;
      store.beforeRequest = (method) => {
        if (method === 'copy') action(++copies);
      };
    },
    /** After the first copy is in the bucket. */
    afterCopy: (action: () => void) => {
      store.afterRequest = (method) => {
        if (method !== 'copy') return;
        store.afterRequest = () => undefined;
        action();
      };
    },
  };
}

test('what nobody changes is copied once and asked for once, with the attributes that were set and a new ctime', async (t) => {
  const { copy, store, contentOf } = await makeCopy(t);
  store.resetCounters();
  const copied = await copy(false, { permissions: 0o711 });
  t.deepEqual([...store.requests].sort(), [
    ['copy', 1],
    ['head', 1],
  ]);
  t.is(contentOf('g'), 'ours');
  t.is(contentOf('f'), 'ours', 'the caller removes it');
  const stored = store.objects.get('g')?.info;
  t.like(stored?.metadata, { other: 'kept', uid: '1', mode: String(0o100711) });
  t.like(copied.to, { key: 'g', etag: stored?.etag, size: 4 });
  t.is(copied.attributes.permissions, 0o711);
  t.is(copied.headers.metadata['ctime'], stored?.metadata['ctime']);
  t.true(copied.attributes.ctimeNs > copied.attributes.mtimeNs);
});

test('a version that another client stores before the copy is copied, with the attributes that were set here', async (t) => {
  const { copy, store, contentOf } = await makeCopy(t);
  store.putForeign('f', 'theirs', { metadata: { other: 'changed', uid: '7' } });
  const copied = await copy(false, { permissions: 0o711 });
  t.is(contentOf('g'), 'theirs');
  t.is(copied.from.size, 6);
  t.like(store.objects.get('g')?.info.metadata, { other: 'changed', uid: '7', mode: String(0o100711) });
});

test('a version that another client stores after the copy replaces that', async (t) => {
  const { copy, store, contentOf, afterCopy } = await makeCopy(t);
  afterCopy(() => store.putForeign('f', 'theirs'));
  const copied = await copy();
  t.is(contentOf('g'), 'theirs');
  t.is(store.objects.get('f')?.info.etag, copied.from.etag);
});

test('of the same bytes with other attributes those are copied', async (t) => {
  const { copy, store, afterCopy } = await makeCopy(t);
  afterCopy(() => store.putForeign('f', 'ours', { metadata: { uid: '7' } }));
  const copied = await copy();
  t.is(store.objects.get('g')?.info.metadata['uid'], '7');
  t.is(copied.attributes.uid, 7);
});

test('a source that is gone before the copy is SourceGone, and one that goes after it was copied', async (t) => {
  const { copy, store, contentOf, afterCopy } = await makeCopy(t);
  afterCopy(() => store.objects.delete('f'));
  await copy();
  t.is(contentOf('g'), 'ours');
  const error = await t.throwsAsync(copy(), { instanceOf: SourceGone });
  t.is(error.code, 'ENOENT');
});

test('where nothing may be replaced a name that is taken is EEXIST, and stays as it is', async (t) => {
  const { copy, store, contentOf } = await makeCopy(t);
  store.putForeign('g', 'taken');
  await t.throwsAsync(copy(true), { code: 'EEXIST' } as never);
  t.is(contentOf('g'), 'taken');
});

test('where nothing may be replaced the first copy is, by that of a later version', async (t) => {
  const { copy, store, contentOf, afterCopy } = await makeCopy(t);
  afterCopy(() => store.putForeign('f', 'theirs'));
  await copy(true);
  t.is(contentOf('g'), 'theirs');
});

test('where nothing may be replaced what another client puts in the place of the first copy stays', async (t) => {
  const { copy, store, contentOf, afterCopy } = await makeCopy(t);
  afterCopy(() => {
    store.putForeign('f', 'theirs');
    store.putForeign('g', 'of a third client');
  });
  await t.throwsAsync(copy(true), { code: 'EEXIST' } as never);
  t.is(contentOf('g'), 'of a third client');
  t.is(contentOf('f'), 'theirs');
});

test('a source that changes at every try is given up', async (t) => {
  const { copy, store, beforeCopies } = await makeCopy(t);
  let tries = 0;
  beforeCopies((copies) => {
    tries = copies;
    store.putForeign('f', `change ${copies}`);
  });
  await t.throwsAsync(copy(), { code: 'EBUSY' } as never);
  t.is(tries, 5);
});

test('what the server refuses is told as it is, and nothing is tried again', async (t) => {
  const { copy, store } = await makeCopy(t);
  store.failNext('copy', 'AccessDenied');
  store.resetCounters();
  await t.throwsAsync(copy(), { code: 'AccessDenied' } as never);
  t.is(store.requestCount(), 1);
});
