/** Which chunk makes room first, and how. That bytes come back from the disk is for the tests of `StagingArea`. */
import { mkdtemp, open, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { MemoryLedger } from '../../src/staging/memory-ledger.js';
import { SpillFile } from '../../src/staging/spill-file.js';
import { Spiller } from '../../src/staging/spiller.js';
import { StagedChunk, type ChunkOwner, type Standing } from '../../src/staging/staged-chunk.js';
import { silentLog } from '../silent-log.js';
import { chunkBytes, makeGate } from './staging.js';

interface SpillerOptions {
  /** Places on disk, each for a chunk. */
  readonly diskChunks?: number;
  /** Awaited before the disk takes anything; it takes nothing if this rejects. */
  readonly disk?: () => Promise<void>;
  readonly isExpendable?: (chunk: StagedChunk) => boolean;
}

async function makeSpiller(t: ExecutionContext, options: SpillerOptions = {}) {
  const { diskChunks = 16, disk = () => Promise.resolve(), isExpendable = () => false } = options;
  const directory = await mkdtemp(path.join(os.tmpdir(), 'osirisfs-spiller-'));
  const file = new SpillFile({
    directory,
    limitBytes: diskChunks * chunkBytes,
    unitBytes: chunkBytes,
    maxSlotBytes: chunkBytes,
    log: silentLog,
    createFile: async () => {
      await disk();
      return open(path.join(directory, 'spill'), 'wx+');
    },
  });
  const memory = new MemoryLedger(16 * chunkBytes, chunkBytes);
  let rooms = 0;
  const spiller = new Spiller(file, memory, () => (rooms += 1));
  t.teardown(async () => {
    await spiller.idle();
    await file.stop();
    await rm(directory, { recursive: true });
  });
  const discarded: StagedChunk[] = [];
  const owner: ChunkOwner = { discard: (chunk) => discarded.push(chunk), isExpendable };
  let count = 0;
  /** A chunk in memory. */
  const add = (standing: Standing): StagedChunk => {
    const chunk = new StagedChunk(owner, count++, standing);
    if (!memory.tryTake(chunkBytes)) throw new Error('the test needs more memory');
    chunk.buffer = memory.allocate(chunkBytes);
    chunk.offset = chunk.index * chunkBytes;
    chunk.length = chunkBytes;
    spiller.place(chunk);
    return chunk;
  };
  const stand = (chunk: StagedChunk, standing: Standing) => {
    chunk.standing = standing;
    spiller.place(chunk);
  };
  /** Which of these is the next to make room. */
  const next = (isNeeded: boolean, ...chunks: StagedChunk[]): StagedChunk | undefined => {
    const before = chunks.filter(({ isSpilling, isFreed }) => isSpilling || isFreed);
    spiller.makeRoom(isNeeded);
    return chunks.find((chunk) => (chunk.isSpilling || chunk.isFreed) && !before.includes(chunk));
  };
  return { spiller, file, memory, discarded, add, stand, next, rooms: () => rooms };
}

test('what was changed longest ago goes to disk first', async (t) => {
  const { spiller, memory, add, next, rooms } = await makeSpiller(t);
  const [first, second, third] = [add('dirty'), add('dirty'), add('dirty')];
  spiller.place(first); // changed again
  t.is(next(false, first, second, third), second);
  t.is(next(false, first, second, third), third);
  t.is(spiller.spillingBytes, 2 * chunkBytes);
  await spiller.idle();
  t.is(rooms(), 2);
  t.is(spiller.spillingBytes, 0);
  t.is(second.buffer, undefined);
  t.not(second.slot, undefined);
  t.not(first.buffer, undefined);
  t.is(memory.usedBytes, chunkBytes);
  spiller.checkInvariants();
});

test('what an upload has too goes before what is only here, also to disk', async (t) => {
  const { spiller, discarded, add, next } = await makeSpiller(t);
  const [dirty, sent] = [add('dirty'), add('sent')];
  t.is(next(true, dirty, sent), sent);
  t.is(next(true, dirty, sent), dirty);
  await spiller.idle();
  t.not(sent.slot, undefined);
  t.deepEqual(discarded, []);
});

test('what is expendable is given up as soon as it is sent, and takes no place on disk', async (t) => {
  const { spiller, file, memory, discarded, add } = await makeSpiller(t, {
    isExpendable: ({ index }) => index > 0,
  });
  const header = add('sent');
  const sent = add('sent');
  t.true(spiller.makeRoom(false));
  t.true(header.isSpilling, 'it is not expendable');
  t.true(spiller.makeRoom(false));
  t.deepEqual(discarded, [sent]);
  t.true(sent.isFreed);
  t.is(memory.usedBytes, chunkBytes);
  await spiller.idle();
  t.is(file.allocatedBytes, chunkBytes);
  t.is(spiller.discardedChunks, 1);
});

test('without a disk what is sent is given up only when somebody needs the memory', async (t) => {
  const { spiller, discarded, add } = await makeSpiller(t, { diskChunks: 0 });
  const [dirty, sent] = [add('dirty'), add('sent')];
  t.false(spiller.makeRoom(false));
  t.deepEqual(discarded, []);
  t.true(spiller.makeRoom(true));
  t.deepEqual(discarded, [sent]);
  t.false(spiller.makeRoom(true), 'what is only here stays');
  t.not(dirty.buffer, undefined);
});

test('on a full disk what is sent makes way for what is only here', async (t) => {
  const { spiller, file, discarded, add, next } = await makeSpiller(t, { diskChunks: 1 });
  const sent = add('sent');
  spiller.makeRoom(false);
  await spiller.idle();
  const [first, second] = [add('dirty'), add('dirty')];
  t.false(spiller.makeRoom(false), 'not before it is needed');
  t.is(next(true, first, second), first);
  t.deepEqual(discarded, [sent]);
  t.is(sent.slot, undefined);
  t.false(spiller.makeRoom(true), 'there is no other');
  await spiller.idle();
  t.is(file.allocatedBytes, chunkBytes);
});

test('a spilled chunk that is being used, or is changed again, does not make way', async (t) => {
  const { spiller, discarded, add, stand } = await makeSpiller(t, { diskChunks: 2 });
  const [used, changed] = [add('sent'), add('sent')];
  while (spiller.makeRoom(false));
  await spiller.idle();
  used.pins += 1;
  spiller.place(used);
  stand(changed, 'dirty');
  add('dirty');
  t.false(spiller.makeRoom(true));
  used.pins -= 1;
  spiller.place(used);
  t.true(spiller.makeRoom(true));
  t.deepEqual(discarded, [used]);
});

test('what fills a part goes to disk only when it is needed and no part is on its way', async (t) => {
  const { spiller, add, stand } = await makeSpiller(t);
  const [queued, filling] = [add('queued'), add('filling')];
  t.false(spiller.makeRoom(true), 'the part will free memory');
  stand(queued, 'filling');
  t.false(spiller.makeRoom(false));
  t.true(spiller.makeRoom(true));
  t.true(filling.isSpilling, 'the other has changed since');
});

test('what is only here goes to disk before what fills a part', async (t) => {
  const { add, next } = await makeSpiller(t);
  const [filling, dirty] = [add('filling'), add('dirty')];
  t.is(next(true, filling, dirty), dirty);
  t.is(next(true, filling, dirty), filling);
});

for (const [what, change] of [
  ['written to', (chunk: StagedChunk) => chunk.write(chunk.offset, Buffer.of(1))],
  ['lent', (chunk: StagedChunk) => (chunk.pins += 1)],
] as const) {
  test(`a chunk that is ${what} while it is spilled stays in memory, and its place on disk is free again`, async (t) => {
    const gate = makeGate();
    const { spiller, file, memory, add, rooms } = await makeSpiller(t, { disk: () => gate.opened });
    const chunk = add('dirty');
    spiller.makeRoom(true);
    change(chunk);
    spiller.place(chunk);
    t.true(spiller.isMoving);
    t.is(spiller.spillingBytes, chunkBytes);
    t.is(file.allocatedBytes, chunkBytes);
    gate.open();
    await spiller.idle();
    t.not(chunk.buffer, undefined);
    t.is(chunk.slot, undefined);
    t.is(file.allocatedBytes, 0);
    t.is(memory.usedBytes, chunkBytes);
    t.is(spiller.spillingBytes, 0);
    t.is(rooms(), 1, 'the room that is missing can be looked for elsewhere');
    spiller.checkInvariants();
  });
}

test('a chunk that is freed while it is spilled does not keep its place on disk', async (t) => {
  const gate = makeGate();
  const { spiller, file, memory, add } = await makeSpiller(t, { disk: () => gate.opened });
  const chunk = add('dirty');
  spiller.makeRoom(true);
  chunk.isFreed = true;
  chunk.dropBuffer(memory);
  spiller.place(chunk);
  t.true(spiller.isMoving, 'its place on disk will be free');
  gate.open();
  await spiller.idle();
  t.is(chunk.slot, undefined);
  t.is(file.allocatedBytes, 0);
  t.false(spiller.isMoving);
});

test('a chunk that the disk does not take stays in memory', async (t) => {
  const { spiller, file, add, rooms } = await makeSpiller(t, {
    disk: () => Promise.reject(new Error('broken')),
  });
  const chunk = add('dirty');
  t.true(spiller.makeRoom(true));
  await spiller.idle();
  t.not(chunk.buffer, undefined);
  t.is(file.allocatedBytes, 0);
  t.is(rooms(), 1);
  t.false(spiller.makeRoom(true), 'it is not tried again');
});

test('no more than four chunks are on their way to disk at once', async (t) => {
  const gate = makeGate();
  const { spiller, add } = await makeSpiller(t, { disk: () => gate.opened });
  for (let count = 0; count < 5; count++) add('dirty');
  for (let count = 0; count < 4; count++) {
    t.true(spiller.canSpillMore);
    spiller.makeRoom(true);
  }
  t.false(spiller.canSpillMore);
  gate.open();
  await spiller.idle();
  t.true(spiller.canSpillMore);
});

test('memory is moving while a chunk is queued, lent or on its way to disk, and only then', async (t) => {
  const gate = makeGate();
  const { spiller, memory, add, stand } = await makeSpiller(t, { disk: () => gate.opened });
  t.false(spiller.isMoving);
  const chunk = add('dirty');
  for (const standing of ['filling', 'sent', 'dirty'] as const) {
    stand(chunk, standing);
    t.false(spiller.isMoving, standing);
  }
  stand(chunk, 'queued');
  t.true(spiller.isMoving);
  stand(chunk, 'dirty');
  chunk.pins += 1;
  spiller.place(chunk);
  t.true(spiller.isMoving);
  t.false(spiller.makeRoom(true), 'a chunk that is lent stays');
  chunk.pins -= 1;
  spiller.place(chunk);
  t.false(spiller.isMoving);
  spiller.makeRoom(true);
  t.true(spiller.isMoving);
  gate.open();
  await spiller.idle();
  t.false(spiller.isMoving);
  t.is(memory.usedBytes, 0);
});
