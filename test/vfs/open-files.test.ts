import test from 'ava';
import { OpenFiles } from '../../src/vfs/open-files.js';
import { readFlags, writeFlags } from './file-system-client.js';
import { makeParts } from './file-system-parts.js';
import { makeLog } from './file-system-fixture.js';

async function makeFiles(...[t]: Parameters<typeof makeParts>) {
  const parts = makeParts(t);
  parts.store.putForeign('f', 'content');
  const node = await parts.file('f');
  return { ...parts, node, files: new OpenFiles(parts.reader, makeLog().log) };
}

test('each open has a handle of its own, whose number is not used again', async (t) => {
  const { files, node } = await makeFiles(t);
  const first = files.open(node, readFlags).handle;
  const second = files.open(node, writeFlags).handle;
  t.not(first, second);
  t.is(files.size, 2);
  t.is(node.handles.size, 2);
  t.is(files.close(first)?.node, node);
  t.is(files.close(first), undefined, 'a second close finds nothing');
  t.throws(() => files.get(first), { code: 'EBADF' } as never);
  t.is(files.get(second).node, node);
  t.false([first, second].includes(files.open(node, readFlags).handle));
  t.is(node.handles.size, 2);
});

test('a handle that was opened to read does not write', async (t) => {
  const { files, node } = await makeFiles(t);
  const { handle: reading } = files.open(node, readFlags);
  const { handle: writing } = files.open(node, writeFlags);
  t.is(files.current(reading).canRead, true);
  t.throws(() => files.writable(reading), { code: 'EBADF', message: /not open for writing/ } as never);
  t.is(files.writable(writing).node, node);
});

test('a handle sees ESTALE when its file was superseded, and one that is opened afterwards does not', async (t) => {
  const { files, node } = await makeFiles(t);
  const { handle: before } = files.open(node, writeFlags);
  node.generation += 1;
  const { handle: after } = files.open(node, writeFlags);
  t.throws(() => files.current(before), { code: 'ESTALE' } as never);
  t.throws(() => files.writable(before), { code: 'ESTALE' } as never);
  t.is(files.get(before).node, node, 'it can be closed');
  t.is(files.writable(after).node, node);
});

test('an open that has made or emptied the file counts as a change that its close stores', async (t) => {
  const { files, node } = await makeFiles(t);
  const unchanged = files.get(files.open(node, writeFlags).handle);
  const changed = files.get(files.open(node, writeFlags, { hasChanged: true }).handle);
  t.is(unchanged.lastChange, 0);
  t.is(changed.lastChange, 1);
  t.is(node.changes, 1);
});

test('the kernel keeps its pages where they are of this very version', async (t) => {
  const { files, node, write } = await makeFiles(t);
  t.false(files.open(node, readFlags).keepCache, 'it has none yet');
  t.true(files.open(node, readFlags).keepCache);
  node.pageEtag = 'of another version';
  t.false(files.open(node, readFlags).keepCache);
  t.is(node.info?.etag, node.pageEtag);
  await write(node, 'changed here');
  t.true(files.open(node, readFlags).keepCache, 'what is written here went through the kernel');
});
