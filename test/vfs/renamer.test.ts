import test, { type ExecutionContext } from 'ava';
import type { Node } from '../../src/vfs/nodes.js';
import { manyTurns } from '../patience.js';
import { readFlags } from './file-system-client.js';
import { makeParts, signal } from './file-system-parts.js';

const plain = { noReplace: false, exchange: false };

async function makeRenamer(t: ExecutionContext) {
  const parts = makeParts(t);
  const { store, renamer, root } = parts;
  for (const key of ['f', 'g', 'd/f', 'e/f']) store.putForeign(key, `content of ${key}`);
  const [f, g] = [await parts.file('f'), await parts.file('g')];
  const [d, e] = [await parts.directory('d'), await parts.directory('e')];
  for (const node of [f, g, d, e]) node.lookups += 1;
  return {
    ...parts,
    f,
    g,
    d,
    e,
    rename: (
      from: { parent?: typeof root; name: string },
      to: { parent?: typeof root; name: string },
      flags = plain,
    ) =>
      renamer.rename(
        {
          parent: from.parent ?? root,
          name: from.name,
          newParent: to.parent ?? root,
          newName: to.name,
          flags,
        },
        signal,
      ),
    contentOf: (key: string) => store.contentOf(key)?.toString(),
  };
}

test('an exchange is refused without a request', async (t) => {
  const { rename, store } = await makeRenamer(t);
  store.resetCounters();
  const flags = { noReplace: false, exchange: true };
  await t.throwsAsync(rename({ name: 'f' }, { name: 'g' }, flags), { code: 'EINVAL' } as never);
  t.is(store.requestCount(), 0);
});

test('a rename to the same name does nothing', async (t) => {
  const { rename, store, root } = await makeRenamer(t);
  const { attributes } = root;
  await rename({ name: 'f' }, { name: 'f' });
  t.is(store.requestCount('copy', 'put', 'delete'), 0);
  t.is(root.attributes, attributes);
});

test('the node moves, the old object goes, and both directories have new times', async (t) => {
  const { rename, store, f, root, d } = await makeRenamer(t);
  const before = [root.attributes.mtimeNs, d.attributes.mtimeNs] as const;
  await rename({ name: 'f' }, { parent: d, name: 'new' });
  t.is(d.children.get('new'), f);
  t.is(root.children.get('f'), undefined);
  t.is(f.info?.key, 'd/new');
  t.false(store.objects.has('f'));
  t.true(root.attributes.mtimeNs > before[0]);
  t.true(d.attributes.mtimeNs > before[1]);
  t.is(f.pins, 0);
});

for (const which of ['the source', 'the file that is replaced'] as const) {
  test(`a rename waits while ${which} is stored or removed, and keeps both from that meanwhile`, async (t) => {
    const { rename, store, f, g, contentOf } = await makeRenamer(t);
    const release = await (which === 'the source' ? f : g).lock.acquire(signal);
    let locked: boolean[] = [];
    store.beforeRequest = (method) => {
      if (method === 'copy') locked = [f, g].map(({ lock }) => lock.isBusy);
    };
    const renaming = rename({ name: 'f' }, { name: 'g' });
    await manyTurns();
    t.is(store.requestCount('copy'), 0);
    release();
    await renaming;
    t.deepEqual(locked, [true, true]);
    t.is(contentOf('g'), 'content of f');
    t.false(f.lock.isBusy || g.lock.isBusy);
  });
}

test('two renames of two files over each other do not wait for each other', async (t) => {
  const { rename, store } = await makeRenamer(t);
  const both = [rename({ name: 'f' }, { name: 'g' }), rename({ name: 'g' }, { name: 'f' })];
  await Promise.allSettled(both);
  const left = ['f', 'g'].filter((key) => store.objects.has(key));
  t.is(left.length, 1);
});

test('an object is not copied while something else appears under its key', async (t) => {
  const { rename, store, f } = await makeRenamer(t);
  const release = await f.placing.acquire(signal);
  const renaming = rename({ name: 'f' }, { name: 'new' });
  await manyTurns();
  t.is(store.requestCount('copy'), 0);
  release();
  await renaming;
  t.is(store.requestCount('copy'), 1);
});

