import os from 'node:os';
import test from 'ava';
import { StagedBytes } from '../../src/staging/staged-bytes.js';
import { StagingArea } from '../../src/staging/staging-area.js';
import { FsError, StoreError } from '../../src/errors.js';
import { silentLog } from '../silent-log.js';
import { chunkBytes, makeArea, never } from './staging.js';

function makeBytes(area: StagingArea) {
  const discarded: [number, number][] = [];
  const bytes = new StagedBytes({
    area,
    onDiscard: (offset, length) => discarded.push([offset, length]),
    isExpendable: () => false,
  });
  const write = (offset: number, content: Uint8Array, signal = never) =>
    bytes.write(offset, content, { signal, onWritten: () => undefined });
  const read = async (offset: number, length: number) =>
    Buffer.concat(await Promise.all(bytes.copy(offset, length)));
  return { bytes, discarded, write, read };
}

function chunk(fill: number): Buffer {
  return Buffer.alloc(chunkBytes, fill);
}

test('what does not fit into memory is spilled, and comes back', async (t) => {
  const area = makeArea(t, { memoryChunks: 4, spillBytes: 100_000 });
  const { write, read } = makeBytes(area);
  for (let index = 0; index < 50; index++) {
    await write(index * chunkBytes, chunk(index));
    area.checkInvariants();
  }
  const { peakMemoryBytes, spilledBytes } = area.statistics();
  t.true(peakMemoryBytes <= 4 * chunkBytes);
  t.true(spilledBytes >= 46 * chunkBytes);
  for (let index = 0; index < 50; index++)
    t.deepEqual(await read(index * chunkBytes, chunkBytes), chunk(index));
});

test('what there is memory for is written without waiting, and nothing beyond', async (t) => {
  const area = makeArea(t, { memoryChunks: 4, spillBytes: 100_000 });
  const { bytes, write, read } = makeBytes(area);
  const content = Buffer.alloc(4 * chunkBytes);
  for (let at = 0; at < content.length; at += 16) {
    content.fill(at, at, at + 16);
    t.true(bytes.tryWrite(at, content.subarray(at, at + 16)), String(at));
    area.checkInvariants();
  }
  t.false(bytes.tryWrite(content.length, Buffer.alloc(16)), 'the memory is full');
  t.true(bytes.tryWrite(20, Buffer.from('here')), 'there is memory for it already');
  content.write('here', 20);
  t.deepEqual(await read(0, content.length), content);
  await write(content.length, chunk(1));
  const isSpilled = area.statistics().spilledBytes > 0;
  t.true(isSpilled);
  t.false(bytes.tryWrite(chunkBytes, Buffer.from('away')), 'the longest unchanged is on disk');
  t.deepEqual(await read(0, content.length), content);
  area.checkInvariants();
});

test('nobody overtakes those who wait for memory', async (t) => {
  const area = makeArea(t, { memoryChunks: 4, spillBytes: 0 });
  const { bytes, write } = makeBytes(area);
  for (let index = 0; index < 3; index++) await write(index * chunkBytes, chunk(index));
  t.true(bytes.tryWrite(3 * chunkBytes, chunk(3).subarray(0, 8)));
  bytes.setStanding(0, chunkBytes, 'queued');
  const waiting = write(4 * chunkBytes, chunk(4));
  t.false(bytes.tryWrite(5 * chunkBytes, Buffer.alloc(8)));
  bytes.setStanding(0, chunkBytes, 'sent');
  await waiting;
  area.checkInvariants();
});

test('a spilled chunk that is written to keeps the rest of its bytes', async (t) => {
  const area = makeArea(t, { memoryChunks: 4, spillBytes: 100_000 });
  const { write, read } = makeBytes(area);
  for (let index = 0; index < 20; index++) await write(index * chunkBytes, chunk(index));
  await write(10, Buffer.alloc(5, 99));
  const expected = chunk(0);
  expected.fill(99, 10, 15);
  t.deepEqual(await read(0, chunkBytes), expected);
});

test('a small file takes little memory, which grows with it', async (t) => {
  const area = new StagingArea({
    memoryBytes: 2 ** 20,
    spillDirectory: os.tmpdir(),
    spillBytes: 0,
    log: silentLog,
  });
  t.teardown(() => area.stop());
  const { write, read } = makeBytes(area);
  await write(0, Buffer.from('short'));
  t.is(area.statistics().memoryBytes, 4096);
  for (let offset = 5; offset < 100_000; offset += 1000) await write(offset, Buffer.alloc(1000, 7));
  t.true(area.statistics().memoryBytes <= 200 * 1024);
  t.is((await read(0, 5)).toString(), 'short');
});

test('when neither the disk nor an upload makes room, the writer is told', async (t) => {
  const area = makeArea(t, { memoryChunks: 4, spillBytes: 2 * chunkBytes });
  const { write, read } = makeBytes(area);
  for (let index = 0; index < 6; index++) await write(index * chunkBytes, chunk(index));
  const error = await t.throwsAsync(write(6 * chunkBytes, chunk(6)), { instanceOf: FsError });
  t.is(error.code, 'ENOSPC');
  for (let index = 0; index < 6; index++)
    t.deepEqual(await read(index * chunkBytes, chunkBytes), chunk(index));
  area.checkInvariants();
});

