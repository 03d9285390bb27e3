/** Files that are sent while they are being written. */
import test from 'ava';
import { StoreError } from '../../src/errors.js';
import { TestClock } from '../clock.js';
import { manyTurns, turnsUntil } from '../patience.js';
import {
  chunkBytes,
  contentOf,
  makeArea,
  makeFile,
  makeGate,
  makeStore,
  never,
  partBytes,
  pattern,
} from './staging.js';
import { silentLog } from '../silent-log.js';

test('parts are sent while the file is written, and the commit sends only the rest', async (t) => {
  const store = makeStore();
  const { file } = makeFile(t, store, undefined);
  await file.write(0, pattern(3 * partBytes + 10), never);
  await turnsUntil('full parts are sent', () => store.bytesSent === 3 * partBytes);
  t.is(store.contentOf('file'), undefined);
  await file.commit(never);
  t.is(store.bytesSent, 3 * partBytes + 10);
  t.deepEqual(store.contentOf('file'), pattern(3 * partBytes + 10));
});

test('nothing is streamed below the threshold', async (t) => {
  const store = makeStore();
  const { file } = makeFile(t, store, undefined, {
    memoryChunks: 1000,
    streamingThresholdBytes: 5 * partBytes,
  });
  await file.write(0, pattern(5 * partBytes - 1), never);
  await file.commit(never);
  t.is(store.requestCount('createUpload'), 1, 'at the commit');
  await file.truncate(0, never);
  await file.write(0, pattern(5 * partBytes), never);
  await turnsUntil('at the threshold', () => store.requestCount('createUpload') === 2);
});

test('a part that is changed after it was sent is sent again, others are not', async (t) => {
  const store = makeStore();
  const { file } = makeFile(t, store, undefined);
  await file.write(0, pattern(4 * partBytes), never);
  await turnsUntil('parts are sent', () => store.bytesSent === 4 * partBytes);
  await file.write(partBytes + 5, Buffer.of(0), never);
  await file.commit(never);
  const expected = pattern(4 * partBytes);
  expected[partBytes + 5] = 0;
  t.deepEqual(store.contentOf('file'), expected);
  t.is(store.bytesSent, 5 * partBytes);
});

test('a part that is changed while it is sent is sent again', async (t) => {
  const store = makeStore();
  const { file } = makeFile(t, store, undefined);
  const gate = makeGate();
  store.beforeRequest = (method) => (method === 'uploadPart' ? gate.opened : undefined);
  await file.write(0, pattern(2 * partBytes), never);
  await turnsUntil('parts are on their way', () => store.requestCount('uploadPart') === 2);
  await file.write(0, Buffer.of(0), never);
  gate.open();
  await file.commit(never);
  const expected = pattern(2 * partBytes);
  expected[0] = 0;
  t.deepEqual(store.contentOf('file'), expected);
});

test('a file cut off behind its sent parts begins anew there', async (t) => {
  const store = makeStore();
  const { file } = makeFile(t, store, undefined);
  await file.write(0, pattern(4 * partBytes), never);
  await turnsUntil('parts are sent', () => store.bytesSent === 4 * partBytes);
  await file.truncate(partBytes + 20, never);
  await file.write(partBytes + 20, pattern(2 * partBytes, 1), never);
  await file.commit(never);
  const expected = Buffer.concat([pattern(partBytes + 20), pattern(2 * partBytes, 1)]);
  t.deepEqual(store.contentOf('file'), expected);
  t.is(store.bytesSent, 4 * partBytes + 2 * partBytes + 20, 'the first part is not sent again');
});

test('what is left of a part that was cut through while it was sent is not overtaken by it', async (t) => {
  const store = makeStore();
  const { file } = makeFile(t, store, undefined);
  const gate = makeGate();
  store.beforeRequest = (method) =>
    method === 'uploadPart' && store.requestCount('uploadPart') === 2 ? gate.opened : undefined;
  await file.write(0, pattern(2 * partBytes), never);
  await turnsUntil('the first part is sent', () => store.bytesSent >= partBytes);
  await turnsUntil('the second one is on its way', () => store.requestCount('uploadPart') === 2);
  await file.truncate(partBytes + 20, never);
  const committing = file.commit(never);
  await manyTurns();
  gate.open();
  await committing;
  t.deepEqual(store.contentOf('file'), pattern(partBytes + 20));
});

