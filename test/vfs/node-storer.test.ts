import test, { type ExecutionContext } from 'ava';
import { StoreError } from '../../src/errors.js';
import { NodeStorer } from '../../src/vfs/node-storer.js';
import type { Node } from '../../src/vfs/nodes.js';
import { writeFlags } from './file-system-client.js';
import { makeParts, signal } from './file-system-parts.js';

async function makeStorer(t: ExecutionContext) {
  const parts = makeParts(t);
  parts.store.putForeign('f', 'content', { metadata: { other: 'kept' } });
  const node = await parts.file('f');
  node.lookups += 1;
  const storer = new NodeStorer(parts);
  const store = (stored: Node, what: 'everything' | 'what is closed' = 'everything') =>
    stored.lock.run(() => storer.store(stored, what, signal));
  return { ...parts, node, storer, bucket: parts.store, store };
}

function setPermissions(node: Node, permissions: number): void {
  node.attributes = { ...node.attributes, permissions };
  node.hasUnstoredAttributes = true;
}

test('a node that lacks nothing in the bucket costs no request', async (t) => {
  const { node, root, store, bucket } = await makeStorer(t);
  bucket.resetCounters();
  await store(node);
  await store(root);
  t.is(bucket.requestCount(), 0);
});

test('changed content and attributes go into the bucket together, and the changes count as stored', async (t) => {
  const { node, store, write, bucket } = await makeStorer(t);
  await write(node, 'changed');
  setPermissions(node, 0o711);
  bucket.resetCounters();
  await store(node);
  t.deepEqual([...bucket.requests], [['put', 1]]);
  t.is(bucket.contentOf('f')?.toString(), 'changed');
  t.like(bucket.objects.get('f')?.info.metadata, { mode: String(0o100711), other: 'kept' });
  t.is(node.storedChanges, node.changes);
  t.false(node.hasUnstoredContent || node.hasUnstoredAttributes);
});

test('a change that is made while the one before is stored does not count as stored', async (t) => {
  const { node, store, write, bucket } = await makeStorer(t);
  await write(node, 'one');
  bucket.afterRequest = () => void (node.changes += 1);
  await store(node);
  t.is(node.changes, 2);
  t.is(node.storedChanges, 1);
});

test('of what is closed only, a file that is being written is left to its close', async (t) => {
  const { node, store, write, openFiles, bucket } = await makeStorer(t);
  const { handle } = openFiles.open(node, writeFlags);
  await write(node, 'half');
  await store(node, 'what is closed');
  t.is(bucket.contentOf('f')?.toString(), 'content');
  t.is(node.storedChanges, 0);
  openFiles.close(handle);
  await store(node, 'what is closed');
  t.is(bucket.contentOf('f')?.toString(), 'half');
});

test('attributes alone move no data, and what another client set meanwhile stays', async (t) => {
  const { node, store, bucket } = await makeStorer(t);
  setPermissions(node, 0o711);
  bucket.putForeign('f', 'content', { metadata: { other: 'theirs', uid: '7' } });
  bucket.resetCounters();
  await store(node);
  t.is(bucket.requestCount('put', 'get'), 0);
  t.like(bucket.objects.get('f')?.info.metadata, { other: 'theirs', uid: '7', mode: String(0o100711) });
  t.is(node.attributes.uid, 7);
  t.false(node.hasUnstoredAttributes);
});

test('attributes that are set while others are stored are still to be stored', async (t) => {
  const { node, store, bucket } = await makeStorer(t);
  setPermissions(node, 0o711);
  bucket.afterRequest = () => setPermissions(node, 0o700);
  await store(node);
  t.true(node.hasUnstoredAttributes);
  t.is(node.attributes.permissions, 0o700);
});

test('attributes go to the version of another client, which has the name then', async (t) => {
  const { node, store, bucket, root, file } = await makeStorer(t);
  setPermissions(node, 0o711);
  bucket.putForeign('f', 'of another length');
  await store(node);
  t.is(bucket.contentOf('f')?.toString(), 'of another length');
  t.is(bucket.objects.get('f')?.info.metadata['mode'], String(0o100711));
  t.true(node.isOutdated);
  t.false(node.hasUnstoredAttributes);
  t.is(root.children.get('f'), undefined);
  t.is((await file('f')).attributes.permissions, 0o711);
});

