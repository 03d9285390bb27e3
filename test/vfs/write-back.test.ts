// When what the bucket lacks is stored, and stored again.
import test, { type ExecutionContext } from 'ava';
import { makeGate } from '../../src/concurrency/deferred.js';
import { StoreError } from '../../src/errors.js';
import { HeldClock } from '../clock.js';
import { MemoryObjectStore } from '../object-store/memory-object-store.js';
import { manyTurns, turnsUntil } from '../patience.js';
import { writeFlags } from './file-system-client.js';
import { Fixture } from './file-system-fixture.js';
import { makeParts, signal } from './file-system-parts.js';

const attributeDelayMs = 500;

function makeFixture(t: ExecutionContext) {
  const clock = new HeldClock();
  const fixture = new Fixture(t, new MemoryObjectStore({ minPartSize: 64 }), clock);
  return { clock, fixture, ...fixture.mount({ attributeDelayMs }) };
}

for (const kind of ['file', 'directory'] as const) {
  for (const who of ['the background', 'sync'] as const) {
    test(`attributes of a ${kind} that change while ${who} stores others are stored soon after`, async (t) => {
      const { clock, fixture, client, fs } = makeFixture(t);
      if (kind === 'file') await client.writeFile('it', 'x');
      else await client.makeDirectory('it');
      const write = fixture.holdFirstWrite();
      await client.setAttributes('it', { mode: 0o700 });
      const stored = who === 'sync' ? fs.synchronizeAll('everything') : undefined;
      if (!stored) clock.advance(attributeDelayMs + 1);
      await turnsUntil('they are on their way', write.isHeld);
      await client.setAttributes('it', { mode: 0o750 });
      write.letGo();
      await stored;
      await manyTurns();
      t.is(fs.pending().length, 1, 'what was changed last waits for further changes');
      clock.advance(attributeDelayMs + 1);
      await manyTurns();
      t.deepEqual(fs.pending(), []);
      t.is(clock.timerCount, 0);
    });
  }
}

test('the waits between tries grow over closes that fail, and begin anew when the file is stored', async (t) => {
  const { clock, fixture, client } = makeFixture(t);
  let tries = 0;
  const fail = () => {
    fixture.store.beforeRequest = (method) => {
      if (method !== 'put') return;
      tries += 1;
      throw new StoreError('ServerError', 'put f: the server failed');
    };
  };
  /** By the close, and by the background at once; then the background waits. */
  const failToWrite = async () => {
    fail();
    await t.throwsAsync(client.writeFile('f', 'x'), { code: 'EIO' } as never);
    await manyTurns();
    const before = tries;
    return async (ms: number) => {
      clock.advance(ms);
      await manyTurns();
      return tries - before;
    };
  };
  const afterTwo = await failToWrite();
  t.is(await afterTwo(1_900), 0);
  const afterFour = await failToWrite();
  t.is(await afterFour(7_900), 0);
  t.is(await afterFour(200), 1);
  fixture.store.beforeRequest = () => undefined;
  await client.writeFile('f', 'y');
  const anew = await failToWrite();
  t.is(await anew(1_900), 0);
  t.is(await anew(200), 1);
});

/** A file of the bucket, known to the kernel. */
async function makeNode(t: ExecutionContext) {
  const parts = makeParts(t, { attributeDelayMs });
  parts.store.putForeign('d/f', 'content');
  const directory = await parts.directory('d');
  const node = await parts.finder.requireChild(directory, 'f', signal);
  if (node.kind !== 'file') throw new Error('unreachable');
  node.lookups += 1;
  return { ...parts, node, top: directory };
}

test('a node is pinned from when it is scheduled until it is stored, once for all changes', async (t) => {
  const { node, writeBack, clock, store } = await makeNode(t);
  writeBack.scheduleAttributes(node);
  writeBack.scheduleAttributes(node);
  t.is(node.pins, 1);
  t.is(clock.timerCount, 1);
  clock.advance(attributeDelayMs + 1);
  await manyTurns();
  t.is(store.requestCount('copy'), 1);
  t.is(node.pins, 0);
  t.is(clock.timerCount, 0);
});

test('what is cancelled is not stored, and lets the node go', async (t) => {
  const { node, writeBack, clock, store } = await makeNode(t);
  writeBack.scheduleAttributes(node);
  writeBack.cancel(node);
  t.is(node.pins, 0);
  t.is(clock.timerCount, 0);
  clock.advance(attributeDelayMs + 1);
  await manyTurns();
  t.is(store.requestCount('copy', 'put'), 0);
  t.deepEqual(writeBack.pending(), []);
});

test('attributes of a changed file wait for its content', async (t) => {
  const { node, write, writeBack, clock } = await makeNode(t);
  await write(node, 'changed');
  writeBack.scheduleAttributes(node);
  t.is(clock.timerCount, 0);
  t.true(node.hasUnstoredAttributes);
});

test('a store waits for the rename of a directory above, also one that begins while it waits for the node', async (t) => {
  const { node, top, write, writeBack, store } = await makeNode(t);
  await write(node, 'changed');
  const first = makeGate();
  top.moving = { done: first.opened, isExclusive: false };
  const stored = writeBack.store(node, signal);
  await manyTurns();
  t.is(store.requestCount('put'), 0);
  const release = await node.lock.acquire(signal);
  top.moving = undefined;
  first.open();
  await manyTurns();
  const { opened: done, open: finish } = makeGate();
  top.moving = { done, isExclusive: false };
  release();
  await manyTurns();
  t.is(store.requestCount('put'), 0);
  top.moving = undefined;
  finish();
  await stored;
  t.is(store.contentOf('d/f')?.toString(), 'changed');
});

test('staged content is freed when the last reason for it has gone', async (t) => {
  const { node, write, writeBack, openFiles } = await makeNode(t);
  const { handle } = openFiles.open(node, writeFlags);
  await write(node, 'changed');
  await writeBack.store(node, signal);
  t.truthy(node.content, 'it is open');
  openFiles.close(handle);
  await writeBack.letGo(node);
  t.is(node.content, undefined);
});

test('what is given up is neither scheduled nor stored any more', async (t) => {
  const { node, write, writeBack, store } = await makeNode(t);
  await write(node, 'changed');
  writeBack.scheduleContent(node);
  await writeBack.giveUp();
  writeBack.scheduleContent(node);
  t.is(node.pins, 0);
  await t.throwsAsync(writeBack.store(node, signal), { code: 'EIO', message: /given up/ } as never);
  await t.throwsAsync(writeBack.drain(signal), { code: 'EIO' } as never);
  t.is(store.requestCount('put'), 0);
});

test('a node that the bucket lacks something of, and nobody will store, is found', async (t) => {
  const { node, writeBack } = await makeNode(t);
  writeBack.checkInvariants();
  node.hasUnstoredAttributes = true;
  t.throws(() => writeBack.checkInvariants(), { message: /nobody will store that/ });
  writeBack.scheduleAttributes(node);
  t.notThrows(() => writeBack.checkInvariants());
});