test('a writer waits while what is being sent fills the memory, and goes on when it may be given up', async (t) => {
  const area = makeArea(t, { memoryChunks: 4, spillBytes: 0 });
  const { bytes, discarded, write } = makeBytes(area);
  for (let index = 0; index < 4; index++) await write(index * chunkBytes, chunk(index));
  bytes.setStanding(0, 4 * chunkBytes, 'queued');
  let isWritten = false;
  const writing = write(4 * chunkBytes, chunk(4)).then(() => (isWritten = true));
  await new Promise((resolve) => setImmediate(resolve));
  t.false(isWritten);
  t.is(area.statistics().waiting, 1);
  bytes.setStanding(0, chunkBytes, 'sent');
  await writing;
  t.deepEqual(discarded, [[0, chunkBytes]]);
});

test('what is about to be sent is spilled only when nothing is on its way', async (t) => {
  const area = makeArea(t, { memoryChunks: 4, spillBytes: 100_000 });
  const { bytes, write, read } = makeBytes(area);
  bytes.newStanding = 'filling';
  for (let index = 0; index < 4; index++) await write(index * chunkBytes, chunk(index));
  bytes.setStanding(0, chunkBytes, 'queued');
  const writing = write(4 * chunkBytes, chunk(4));
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
  t.is(area.statistics().waiting, 1);
  t.is(area.statistics().spilledBytes, 0);
  bytes.setStanding(0, chunkBytes, 'dirty'); // as after a failure
  await writing;
  for (let index = 5; index < 20; index++) await write(index * chunkBytes, chunk(index));
  for (let index = 0; index < 20; index++)
    t.deepEqual(await read(index * chunkBytes, chunkBytes), chunk(index));
});

test('a writer who waits can be interrupted, and nothing was written', async (t) => {
  const area = makeArea(t, { memoryChunks: 4, spillBytes: 0 });
  const { bytes, write } = makeBytes(area);
  for (let index = 0; index < 4; index++) await write(index * chunkBytes, chunk(index));
  bytes.setStanding(0, 4 * chunkBytes, 'queued');
  const controller = new AbortController();
  const writing = write(4 * chunkBytes, chunk(4), controller.signal);
  controller.abort();
  const error = await t.throwsAsync(writing, { instanceOf: StoreError });
  t.is(error.code, 'Aborted');
  t.is(area.statistics().waiting, 0);
  t.throws(() => bytes.copy(4 * chunkBytes, 1));
  area.checkInvariants();
});

test('what is lent stays in memory until it is given back', async (t) => {
  const area = makeArea(t, { memoryChunks: 4, spillBytes: 100_000 });
  const { bytes, write } = makeBytes(area);
  await write(0, chunk(1));
  const lent = bytes.lend(0, chunkBytes);
  for (let index = 1; index < 20; index++) await write(index * chunkBytes, chunk(index + 1));
  t.is(bytes.spilledBytes(0, chunkBytes), 0);
  t.deepEqual(Buffer.concat(await Promise.all(lent.pieces)), chunk(1));
  lent.release(true);
  for (let index = 20; index < 40; index++) await write(index * chunkBytes, chunk(index + 1));
  t.is(bytes.spilledBytes(0, chunkBytes), chunkBytes);
});

test('lent bytes outlive the file, and only then is their memory free', async (t) => {
  const area = makeArea(t, { memoryChunks: 4, spillBytes: 0 });
  const { bytes, write } = makeBytes(area);
  await write(0, chunk(1));
  const lent = bytes.lend(0, chunkBytes);
  bytes.free(0, chunkBytes, () => false);
  const other = makeBytes(area);
  for (let index = 0; index < 3; index++) await other.write(index * chunkBytes, chunk(9));
  t.is(area.statistics().memoryBytes, 4 * chunkBytes);
  t.deepEqual(Buffer.concat(await Promise.all(lent.pieces)), chunk(1));
  lent.release(true);
  t.is(area.statistics().memoryBytes, 3 * chunkBytes);
});

test('spilled bytes that were sent make way for others when the disk is full', async (t) => {
  const area = makeArea(t, { memoryChunks: 4, spillBytes: 4 * chunkBytes });
  const { bytes, discarded, write, read } = makeBytes(area);
  for (let index = 0; index < 4; index++) await write(index * chunkBytes, chunk(index));
  bytes.setStanding(0, 4 * chunkBytes, 'sent');
  for (let index = 4; index < 12; index++) await write(index * chunkBytes, chunk(index));
  t.true(discarded.length >= 4, 'eight dirty chunks need the memory and the disk');
  for (let index = 4; index < 12; index++)
    t.deepEqual(await read(index * chunkBytes, chunkBytes), chunk(index));
});

test('a stopped area refuses those who wait', async (t) => {
  const area = makeArea(t, { memoryChunks: 4, spillBytes: 0 });
  const { bytes, write } = makeBytes(area);
  for (let index = 0; index < 4; index++) await write(index * chunkBytes, chunk(index));
  bytes.setStanding(0, 4 * chunkBytes, 'queued');
  const writing = write(4 * chunkBytes, chunk(4));
  await Promise.all([t.throwsAsync(writing, { instanceOf: FsError }), area.stop()]);
});