test('a file that another client replaced is kept beside, and the node loses the name', async (t) => {
  const { node, store, write, bucket, infos } = await makeStorer(t);
  await write(node, 'ours');
  bucket.putForeign('f', 'theirs');
  await t.throwsAsync(store(node), { code: 'ESTALE' } as never);
  t.is(bucket.contentOf('f')?.toString(), 'theirs');
  const beside = [...bucket.objects.keys()].filter((key) => key.startsWith('f.conflict-'));
  t.is(beside.length, 1);
  t.is(bucket.contentOf(beside[0] ?? '')?.toString(), 'ours');
  t.true(node.isOutdated);
  t.false(node.hasUnstoredContent);
  t.is(infos.size, 0, 'what was known of the name is forgotten');
});

test('a failure keeps what was to be stored', async (t) => {
  const { node, store, write, bucket } = await makeStorer(t);
  await write(node, 'ours');
  bucket.failNext('put', 'ServerError');
  await t.throwsAsync(store(node), { code: 'ServerError' } as never);
  t.true(node.hasUnstoredContent);
  t.is(node.storedChanges, 0);
  await store(node);
  t.is(bucket.contentOf('f')?.toString(), 'ours');
});

test('what is made up is not stored', async (t) => {
  const { node, store, bucket } = await makeStorer(t);
  setPermissions(node, 0o711);
  node.isUnreadable = true;
  bucket.resetCounters();
  await t.throwsAsync(store(node), { code: 'EACCES' } as never);
  t.is(bucket.requestCount(), 0);
  t.true(node.hasUnstoredAttributes);
});

test('the marker of a directory takes its attributes, and the root of a bucket has none', async (t) => {
  const { store, bucket, directory, root } = await makeStorer(t);
  bucket.putForeign('d/f', 'x');
  const node = await directory('d');
  setPermissions(node, 0o711);
  await store(node);
  t.is(bucket.objects.get('d/')?.info.metadata['mode'], String(0o40711));
  t.like(node.marker, { key: 'd/', etag: bucket.objects.get('d/')?.info.etag });
  t.false(node.hasUnstoredAttributes);
  setPermissions(root, 0o711);
  bucket.resetCounters();
  await store(root);
  t.is(bucket.requestCount(), 0);
  t.false(root.hasUnstoredAttributes);
});

test('a marker that could not be read before is asked for again, and not written over unread', async (t) => {
  const { store, bucket, directory } = await makeStorer(t);
  bucket.putForeign('d/', '', { metadata: { other: 'kept' } });
  const node = await directory('d');
  node.marker = 'inaccessible';
  setPermissions(node, 0o711);
  bucket.beforeRequest = (method) => {
    if (method === 'head') throw new StoreError('AccessDenied', 'refused');
  };
  await t.throwsAsync(store(node), { code: 'AccessDenied' } as never);
  t.is(bucket.requestCount('put'), 0);
  t.deepEqual(bucket.objects.get('d/')?.info.metadata, { other: 'kept' });
  bucket.beforeRequest = () => undefined;
  await store(node);
  t.is(bucket.objects.get('d/')?.info.metadata['mode'], String(0o40711));
});

test('reverted attributes are those that the bucket has, where it has any', async (t) => {
  const { node, storer, bucket, directory } = await makeStorer(t);
  setPermissions(node, 0o711);
  storer.revertAttributes(node);
  t.is(node.attributes.permissions, 0o644);
  bucket.putForeign('d/', '', { metadata: { mode: String(0o40700) } });
  bucket.putForeign('e/f', 'x');
  const marked = await directory('d');
  setPermissions(marked, 0o711);
  storer.revertAttributes(marked);
  t.is(marked.attributes.permissions, 0o700);
  const unmarked = await directory('e');
  setPermissions(unmarked, 0o711);
  storer.revertAttributes(unmarked);
  t.is(unmarked.attributes.permissions, 0o711);
});
