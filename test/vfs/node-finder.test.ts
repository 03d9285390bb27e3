import test, { type ExecutionContext } from 'ava';
import { makeGate } from '../../src/concurrency/deferred.js';
import { StoreError } from '../../src/errors.js';
import { checkNode } from '../../src/vfs/node-invariants.js';
import { turnsUntil } from '../patience.js';
import { readFlags } from './file-system-client.js';
import { metadataTtlMs } from './file-system-fixture.js';
import { asDirectory, asFile, makeParts, signal } from './file-system-parts.js';

const mode = (permissions: number) => ({ metadata: { mode: String(0o100000 | permissions) } });

/** With a file `f` that was looked up, and pinned so that it stays known. */
async function makeFound(t: ExecutionContext) {
  const parts = makeParts(t);
  parts.store.putForeign('f', 'one', mode(0o640));
  const node = await parts.file('f');
  node.lookups += 1;
  const expire = () => parts.clock.advance(metadataTtlMs + 1);
  const find = () => parts.finder.findChild(parts.root, 'f', signal);
  return { ...parts, node, expire, find };
}

test('a name is looked up once within the time-to-live, and again after it', async (t) => {
  const { node, find, expire, store } = await makeFound(t);
  store.resetCounters();
  t.is(await find(), node);
  t.is(store.requestCount(), 0);
  expire();
  t.is(await find(), node);
  t.true(store.requestCount() > 0);
});

test('two look-ups of one name at once make one node', async (t) => {
  const { finder, root, store } = makeParts(t);
  store.putForeign('f', 'x');
  const both = await Promise.all([finder.findChild(root, 'f', signal), finder.findChild(root, 'f', signal)]);
  t.truthy(both[0]);
  t.is(both[0], both[1]);
});

test('a name that is not there, below a removed directory, or reserved is not found, the last two without a request', async (t) => {
  const { finder, root, store, directory } = makeParts(t);
  t.is(await finder.findChild(root, 'missing', signal), undefined);
  await t.throwsAsync(finder.requireChild(root, 'missing', signal), { code: 'ENOENT' } as never);
  store.putForeign('d/f', 'x');
  store.putForeign('.osirisfs/f', 'x');
  const removed = await directory('d');
  removed.isRemoved = true;
  store.resetCounters();
  t.is(await finder.findChild(removed, 'f', signal), undefined);
  t.is(await finder.findChild(root, '.osirisfs', signal), undefined);
  t.is(store.requestCount(), 0);
});

test('a name that must be asked for is, once, whatever is known of it', async (t) => {
  const { node, find, root, store } = await makeFound(t);
  store.putForeign('f', 'another', mode(0o600));
  root.askAtNextLookup('f');
  t.is(await find(), node);
  t.is(node.size, 7);
  store.resetCounters();
  t.is(await find(), node);
  t.is(store.requestCount(), 0);
});

test('a version that another client stored is taken over by a file that nobody holds, bytes read before included', async (t) => {
  const { node, find, expire, store, reader } = await makeFound(t);
  const { info } = node;
  if (!info) throw new Error('unreachable');
  await reader.read({ version: info, offset: 0, length: 3 }, signal);
  store.putForeign('f', 'two two', mode(0o600));
  expire();
  t.is(await find(), node);
  t.is(node.size, 7);
  t.is(node.attributes.permissions, 0o600);
  t.false(node.isOutdated);
  checkNode(node);
  const reading = reader.read({ version: info, offset: 0, length: 3 }, signal);
  await t.throwsAsync(reading, { code: 'PreconditionFailed' } as never, 'its bytes are not kept');
});

for (const holder of ['a program', 'the kernel'] as const) {
  test(`a version of which ${holder} holds an earlier one is another node, and the earlier is outdated`, async (t) => {
    const { node, find, expire, store, openFiles, root } = await makeFound(t);
    const { handle } = openFiles.open(node, readFlags);
    if (holder === 'the kernel') openFiles.close(handle);
    const { generation } = node;
    store.putForeign('f', 'two two');
    expire();
    const found = asFile(await find());
    t.not(found, node);
    t.is(found.size, 7);
    t.true(node.isOutdated);
    t.true(node.isRemoved);
    t.is(node.generation, generation + 1);
    t.is(root.children.get('f'), found);
    t.is(node.size, 3, 'those who have it open see its size');
  });
}

