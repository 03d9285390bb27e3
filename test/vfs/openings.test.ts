import test, { type ExecutionContext } from 'ava';
import { makeGate } from '../../src/concurrency/deferred.js';
import { Openings } from '../../src/vfs/openings.js';
import { Reopenings } from '../../src/vfs/reopenings.js';
import { manyTurns } from '../patience.js';
import { readFlags } from './file-system-client.js';
import { makeParts, signal } from './file-system-parts.js';

async function makeOpenings(t: ExecutionContext) {
  const parts = makeParts(t);
  parts.store.putForeign('f', 'content');
  const node = await parts.file('f');
  const openings = new Openings(parts.contents, new Reopenings(parts.clock));
  return { ...parts, node, openings };
}

/** What is taken away at the turn of `remove`, which waits until it is let go. */
function heldRemoval() {
  const begun = { isTrue: false };
  const { opened, open } = makeGate();
  const remove = async () => {
    begun.isTrue = true;
    await opened;
    return 'removed';
  };
  return { begun, remove, open };
}

test('a removal waits for every open that had begun, and no longer', async (t) => {
  const { node, openings } = await makeOpenings(t);
  const endFirst = openings.begin(node);
  const endSecond = openings.begin(node);
  const { begun, remove, open } = heldRemoval();
  open();
  const removal = openings.leave(node, signal, remove);
  await manyTurns();
  endFirst();
  endFirst();
  await manyTurns();
  t.false(begun.isTrue);
  t.false(node.isLeaving, 'opens that begin now are still let through');
  endSecond();
  t.is(await removal, 'removed');
  t.is(node.openings.size, 0);
});

test('a file is leaving from when nothing more is fetched for its handles until it is gone', async (t) => {
  const { node, openings } = await makeOpenings(t);
  const { begun, remove, open } = heldRemoval();
  const removal = openings.leave(node, signal, remove);
  await manyTurns();
  t.true(begun.isTrue);
  t.true(node.isLeaving);
  open();
  await removal;
  t.false(node.isLeaving);
});

test('the bytes that open handles need are here before the object goes', async (t) => {
  const { node, openings, openFiles, store } = await makeOpenings(t);
  openFiles.open(node, readFlags);
  await openings.leave(node, signal, () => {
    t.deepEqual(node.content?.storedVersions(), []);
    store.objects.delete('f');
    return Promise.resolve();
  });
  const pieces = await node.content?.read({ offset: 0, length: 100 }, signal);
  t.is(Buffer.concat(pieces ?? []).toString(), 'content');
});

test('what nobody has open is removed without being read', async (t) => {
  const { node, openings, store } = await makeOpenings(t);
  await openings.leave(node, signal, () => Promise.resolve());
  t.is(node.content, undefined);
  t.is(store.requestCount('get'), 0);
});

test('a removal that fails leaves the file as it was: its close has nothing to store', async (t) => {
  const { node, openings, openFiles } = await makeOpenings(t);
  openFiles.open(node, readFlags);
  const failing = openings.leave(node, signal, () => Promise.reject(new Error('refused')));
  await t.throwsAsync(failing, { message: 'refused' });
  t.false(node.isLeaving);
  t.false(node.hasUnstoredContent);
  t.is(node.content?.base?.etag, node.info?.etag);
});

test('a removal that fails after the file has lost its name does not bring its object back', async (t) => {
  const { node, openings, openFiles } = await makeOpenings(t);
  openFiles.open(node, readFlags);
  const failing = openings.leave(node, signal, () => {
    node.isRemoved = true;
    return Promise.reject(new Error('refused'));
  });
  await t.throwsAsync(failing, { message: 'refused' });
  t.is(node.content?.base, undefined);
});

test('a removal whose object cannot be read is not begun', async (t) => {
  const { node, openings, openFiles, store } = await makeOpenings(t);
  openFiles.open(node, readFlags);
  store.failNext('get', 'AccessDenied');
  const { begun, remove } = heldRemoval();
  await t.throwsAsync(openings.leave(node, signal, remove), { code: 'AccessDenied' } as never);
  t.false(begun.isTrue);
  t.false(node.isLeaving);
});

test('a removal waits for the open that the kernel tries again, and lets that one through', async (t) => {
  const { node, openings } = await makeOpenings(t);
  openings.expectAgain(node);
  const { begun, remove, open } = heldRemoval();
  open();
  const removal = openings.leave(node, signal, remove);
  await manyTurns();
  t.false(begun.isTrue);
  const end = openings.begin(node);
  await manyTurns();
  t.false(begun.isTrue);
  end();
  t.is(await removal, 'removed');
});

test('a removal goes on after a second where the open is not tried again', async (t) => {
  const { node, openings, clock } = await makeOpenings(t);
  openings.expectAgain(node);
  const { begun, remove, open } = heldRemoval();
  open();
  const removal = openings.leave(node, signal, remove);
  clock.advance(998);
  await manyTurns();
  t.false(begun.isTrue);
  clock.advance(3);
  t.is(await removal, 'removed');
});

test('a removal that is interrupted while it waits for an open removes nothing', async (t) => {
  const { node, openings } = await makeOpenings(t);
  const end = openings.begin(node);
  const controller = new AbortController();
  const { begun, remove } = heldRemoval();
  const removal = openings.leave(node, controller.signal, remove);
  await manyTurns();
  controller.abort();
  await t.throwsAsync(removal, { code: 'Aborted' } as never);
  end();
  await manyTurns();
  t.false(begun.isTrue);
  t.false(node.isLeaving);
});