test('parts that were cut off while they were sent do not keep the file from being stored', async (t) => {
  const store = makeStore();
  const area = makeArea(t, { memoryChunks: 8 });
  const { file } = makeFile(t, store, undefined, { area, isWriteOnly: () => true });
  const gate = makeGate();
  store.beforeRequest = (method) => (method === 'uploadPart' ? gate.opened : undefined);
  await file.write(0, pattern(4 * partBytes), never);
  await turnsUntil('three parts are on their way', () => store.requestCount('uploadPart') === 3);
  await file.truncate(2 * partBytes, never);
  gate.open();
  await turnsUntil('they are sent', () => store.bytesSent === 3 * partBytes);
  // Another file wants their memory.
  const other = makeFile(t, store, undefined, { area, streamingThresholdBytes: Infinity });
  other.goal.key = 'other';
  await other.file.write(0, pattern(6 * chunkBytes), never);
  await other.file.commit(never);
  await file.commit(never);
  t.deepEqual(store.contentOf('file'), pattern(2 * partBytes));
});

test('a file cut off at zero leaves no upload', async (t) => {
  const store = makeStore();
  const { file } = makeFile(t, store, undefined);
  await file.write(0, pattern(4 * partBytes), never);
  await turnsUntil('parts are sent', () => store.bytesSent > 0);
  await file.truncate(0, never);
  await turnsUntil('the upload is aborted', () => store.uploads.size === 0);
  await file.commit(never);
  t.deepEqual(store.contentOf('file'), Buffer.alloc(0));
});

test('a part that fails in the background is tried again by the commit, and only then reported', async (t) => {
  const store = makeStore();
  const { file } = makeFile(t, store, undefined);
  store.failNext('uploadPart', 'Unreachable', 1);
  await file.write(0, pattern(partBytes), never);
  await turnsUntil('a part is tried', () => store.requestCount('uploadPart') === 1);
  store.failNext('uploadPart', 'Unreachable', 1);
  const error = await t.throwsAsync(file.commit(never), { instanceOf: StoreError });
  t.is(error.code, 'Unreachable');
  t.true(file.isDirty);
  await file.commit(never);
  t.deepEqual(store.contentOf('file'), pattern(partBytes));
});

test('while the store fails one part at a time is tried, and all of them when it works again', async (t) => {
  const store = makeStore();
  const { file } = makeFile(t, store, undefined, { memoryChunks: 1000 });
  let isDown = true;
  store.beforeRequest = (method) => {
    if (method === 'uploadPart' && isDown) throw new StoreError('Unreachable', 'down');
  };
  const expected = pattern(20 * partBytes);
  for (let offset = 0; offset < 10 * partBytes; offset += 16) {
    await file.write(offset, expected.subarray(offset, offset + 16), never);
  }
  const tried = store.requestCount('uploadPart');
  t.true(tried <= 12, `${tried} tries for ten parts`);
  isDown = false;
  await file.write(10 * partBytes, expected.subarray(10 * partBytes), never);
  await turnsUntil('the background has caught up', () => store.bytesSent >= 10 * partBytes);
  await file.commit(never);
  t.deepEqual(store.contentOf('file'), expected);
});

test('a part that is tried again in the background while the file is committed is sent once', async (t) => {
  const store = makeStore();
  const { file } = makeFile(t, store, undefined);
  const second = makeGate();
  const third = makeGate();
  store.beforeRequest = (method) => {
    if (method !== 'uploadPart') return undefined;
    const request = store.requestCount('uploadPart');
    if (request === 1) throw new StoreError('Unreachable', 'down');
    return request === 2 ? second.opened : third.opened;
  };
  await file.write(0, pattern(2 * partBytes), never);
  await turnsUntil('both parts are tried', () => store.requestCount('uploadPart') === 2);
  const committing = file.commit(never);
  second.open();
  await turnsUntil('the first part is tried again', () => store.requestCount('uploadPart') === 3);
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
  third.open();
  await committing;
  t.is(store.requestCount('uploadPart'), 3);
  t.deepEqual(store.contentOf('file'), pattern(2 * partBytes));
});