test('a file in whose place there is a directory, or a symbolic link, is another node', async (t) => {
  const { node, find, expire, store } = await makeFound(t);
  store.putForeign('f', 'target', { metadata: { mode: String(0o120777) } });
  expire();
  const link = asFile(await find());
  t.not(link, node);
  t.true(node.isOutdated);
  link.lookups += 1;
  store.objects.delete('f');
  store.putForeign('f/below', 'x');
  expire();
  const directory = asDirectory(await find());
  t.true(link.isOutdated);
  t.is(directory.marker, undefined);
});

test('what is not in the bucket any more loses its name, but for what has changes to store', async (t) => {
  const { node, find, expire, store, root, write, finder } = await makeFound(t);
  store.putForeign('d/changed', 'x');
  const directory = asDirectory(await finder.requireChild(root, 'd', signal));
  const changed = asFile(await finder.requireChild(directory, 'changed', signal));
  await write(changed, 'changed here');
  store.objects.clear();
  expire();
  t.is(await find(), undefined);
  t.true(node.isOutdated);
  t.is(root.children.get('f'), undefined);
  t.is(await finder.findChild(root, 'd', signal), directory, 'a file below it is still to be stored');
  t.false(directory.isOutdated);
  t.false(changed.isOutdated);
});

test('what a look-up brings of a file that was changed here meanwhile is left to the store that meets it', async (t) => {
  const { node, expire, find, store, write } = await makeFound(t);
  const { info } = node;
  expire();
  const { opened, open } = makeGate();
  let isHeld = false;
  store.beforeRequest = () => {
    isHeld = true;
    return opened;
  };
  const finding = find();
  await turnsUntil('it asks', () => isHeld);
  store.putForeign('f', 'theirs');
  await write(node, 'ours');
  open();
  t.is(await finding, node);
  t.is(node.info, info);
  t.false(node.isOutdated);
});

test('refresh of what was replaced or removed is ESTALE, and of what is removed here nothing', async (t) => {
  const { node, expire, finder, store, openFiles, file } = await makeFound(t);
  openFiles.open(node, readFlags);
  store.putForeign('f', 'two two');
  store.putForeign('g', 'x');
  const removed = await file('g');
  removed.lookups += 1;
  expire();
  removed.isRemoved = true;
  store.objects.delete('g');
  await t.notThrowsAsync(finder.refresh(removed, signal));
  await t.throwsAsync(finder.refresh(node, signal), { code: 'ESTALE' } as never);
  store.resetCounters();
  await t.throwsAsync(finder.refresh(node, signal), { code: 'ESTALE' } as never, 'without a request');
  t.is(store.requestCount(), 0);
});

test('refresh of the root asks for the marker of its prefix, and of a whole bucket for nothing', async (t) => {
  const whole = makeParts(t);
  whole.clock.advance(metadataTtlMs + 1);
  await whole.finder.refresh(whole.root, signal);
  t.is(whole.store.requestCount(), 0);
  const { finder, root, store, clock } = makeParts(t, { prefix: 'p/' });
  store.putForeign('p/', '', { metadata: { mode: String(0o40700) } });
  clock.advance(metadataTtlMs + 1);
  await finder.refresh(root, signal);
  t.is(root.attributes.permissions, 0o700);
  store.resetCounters();
  await finder.refresh(root, signal);
  t.is(store.requestCount(), 0);
});

