import test from 'ava';
import { makeGate } from '../../src/concurrency/deferred.js';
import { makeParts, signal } from './file-system-parts.js';
import { Freshness } from '../../src/vfs/freshness.js';

test('a node is current until its age reaches the time-to-live, which it is told the rest of', async (t) => {
  const { store, clock, file } = makeParts(t);
  const freshness = new Freshness(clock, 1000);
  store.putForeign('f', 'x');
  const node = await file('f');
  node.validatedAtMs = clock.monotonicMs();
  clock.advance(600);
  t.true(freshness.isCurrent(node));
  t.is(Math.round(freshness.ttlMsOf(node)), 400);
  clock.advance(400);
  t.false(freshness.isCurrent(node));
  t.is(freshness.ttlMsOf(node), 0);
});

test('without a time-to-live nothing is current', async (t) => {
  const { store, clock, file } = makeParts(t);
  store.putForeign('f', 'x');
  const node = await file('f');
  node.validatedAtMs = clock.monotonicMs();
  t.false(new Freshness(clock, 0).isCurrent(node));
});

test('what the bucket has yet to see is current, however old: attributes, content and new files', async (t) => {
  const { store, clock, file, directory, write, inodes, root } = makeParts(t);
  const freshness = new Freshness(clock, 1000);
  store.putForeign('attributes', 'x');
  store.putForeign('content', 'x');
  store.putForeign('d/f', 'x');
  const attributes = await file('attributes');
  const content = await file('content');
  const below = await directory('d');
  const isNew = inodes.addFile(root, 'new', attributes.attributes, undefined, 0);
  clock.advance(5000);
  for (const node of [attributes, content, below]) t.false(freshness.isCurrent(node), node.key);
  attributes.hasUnstoredAttributes = true;
  below.hasUnstoredAttributes = true;
  await write(content, 'changed');
  for (const node of [attributes, content, below, isNew]) t.true(freshness.isCurrent(node), node.key);
  t.is(freshness.ttlMsOf(content), 1000, 'the kernel may keep what only this mount changes');
  t.is(freshness.ttlMsOf(isNew), 1000);
  attributes.hasUnstoredAttributes = false;
  below.hasUnstoredAttributes = false;
  t.false(freshness.isCurrent(attributes));
  t.false(freshness.isCurrent(below));
});

test('a file that is being stored, moved or removed and a directory that is being renamed are not asked for', async (t) => {
  const { store, clock, file, directory } = makeParts(t);
  const freshness = new Freshness(clock, 1000);
  store.putForeign('f', 'x');
  store.putForeign('d/f', 'x');
  const node = await file('f');
  const moved = await directory('d');
  clock.advance(5000);
  const release = await node.lock.acquire(signal);
  moved.moving = { done: makeGate().opened, isExclusive: false };
  t.true(freshness.isCurrent(node));
  t.true(freshness.isCurrent(moved));
  release();
  moved.moving = undefined;
  t.false(freshness.isCurrent(node));
  t.false(freshness.isCurrent(moved));
});