test('an upload that vanished from the server is made anew', async (t) => {
  const store = makeStore();
  const { file } = makeFile(t, store, undefined);
  await file.write(0, pattern(3 * partBytes), never);
  await turnsUntil('parts are sent', () => store.bytesSent === 3 * partBytes);
  store.uploads.clear();
  await file.commit(never);
  t.deepEqual(store.contentOf('file'), pattern(3 * partBytes));
});

test('an upload whose parts the server refuses at the end is made anew while all bytes are here', async (t) => {
  const store = makeStore();
  const { file } = makeFile(t, store, undefined, { memoryChunks: 64 });
  const data = pattern(8 * partBytes);
  await file.write(0, data, never);
  await turnsUntil('parts are sent', () => store.bytesSent >= 3 * partBytes);
  const refused = [...store.uploads.keys()];
  let completions = 0;
  store.beforeRequest = (method) => {
    if (method !== 'completeUpload') return;
    completions += 1;
    // A part is not there any more, which stays so.
    if (completions === 1) throw new StoreError('InvalidRequest', 'completeUpload file: InvalidPart');
  };
  await file.commit(never);
  t.deepEqual(store.contentOf('file'), data);
  t.is(refused.length, 1, 'it was sent while it was written');
  t.deepEqual([...store.uploads.keys()], []);
  t.false(file.isDirty);
});

test('attributes changed after the upload began are on the object', async (t) => {
  const store = makeStore();
  const { file, goal } = makeFile(t, store, undefined);
  await file.write(0, pattern(3 * partBytes), never);
  goal.mode = '0600';
  store.failNext('copy', 'ServerError');
  await t.throwsAsync(file.commit(never), { instanceOf: StoreError });
  t.true(file.isDirty, 'the object lacks the attributes');
  const version = await file.commit(never);
  t.is(store.objects.get('file')?.info.metadata['mode'], '0600');
  t.is(store.objects.get('file')?.info.etag, version.etag);
  t.deepEqual(store.contentOf('file'), pattern(3 * partBytes));
  t.is(store.bytesSent, 3 * partBytes, 'the bytes are sent once');
  t.false(file.isDirty);
});

test('a file that is renamed while it is sent is stored under its new name only', async (t) => {
  for (const spillBytes of [1_000_000, 0]) {
    const store = makeStore();
    const { file, goal, area } = makeFile(t, store, undefined, { memoryChunks: 8, spillBytes });
    await file.write(0, pattern(20 * partBytes), never);
    t.is(area.statistics().discardedChunks > 0, spillBytes === 0);
    goal.key = 'renamed';
    t.is((await file.commit(never)).key, 'renamed');
    t.deepEqual([...store.objects.keys()], ['renamed']);
    t.deepEqual(store.contentOf('renamed'), pattern(20 * partBytes));
    await file.discard();
    t.is(store.uploads.size, 0);
  }
});

test('memory is enough for a file of any size, and what had to be given up is published when it is asked for', async (t) => {
  const store = makeStore();
  const messages: string[] = [];
  const log = { ...silentLog, info: (_: object, message: string) => messages.push(message) };
  const { file, area } = makeFile(t, store, undefined, { memoryChunks: 8, spillBytes: 0, log });
  const expected = pattern(40 * partBytes);
  for (let offset = 0; offset < expected.length; offset += 50) {
    await file.write(offset, expected.subarray(offset, offset + 50), never);
  }
  t.true(area.statistics().peakMemoryBytes <= 8 * chunkBytes);
  t.is(store.contentOf('file'), undefined);
  t.deepEqual(await contentOf(file), expected);
  t.deepEqual(store.contentOf('file'), expected, 'it had to be published');
  t.deepEqual(messages, ['stored before it is closed: there was no room to keep what was uploaded already']);
  await file.write(3, Buffer.of(0), never);
  expected[3] = 0;
  await file.commit(never);
  t.deepEqual(store.contentOf('file'), expected);
});