test('what may not be read shows no permissions, and what was known of an open file stays', async (t) => {
  const { node, find, expire, store, openFiles, finder } = await makeFound(t);
  const { handle } = openFiles.open(node, readFlags);
  const refuse = () => {
    store.beforeRequest = (method) => {
      if (method === 'head') throw new StoreError('AccessDenied', 'refused');
    };
  };
  refuse();
  expire();
  t.is(await find(), node);
  t.false(node.isUnreadable);
  t.is(node.attributes.permissions, 0o640);
  openFiles.close(handle);
  node.pageEtag = undefined;
  expire();
  t.is(await find(), node);
  t.true(node.isUnreadable);
  t.is(node.attributes.permissions, 0);
  await t.throwsAsync(finder.requireReadable(node, signal), { code: 'EACCES' } as never);
  store.beforeRequest = () => undefined;
  await finder.requireReadable(node, signal);
  t.false(node.isUnreadable);
  t.is(node.attributes.permissions, 0o640);
});

test('a directory whose marker may not be read keeps what was known of it', async (t) => {
  const { finder, root, store, clock } = makeParts(t);
  store.putForeign('d/', '', { metadata: { mode: String(0o40700) } });
  const directory = asDirectory(await finder.requireChild(root, 'd', signal));
  directory.lookups += 1;
  const { marker } = directory;
  store.beforeRequest = (method, key) => {
    if (method === 'head' && key === 'd/') throw new StoreError('WrongCustomerKey', 'refused');
  };
  clock.advance(metadataTtlMs + 1);
  t.is(await finder.findChild(root, 'd', signal), directory);
  t.true(directory.isUnreadable);
  t.is(directory.attributes.permissions, 0o700);
  t.is(directory.marker, marker);
});

test('a directory without a marker shows the time of the one above, and keeps what was set here', async (t) => {
  const { finder, root, store, clock } = makeParts(t);
  store.putForeign('d/f', 'x');
  const directory = asDirectory(await finder.requireChild(root, 'd', signal));
  directory.lookups += 1;
  const second = 1_000_000_000n;
  t.is(directory.attributes.mtimeNs / second, root.attributes.mtimeNs / second);
  directory.attributes = { ...directory.attributes, permissions: 0o711 };
  clock.advance(metadataTtlMs + 1);
  t.is(await finder.findChild(root, 'd', signal), directory);
  t.is(directory.attributes.permissions, 0o711);
});

test('findStored goes by what the bucket has now, though a listing is recent and lacks it', async (t) => {
  const { finder, root, resolver, store, fixture } = makeParts(t);
  const listing = resolver.listingOf(root);
  await listing.loadMore(signal);
  t.true(listing.isComplete);
  t.is(await finder.findStored(root, 'f', signal), undefined);
  fixture.store.putForeign('f', 'x');
  store.resetCounters();
  const found = asFile(await finder.findStored(root, 'f', signal));
  t.is(found.size, 1);
  t.is(store.requestCount('list'), 0);
  t.is(listing.get('f')?.kind, 'file', 'the listing has learned of it');
});

test('a version that is confirmed is taken over, or the node loses its name to it', async (t) => {
  const { node, finder, store, root, resolver } = await makeFound(t);
  store.putForeign('f', 'two two', mode(0o600));
  const info = await store.head('f', signal);
  t.true(finder.confirm(node, info, false));
  t.is(node.attributes.permissions, 0o600);
  t.is(node.info?.etag, info.etag);
  node.attributes = { ...node.attributes, permissions: 0o750 };
  node.hasUnstoredAttributes = true;
  t.true(finder.confirm(node, info, true), 'attributes that were set here are still to be stored');
  t.is(node.attributes.permissions, 0o750);
  node.hasUnstoredAttributes = false;
  const listing = resolver.listingOf(root);
  t.false(finder.confirm(node, info, true));
  t.true(node.isOutdated);
  t.is(root.children.get('f'), undefined);
  t.like(listing.get('f'), { kind: 'file' });
});

test('a confirmed version of another type is another node, though attributes are to be stored', async (t) => {
  const { node, finder, store } = await makeFound(t);
  node.hasUnstoredAttributes = true;
  store.putForeign('f', 'target', { metadata: { mode: String(0o120777) } });
  t.false(finder.confirm(node, await store.head('f', signal), false));
  t.true(node.isOutdated);
});
