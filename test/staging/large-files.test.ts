/** What large files cost: memory, and bytes that are moved. The objects have no bytes here. */
import { setMaxListeners } from 'node:events';
import os from 'node:os';
import test, { type ExecutionContext } from 'ava';
import { StagedFile } from '../../src/staging/staged-file.js';
import { StagingArea } from '../../src/staging/staging-area.js';
import { Limiter } from '../../src/concurrency/limiter.js';
import type { StoreLimits } from '../../src/object-store.js';
import type { ObjectVersion } from '../../src/object-version.js';
import { HollowObjectStore } from './hollow-object-store.js';
import { silentLog } from '../silent-log.js';
import { ownerOf } from './staging.js';
import { StoreReader } from './store-reader.js';

const never = new AbortController().signal;
setMaxListeners(0, never); // one for all calls of all tests
const mebibyte = 1024 * 1024;
const gibibyte = 1024 * mebibyte;

function makeLarge(
  t: ExecutionContext,
  base: (store: HollowObjectStore) => ObjectVersion | undefined,
  spillBytes: number,
  limits: Partial<StoreLimits> = {},
) {
  const store = new HollowObjectStore(limits);
  const area = new StagingArea({
    memoryBytes: 32 * mebibyte,
    spillDirectory: os.tmpdir(),
    spillBytes,
    log: silentLog,
  });
  const file: StagedFile = new StagedFile({
    area,
    reader: new StoreReader(store),
    store,
    uploads: new Limiter({ maxTasks: 6, maxBytes: 64 * 1024 * 1024 }),
    base: base(store),
    owner: ownerOf(() => ({ key: 'file', headers: { metadata: {} }, condition: {} })),
    log: silentLog,
  });
  t.teardown(async () => {
    await file.discard();
    await area.stop();
  });
  return { store, area, file };
}

/** Eight bytes that say where they are. */
function stamp(buffer: Buffer, offset: number): void {
  for (let at = 0; at < buffer.length; at += 4096) buffer.writeDoubleLE(offset + at, at);
}

for (const [where, spillBytes] of [
  ['a disk', gibibyte / 4],
  ['no disk', 0],
] as const) {
  test(`1 GiB goes through 32 MiB of memory and ${where}, each byte once`, async (t) => {
    const { store, area, file } = makeLarge(t, () => undefined, spillBytes);
    const stamps = new Map<number, number[]>();
    store.onPart = (partNumber, body) => {
      const found: number[] = [];
      for (const piece of body) {
        const buffer = Buffer.from(piece.buffer, piece.byteOffset, piece.length);
        for (let at = 0; at < buffer.length; at += 4096) found.push(buffer.readDoubleLE(at));
      }
      stamps.set(partNumber, found);
    };
    const data = Buffer.alloc(mebibyte);
    for (let offset = 0; offset < gibibyte; offset += mebibyte) {
      stamp(data, offset);
      await file.write(offset, data, never);
    }
    t.is((await file.commit(never)).size, gibibyte);
    const all = [...stamps].sort(([a], [b]) => a - b).flatMap(([, found]) => found);
    t.is(all.length, gibibyte / 4096);
    t.true(all.every((offset, index) => offset === index * 4096));
    t.is(store.bytesSent, gibibyte);
    t.true(area.statistics().peakMemoryBytes <= 32 * mebibyte);
    t.true(store.peakPartsInFlight > 1);
    t.is(area.statistics().memoryBytes, 0);
  });
}

test('parts larger than the memory are read from disk while they are sent, a little at once', async (t) => {
  const size = gibibyte / 2;
  // As a file of some hundred GiB has them where ten thousand parts are the most.
  const limits = { maxParts: 10, maxPartSize: gibibyte, maxObjectSize: 10 * gibibyte };
  const { store, area, file } = makeLarge(t, () => undefined, gibibyte, limits);
  const ranges = new Map<number, { from: number; to: number }>();
  let mostAtOnce = 0;
  store.onPart = (partNumber, body) => {
    mostAtOnce = Math.max(
      mostAtOnce,
      body.reduce((sum, { length }) => sum + length, 0),
    );
    for (const piece of body) {
      const from = Buffer.from(piece.buffer, piece.byteOffset, piece.length).readDoubleLE(0);
      const range = ranges.get(partNumber) ?? { from, to: from };
      t.is(from, range.to);
      ranges.set(partNumber, { ...range, to: from + piece.length });
    }
  };
  const data = Buffer.alloc(mebibyte);
  for (let offset = 0; offset < size; offset += mebibyte) {
    stamp(data, offset);
    await file.write(offset, data, never);
  }
  t.is((await file.commit(never)).size, size);
  const parts = [...ranges].sort(([a], [b]) => a - b).map(([, range]) => range);
  for (const [index, { from }] of parts.entries()) t.is(from, parts[index - 1]?.to ?? 0);
  t.is(parts.at(-1)?.to, size);
  t.true(parts.some(({ from, to }) => to - from > 2 * 32 * mebibyte));
  t.true(mostAtOnce <= 32 * mebibyte, `${mostAtOnce} at once`);
  t.true(area.statistics().peakMemoryBytes <= 32 * mebibyte);
});

for (const [change, offset, length, limit] of [
  ['4 KiB changed in the middle', gibibyte / 2 + 777, 4096, 10 * mebibyte],
  ['4 KiB changed at the beginning', 0, 4096, 10 * mebibyte],
  ['one byte appended', gibibyte, 1, 1],
] as const) {
  test(`${change} of 1 GiB: no more than ${limit} bytes are moved`, async (t) => {
    const { store, file } = makeLarge(t, (made) => made.makeObject('file', gibibyte), 0);
    await file.write(offset, Buffer.alloc(length, 1), never);
    const { size } = await file.commit(never);
    t.is(size, Math.max(gibibyte, offset + length));
    t.true(store.bytesSent + store.bytesReceived <= limit, `${store.bytesSent} + ${store.bytesReceived}`);
    t.is(store.bytesSent + store.bytesCopied, size);
  });
}

test('256 MiB written at random over a larger object goes through 32 MiB of memory', async (t) => {
  const size = 2 * gibibyte;
  const { store, area, file } = makeLarge(t, (made) => made.makeObject('file', size), 2 * gibibyte);
  const data = Buffer.alloc(mebibyte);
  for (let index = 0; index < 256; index++) {
    await file.write(((index * 617) % 1024) * 2 * mebibyte, data, never);
  }
  t.is((await file.commit(never)).size, size);
  t.true(area.statistics().peakMemoryBytes <= 32 * mebibyte);
  t.is(store.bytesSent + store.bytesCopied, size);
});

test('1 GiB appended to 1 GiB goes through 32 MiB of memory without a disk, and the object stays on the server', async (t) => {
  const { store, area, file } = makeLarge(t, (made) => made.makeObject('file', gibibyte + 1), 0);
  const data = Buffer.alloc(mebibyte);
  for (let index = 0; index < 1024; index++) await file.write(gibibyte + 1 + index * mebibyte, data, never);
  await file.write(5, Buffer.of(1), never);
  t.is((await file.commit(never)).size, 2 * gibibyte + 1);
  t.true(store.bytesSent <= gibibyte + 16 * mebibyte, `${store.bytesSent}`);
  t.is(store.bytesSent + store.bytesCopied, 2 * gibibyte + 1);
  t.true(area.statistics().peakMemoryBytes <= 32 * mebibyte);
});