test('a change of what was given up is made to the published object', async (t) => {
  const store = makeStore();
  for (const change of ['write', 'truncate', 'zero'] as const) {
    const { file, goal } = makeFile(t, store, undefined, { memoryChunks: 8, spillBytes: 0 });
    goal.key = change;
    await file.write(0, pattern(20 * partBytes), never);
    const expected = pattern(20 * partBytes);
    if (change === 'write') await file.write(5, Buffer.of(0), never);
    else if (change === 'zero') await file.zeroRange(5, 1, never);
    else await file.truncate(partBytes + 1, never);
    t.deepEqual(store.contentOf(change), expected);
    expected[5] = change === 'truncate' ? (expected[5] ?? 0) : 0;
    await file.commit(never);
    t.deepEqual(
      store.contentOf(change),
      change === 'truncate' ? expected.subarray(0, partBytes + 1) : expected,
    );
  }
});

test('what only a writer has open is not kept once it is sent, but for its first part', async (t) => {
  const store = makeStore();
  let isWriteOnly = true;
  const { file, area } = makeFile(t, store, undefined, { memoryChunks: 8, isWriteOnly: () => isWriteOnly });
  const expected = pattern(40 * partBytes);
  for (let offset = 0; offset < expected.length / 2; offset += 50) {
    await file.write(offset, expected.subarray(offset, Math.min(offset + 50, expected.length / 2)), never);
  }
  const discarded = area.statistics().discardedChunks;
  t.true(discarded > 0);
  t.true(area.statistics().spilledBytes <= partBytes, 'no more than the first part');
  await file.write(3, Buffer.of(0), never);
  expected[3] = 0;
  t.is(store.contentOf('file'), undefined, 'a header is changed without a publication');
  isWriteOnly = false;
  await file.write(expected.length / 2, expected.subarray(expected.length / 2), never);
  t.true(area.statistics().spilledBytes > partBytes, 'from then on it is kept on disk');
  await file.commit(never);
  t.deepEqual(store.contentOf('file'), expected);
});

test('what is sent is kept here all the same when the upload is so old that a server may have thrown it away', async (t) => {
  const store = makeStore();
  const clock = new TestClock();
  const { file, area } = makeFile(t, store, undefined, { memoryChunks: 8, isWriteOnly: () => true, clock });
  await file.write(0, pattern(20 * partBytes), never);
  const discarded = area.statistics().discardedChunks;
  t.true(discarded > 0);
  clock.advance(3_600_000);
  await file.write(20 * partBytes, pattern(20 * partBytes), never);
  t.is(area.statistics().discardedChunks, discarded);
  t.true(area.statistics().spilledBytes > partBytes);
});

test('a writer who has gone back once is not published early a second time', async (t) => {
  const store = makeStore();
  const messages: string[] = [];
  const log = { ...silentLog, info: (_: object, message: string) => messages.push(message) };
  const { file } = makeFile(t, store, undefined, { memoryChunks: 8, isWriteOnly: () => true, log });
  const expected = pattern(60 * partBytes);
  for (let part = 0; part < 60; part++) {
    const offset = part * partBytes;
    await file.write(offset, expected.subarray(offset, offset + partBytes), never);
    if (part < 30 || part % 10 > 0) continue;
    store.resetCounters();
    await file.write(offset - 20 * partBytes, Buffer.of(part), never);
    expected[offset - 20 * partBytes] = part;
    t.is(store.requestCount('completeUpload'), part === 30 ? 1 : 0, `part ${part}`);
  }
  await file.commit(never);
  t.deepEqual(store.contentOf('file'), expected);
});

