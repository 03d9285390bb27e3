import test, { type ExecutionContext } from 'ava';
import { defaultCall, readFlags, writeFlags } from './file-system-client.js';
import { makeParts, signal } from './file-system-parts.js';

async function makeFile(t: ExecutionContext) {
  const parts = makeParts(t);
  parts.store.putForeign('f', 'content', { metadata: { other: 'kept' } });
  const node = await parts.file('f');
  return { ...parts, node };
}

test('a file has one content, based on the version that is known, until it is closed', async (t) => {
  const { node, contents } = await makeFile(t);
  const content = contents.of(node);
  t.is(contents.of(node), content);
  t.like(content.base, { key: 'f', etag: node.info?.etag, size: 7 });
  t.false(content.isDirty);
  await contents.close(node);
  t.is(node.content, undefined);
  await t.notThrowsAsync(contents.close(node));
  t.not(contents.of(node), content);
});

test('content is stored in the place of the known version, with the attributes of then, and recorded in the same turn', async (t) => {
  const { node, contents, write, store } = await makeFile(t);
  await write(node, 'changed');
  node.attributes = { ...node.attributes, permissions: 0o711 };
  node.hasUnstoredAttributes = true;
  const version = await contents.of(node).commit(signal);
  t.is(store.contentOf('f')?.toString(), 'changed');
  t.like(store.objects.get('f')?.info.metadata, { other: 'kept', mode: String(0o100711) });
  t.is(node.info?.etag, version.etag);
  t.is(node.sentAttributes, node.attributes);
  t.false(node.hasUnstoredAttributes, 'they went along');
  t.is(node.pageEtag, version.etag);
});

test('attributes that are set while the content is sent are still to be stored', async (t) => {
  const { node, contents, write, store } = await makeFile(t);
  await write(node, 'changed');
  store.afterRequest = () => {
    node.attributes = { ...node.attributes, permissions: 0o711 };
  };
  await contents.of(node).commit(signal);
  t.true(node.hasUnstoredAttributes);
});

test('a version that another client has stored is not replaced', async (t) => {
  const { node, contents, write, store } = await makeFile(t);
  await write(node, 'ours');
  store.putForeign('f', 'theirs');
  await t.throwsAsync(contents.of(node).commit(signal), { code: 'PreconditionFailed' } as never);
  t.is(store.contentOf('f')?.toString(), 'theirs');
  t.true(node.hasUnstoredContent);
});

test('a new file replaces nothing', async (t) => {
  const { node, contents, inodes, root, write, store } = await makeFile(t);
  const isNew = inodes.addFile(root, 'new', node.attributes, undefined, 0);
  await write(isNew, 'ours');
  store.putForeign('new', 'theirs');
  await t.throwsAsync(contents.of(isNew).commit(signal), { code: 'PreconditionFailed' } as never);
  store.objects.delete('new');
  await contents.of(isNew).commit(signal);
  t.is(store.contentOf('new')?.toString(), 'ours');
});

test('a file that lost its name to another client cannot be changed', async (t) => {
  const { node, contents, write, superseder, openFiles } = await makeFile(t);
  openFiles.open(node, writeFlags);
  const content = contents.of(node);
  superseder.supersede(node);
  await t.throwsAsync(write(node, 'x'), { code: 'ESTALE' } as never);
  t.false(content.isDirty);
});

test('what is kept beside has its own key and is not recorded as the file', async (t) => {
  const { node, contents, write, store } = await makeFile(t);
  const { info } = node;
  await write(node, 'ours');
  store.putForeign('f', 'theirs');
  const placement = contents.placeBeside(node, { key: 'f.conflict' });
  const version = await contents.of(node).commit(signal, placement);
  t.is(version.key, 'f.conflict');
  t.is(store.contentOf('f')?.toString(), 'theirs');
  t.is(store.contentOf('f.conflict')?.toString(), 'ours');
  t.is(node.info, info);
});

test('bytes that a file is to have copied from another are here before that one goes, unless they are gone already', async (t) => {
  const { node, contents, store, file } = await makeFile(t);
  store.putForeign('other', 'of another file');
  const other = await file('other');
  const { info } = other;
  if (!info) throw new Error('unreachable');
  await contents.of(node).insertCopy({ offset: 0, length: 15 }, () => ({ version: info, offset: 0 }), signal);
  t.true(contents.of(node).hasCopiedFrom(info));
  t.deepEqual(
    contents.storedVersions().map(({ key }) => key),
    ['other'],
  );
  await contents.stageCopiesOf(info, undefined, signal);
  t.deepEqual(contents.storedVersions(), []);
  store.objects.delete('other');
  await contents.of(node).commit(signal);
  t.is(store.contentOf('f')?.toString(), 'of another file');
});

test('a copied version that another client took away is left to the commit that misses it, and an outage is not', async (t) => {
  const { node, contents, store, file } = await makeFile(t);
  store.putForeign('other', 'of another file');
  const { info } = await file('other');
  if (!info) throw new Error('unreachable');
  await contents.of(node).insertCopy({ offset: 0, length: 15 }, () => ({ version: info, offset: 0 }), signal);
  store.failNext('get', 'AccessDenied');
  await t.throwsAsync(contents.stageCopiesOf(info, undefined, signal), { code: 'AccessDenied' } as never);
  store.resetCounters();
  await contents.stageCopiesOf(info, node.content, signal);
  t.is(store.requestCount(), 0, 'its own content is not staged');
  store.objects.delete('other');
  await t.notThrowsAsync(contents.stageCopiesOf(info, undefined, signal));
});

test('what was moved on the server is read and changed on under its new key', async (t) => {
  const { node, contents, write, store, openFiles } = await makeFile(t);
  openFiles.open(node, readFlags);
  const content = contents.of(node);
  const { info: from } = node;
  if (!from) throw new Error('unreachable');
  const headers = { metadata: from.metadata };
  const { etag } = await store.copy(
    { source: from, targetKey: 'g', headers, condition: {} },
    defaultCall.signal,
  );
  node.linkTarget = { etag: from.etag, target: 'elsewhere' };
  const to = { key: 'g', etag, size: from.size };
  node.name = 'g';
  contents.recordMoved(node, { from, to, headers });
  store.objects.delete('f');
  t.like(content.base, to);
  t.like(node.info, to);
  t.like(node.linkTarget, { etag, target: 'elsewhere' });
  const pieces = await content.read({ offset: 0, length: 100 }, signal);
  t.is(Buffer.concat(pieces).toString(), 'content');
  await write(node, 'changed');
  await content.commit(signal);
  t.is(store.contentOf('g')?.toString(), 'changed');
});

test('the end of a mount ends what is under way and leaves the files their contents', async (t) => {
  const { node, contents, write } = await makeFile(t);
  await write(node, 'changed');
  await contents.discardAll();
  t.truthy(node.content);
  await t.throwsAsync(contents.of(node).commit(signal), { code: 'Aborted' } as never);
});