test('renames from one directory to another go one at a time, and those within one do not wait for them', async (t) => {
  const { rename, store, d, e, fixture } = await makeRenamer(t);
  const write = fixture.holdFirstWrite();
  const first = rename({ parent: d, name: 'f' }, { parent: e, name: 'first' });
  await manyTurns();
  t.true(write.isHeld());
  const second = rename({ parent: e, name: 'f' }, { parent: d, name: 'second' });
  await manyTurns();
  t.false(store.objects.has('d/second'));
  await rename({ name: 'f' }, { name: 'third' });
  t.true(store.objects.has('third'));
  write.letGo();
  await Promise.all([first, second]);
  t.true(store.objects.has('d/second') && store.objects.has('e/first'));
});

test('what is not stored of a file is stored under its old name first, and moves with it', async (t) => {
  const { rename, store, f, write, contentOf } = await makeRenamer(t);
  await write(f, 'changed');
  const order: string[] = [];
  store.beforeRequest = (method, key) => {
    if (['put', 'copy', 'delete'].includes(method)) order.push(`${method} ${key}`);
  };
  await rename({ name: 'f' }, { name: 'new' });
  t.deepEqual(order, ['put f', 'copy f', 'delete f']);
  t.is(contentOf('new'), 'changed');
  t.false(f.hasUnstoredContent);
});

test('attributes that wait to be stored go along, and are not stored again', async (t) => {
  const { rename, store, f, writeBack, clock } = await makeRenamer(t);
  f.attributes = { ...f.attributes, permissions: 0o711 };
  f.hasUnstoredAttributes = true;
  await rename({ name: 'f' }, { name: 'new' });
  t.is(store.objects.get('new')?.info.metadata['mode'], String(0o100711));
  t.false(f.hasUnstoredAttributes);
  t.deepEqual(writeBack.pending(), []);
  t.is(clock.timerCount, 0);
});

test('a file that is replaced while it is open keeps its bytes and loses its name', async (t) => {
  const { rename, f, g, root, openFiles, contentOf } = await makeRenamer(t);
  openFiles.open(g, readFlags);
  await rename({ name: 'f' }, { name: 'g' });
  t.true(g.isRemoved);
  t.false(g.isOutdated);
  t.is(root.children.get('g'), f);
  t.is(contentOf('g'), 'content of f');
  const pieces = await g.content?.read({ offset: 0, length: 100 }, signal);
  t.is(Buffer.concat(pieces ?? []).toString(), 'content of g');
});

test('a rename that fails leaves both files, their objects and their bytes as they were', async (t) => {
  const { rename, store, f, g, root, openFiles, contentOf } = await makeRenamer(t);
  openFiles.open(g, readFlags);
  store.failNext('copy', 'AccessDenied');
  await t.throwsAsync(rename({ name: 'f' }, { name: 'g' }), { code: 'AccessDenied' } as never);
  t.is(root.children.get('f'), f);
  t.is(root.children.get('g'), g);
  t.deepEqual([contentOf('f'), contentOf('g')], ['content of f', 'content of g']);
  t.false(g.hasUnstoredContent || f.lock.isBusy || g.lock.isBusy || g.isLeaving);
  t.deepEqual([f.pins, g.pins], [0, 0]);
});

test('a source that is gone whenever it is copied is looked at anew five times', async (t) => {
  const { rename, store } = await makeRenamer(t);
  let copies = 0;
  let headsSince = 0;
  store.beforeRequest = (method, key) => {
    if (key !== 'f') return;
    if (method === 'copy') {
      copies += 1;
      headsSince = 0;
      store.objects.delete('f');
    }
    // The first is that of the copy, which finds it gone.
    if (method === 'head' && ++headsSince > 1) store.putForeign('f', 'there again');
  };
  await t.throwsAsync(rename({ name: 'f' }, { name: 'new' }), { code: 'ENOENT' } as never);
  t.is(copies, 5);
});

test('of a version that another client stored during the rename the name leads to that, and the node loses it', async (t) => {
  const { rename, store, f, root, file, contentOf } = await makeRenamer(t);
  store.afterRequest = (method) => {
    if (method !== 'copy') return;
    store.afterRequest = () => undefined;
    store.putForeign('f', 'theirs');
  };
  await rename({ name: 'f' }, { name: 'new' });
  t.is(contentOf('new'), 'theirs');
  t.true(f.isOutdated);
  const found: Node = await file('new');
  t.not(found, f);
  t.is(root.children.get('f'), undefined);
});