test('a failed completion keeps the parts that are only on the server', async (t) => {
  const store = makeStore();
  const { file } = makeFile(t, store, undefined, { memoryChunks: 8, spillBytes: 0 });
  await file.write(0, pattern(20 * partBytes), never);
  store.failNext('completeUpload', 'ServerError', 2);
  for (let attempt = 0; attempt < 2; attempt++) {
    await t.throwsAsync(file.commit(never), { instanceOf: StoreError });
    t.is(store.uploads.size, 1);
  }
  await file.commit(never);
  t.deepEqual(store.contentOf('file'), pattern(20 * partBytes));
});

test('what is appended to an object is streamed, and what is changed in the object meanwhile is stored with it', async (t) => {
  const store = makeStore();
  const base = { key: 'file', etag: store.putForeign('file', pattern(3001, 1)), size: 3001 };
  const { file } = makeFile(t, store, base, { memoryChunks: 8, spillBytes: 0 });
  for (let offset = 0; offset < 20 * partBytes; offset += 16) {
    await file.write(3001 + offset, pattern(20 * partBytes).subarray(offset, offset + 16), never);
  }
  t.true(store.requestCount('uploadPart') > 15);
  t.is(store.requestCount('uploadPartCopy'), 0);
  await file.write(1500, Buffer.of(0), never);
  const expected = Buffer.concat([pattern(3001, 1), pattern(20 * partBytes)]);
  expected[1500] = 0;
  await file.commit(never);
  t.deepEqual(store.contentOf('file'), expected);
  t.true(store.bytesSent < 20 * partBytes + 500, `${store.bytesSent}`);
});

test('a file cut off within the object that it was appended to is planned anew', async (t) => {
  const store = makeStore();
  const base = { key: 'file', etag: store.putForeign('file', pattern(3001, 1)), size: 3001 };
  const { file } = makeFile(t, store, base, { memoryChunks: 8, spillBytes: 0 });
  await file.write(3001, pattern(20 * partBytes), never);
  await file.truncate(2000, never);
  await turnsUntil('the upload is aborted', () => store.uploads.size === 0);
  await file.commit(never);
  t.deepEqual(store.contentOf('file'), pattern(3001, 1).subarray(0, 2000));
  t.is(store.bytesReceived, 0);
});

test('a write that makes a part full, and goes on into it, is sent whole', async (t) => {
  const expected = pattern(4 * chunkBytes);
  expected.fill(0, 0, 20);
  const overwritten = pattern(2 * chunkBytes + 1, 9);
  const content = Buffer.concat([overwritten, expected.subarray(overwritten.length)]);
  // So little memory that the write waits for the disk between its pieces, now longer and now less long.
  for (let round = 0; round < 30; round++) {
    const store = makeStore();
    const { file } = makeFile(t, store, undefined, { memoryChunks: 4 });
    await file.write(20, expected.subarray(20), never);
    t.is(store.requestCount('createUpload'), 0, 'nothing is staged at the beginning yet');
    await file.write(0, overwritten, never);
    await file.commit(never);
    t.true(content.equals(store.contentOf('file') ?? Buffer.alloc(0)));
  }
});

test('a part that is cut while it is read from disk is not stored, and the file is', async (t) => {
  const store = makeStore();
  const gate = makeGate();
  // Each streamed part is larger than the memory.
  const options = { memoryChunks: 4, partBytes: 10 * chunkBytes, heldBytes: chunkBytes };
  const { file } = makeFile(t, store, undefined, options);
  store.beforeRequest = (method) => (method === 'createUpload' ? gate.opened : undefined);
  await file.write(0, pattern(10 * chunkBytes), never);
  await turnsUntil('the upload begins', () => store.requestCount('createUpload') === 1);
  gate.open();
  await file.truncate(3 * chunkBytes + 5, never);
  await file.commit(never);
  t.deepEqual(store.contentOf('file'), pattern(10 * chunkBytes).subarray(0, 3 * chunkBytes + 5));
  t.is(store.uploads.size, 0);
});
