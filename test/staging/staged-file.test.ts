/** What a staged file promises beside the right bytes (`staged-file-model.test.ts` has those): commits, failures, aborts. */
import test from 'ava';
import { BlockReader } from '../../src/cache/block-reader.js';
import { ReadMemory } from '../../src/cache/read-memory.js';
import { FsError, StoreError } from '../../src/errors.js';
import type { ObjectVersion } from '../../src/object-version.js';
import type { MemoryObjectStore } from '../object-store/memory-object-store.js';
import { turnsUntil } from '../patience.js';
import { silentLog } from '../silent-log.js';
import { contentOf, makeFile, makeGate, makeStore, never, partBytes, pattern } from './staging.js';

function putBase(store: MemoryObjectStore, content: Buffer): ObjectVersion {
  return { key: 'file', etag: store.putForeign('file', content), size: content.length };
}

test('a new file is not in the bucket until it is committed, even if it is empty', async (t) => {
  const store = makeStore();
  const { file } = makeFile(t, store, undefined);
  t.true(file.isDirty);
  t.is(store.contentOf('file'), undefined);
  const version = await file.commit(never);
  t.false(file.isDirty);
  t.deepEqual(store.contentOf('file'), Buffer.alloc(0));
  t.deepEqual(file.base, version);
});

test('a file without changes asks the store for nothing', async (t) => {
  const store = makeStore();
  const base = putBase(store, pattern(500));
  const { file } = makeFile(t, store, base);
  t.deepEqual(await file.commit(never), base);
  await file.truncate(500, never);
  t.false(file.isDirty);
  t.is(store.requestCount(), 0);
});

test('small content is one PUT, and the reader knows it then', async (t) => {
  const store = makeStore();
  const { file, reader } = makeFile(t, store, undefined);
  await file.write(0, pattern(90), never);
  const { etag } = await file.commit(never);
  t.is(store.requestCount(), 1);
  t.deepEqual(store.contentOf('file'), pattern(90));
  t.deepEqual(reader.seeded.get(`file ${etag} 0`), pattern(90));
});

test('one byte changed in a larger object leaves the rest on the server', async (t) => {
  const store = makeStore();
  const content = pattern(5000);
  const { file } = makeFile(t, store, putBase(store, content));
  await file.write(2500, Buffer.of(0), never);
  await file.commit(never);
  content[2500] = 0;
  t.deepEqual(store.contentOf('file'), content);
  t.is(store.bytesSent, 100, 'one part of the smallest size');
  t.is(store.bytesReceived, 99);
});

test('a copied range stays on the server, and is read from its source until the commit', async (t) => {
  const store = makeStore();
  const source = { key: 'source', etag: store.putForeign('source', pattern(4000, 1)), size: 4000 };
  const { file } = makeFile(t, store, undefined);
  t.true(await file.insertCopy({ offset: 0, length: 3000 }, () => ({ version: source, offset: 500 }), never));
  t.deepEqual(await contentOf(file), pattern(4000, 1).subarray(500, 3500));
  store.resetCounters();
  await file.commit(never);
  t.is(store.bytesSent + store.bytesReceived, 0);
  t.deepEqual(store.contentOf('file'), pattern(4000, 1).subarray(500, 3500));
  t.is(store.uploads.size, 0);
});

test('it says where a range is stored, unless something waits to be stored', async (t) => {
  const store = makeStore();
  const base = putBase(store, pattern(500));
  const { file } = makeFile(t, store, base);
  t.deepEqual(file.storedRange(100, 200), { version: base, offset: 100 });
  t.is(file.storedRange(400, 101), undefined, 'nothing is behind the end');
  await file.write(300, pattern(10), never);
  t.is(file.storedRange(100, 200), undefined, 'its commit would replace the object');
});

test('holes are found where nothing was written', async (t) => {
  const { file } = makeFile(t, makeStore(), undefined);
  await file.write(100, pattern(50), never);
  await file.truncate(200, never);
  t.is(file.seek(0, 'hole'), 0);
  t.is(file.seek(0, 'data'), 100);
  t.is(file.seek(100, 'hole'), 150);
  t.is(file.seek(150, 'data'), undefined);
  t.is(file.seek(200, 'hole'), undefined);
});

test('what was written may be changed by its owner afterwards', async (t) => {
  const { file } = makeFile(t, makeStore(), undefined);
  const data = pattern(90);
  await file.write(0, data, never);
  data.fill(0);
  t.deepEqual(await contentOf(file), pattern(90));
});

test('what was read does not change when the file is written to', async (t) => {
  const { file } = makeFile(t, makeStore(), undefined);
  await file.write(0, pattern(90), never);
  const pieces = await file.read({ offset: 0, length: 90 }, never);
  await file.write(0, Buffer.alloc(90), never);
  t.deepEqual(Buffer.concat(pieces), pattern(90));
});

test('a failed commit keeps everything, and can be repeated', async (t) => {
  const store = makeStore();
  const { file } = makeFile(t, store, undefined, { streamingThresholdBytes: 1_000_000, memoryChunks: 1000 });
  await file.write(0, pattern(1000), never);
  for (const method of ['createUpload', 'uploadPart', 'completeUpload'] as const) {
    store.failNext(method, 'ServerError');
    const error = await t.throwsAsync(file.commit(never), { instanceOf: StoreError });
    t.is(error.code, 'ServerError');
    t.true(file.isDirty);
    t.is(store.uploads.size, 0, `${method}: the upload is aborted`);
    t.deepEqual(await contentOf(file), pattern(1000));
  }
  await file.commit(never);
  t.deepEqual(store.contentOf('file'), pattern(1000));
});

test('a change by somebody else is not overwritten, and the content can go to another key', async (t) => {
  for (const size of [50, 1000]) {
    const store = makeStore();
    const { file, goal } = makeFile(t, store, putBase(store, pattern(10)));
    await file.write(0, pattern(size, 1), never);
    store.putForeign('file', 'theirs');
    const error = await t.throwsAsync(file.commit(never), { instanceOf: StoreError });
    t.is(error.code, 'PreconditionFailed');
    t.is(store.contentOf('file')?.toString(), 'theirs');
    goal.key = 'rescued';
    t.is((await file.commit(never)).key, 'rescued');
    t.deepEqual(store.contentOf('rescued'), pattern(size, 1));
    await file.discard();
    t.is(store.uploads.size, 0);
  }
});

test('a commit that is interrupted while parts are sent stops at once and leaves no upload', async (t) => {
  const store = makeStore();
  const { file } = makeFile(t, store, putBase(store, pattern(2000)));
  await file.write(1000, pattern(500, 1), never);
  const gate = makeGate();
  store.beforeRequest = (method) => (method === 'uploadPart' ? gate.opened : undefined);
  const controller = new AbortController();
  const committing = file.commit(controller.signal);
  await turnsUntil('a part is sent', () => store.requestCount('uploadPart') > 0);
  controller.abort();
  const error = await t.throwsAsync(committing, { instanceOf: StoreError });
  t.is(error.code, 'Aborted');
  store.beforeRequest = () => undefined;
  gate.open();
  await turnsUntil('the upload is aborted', () => store.uploads.size === 0);
  t.true(file.isDirty);
  await file.commit(never);
  const expected = pattern(2000);
  expected.set(pattern(500, 1), 1000);
  t.deepEqual(store.contentOf('file'), expected);
});

test('an interrupt during the last request ends only the wait: the next commit finds it done', async (t) => {
  const store = makeStore();
  const { file } = makeFile(t, store, putBase(store, pattern(10)));
  await file.write(0, pattern(50, 1), never);
  const gate = makeGate();
  store.afterRequest = () => gate.opened;
  const controller = new AbortController();
  const committing = file.commit(controller.signal);
  await turnsUntil('it is stored', () => store.contentOf('file')?.length === 50);
  controller.abort();
  await t.throwsAsync(committing, { instanceOf: StoreError, message: /interrupted/ });
  gate.open();
  await file.commit(never);
  t.is(store.requestCount('put'), 1);
  t.false(file.isDirty);
});

test('what there is room for is written at once, and sent as far as a part is full', async (t) => {
  const store = makeStore();
  const { file } = makeFile(t, store, undefined);
  const data = pattern(4 * partBytes);
  for (let at = 0; at < data.length; at += 10)
    t.true(file.tryWrite(at, data.subarray(at, at + 10)), String(at));
  t.true(file.tryWrite(data.length - 20, Buffer.from('changed')));
  data.write('changed', data.length - 20);
  t.false(file.tryWrite(0, Buffer.alloc(0)), 'of nothing');
  t.deepEqual(await contentOf(file), data);
  const committing = file.commit(never);
  t.false(file.tryWrite(data.length - 20, Buffer.from('again')), 'while it is being stored');
  await committing;
  t.deepEqual(store.contentOf('file'), data);
  t.true(store.requestCount('uploadPart') > 1);
});

test('reading goes on while a commit is under way; writing waits for it', async (t) => {
  const store = makeStore();
  const { file } = makeFile(t, store, undefined);
  await file.write(0, pattern(90), never);
  const gate = makeGate();
  store.beforeRequest = () => gate.opened;
  const committing = file.commit(never);
  let isWritten = false;
  const writing = file.write(0, Buffer.of(0), never).then(() => (isWritten = true));
  t.deepEqual(await contentOf(file), pattern(90));
  t.false(isWritten);
  gate.open();
  await Promise.all([committing, writing]);
  t.deepEqual(store.contentOf('file'), pattern(90));
  t.true(file.isDirty);
});

test("a read that meets the file's own commit gets the bytes, though the object under it was replaced", async (t) => {
  const store = makeStore();
  const { file } = makeFile(t, store, putBase(store, pattern(90)));
  await file.write(0, Buffer.of(0), never);
  const gate = makeGate();
  store.afterRequest = (method) => (method === 'put' ? gate.opened : undefined);
  const committing = file.commit(never);
  await turnsUntil('it is stored', () => store.contentOf('file')?.[0] === 0);
  const reading = contentOf(file);
  await turnsUntil('the former version is asked for', () => store.requestCount('get') === 2);
  gate.open();
  const expected = pattern(90);
  expected[0] = 0;
  t.deepEqual(await reading, expected);
  await committing;
});

test('a detached file outlives its object', async (t) => {
  const store = makeStore();
  const { file } = makeFile(t, store, putBase(store, pattern(3000)), { memoryChunks: 4 });
  await file.write(100, Buffer.of(0), never);
  await file.detach(never);
  store.objects.delete('file');
  const expected = pattern(3000);
  expected[100] = 0;
  t.deepEqual(await contentOf(file), expected);
  t.is(file.base, undefined);
  await file.write(3000, pattern(1000), never);
  t.is(store.requestCount('createUpload'), 0, "nothing is streamed to a key that is not the file's any more");
});

test('an object that was replaced under the file cannot be read as a mixture', async (t) => {
  const store = makeStore();
  const { file } = makeFile(t, store, putBase(store, pattern(500)));
  store.putForeign('file', pattern(500, 1));
  const error = await t.throwsAsync(file.read({ offset: 0, length: 10 }, never), { instanceOf: StoreError });
  t.is(error.code, 'PreconditionFailed');
});

test('what is left of a file that is discarded is not to be stored', async (t) => {
  const { file } = makeFile(t, makeStore(), undefined);
  await file.write(0, pattern(10), never);
  await file.discard();
  t.false(file.isDirty);
});

test('a commit may put the file elsewhere, and tells the placement that said where', async (t) => {
  const store = makeStore();
  const base = putBase(store, pattern(500));
  const { file } = makeFile(t, store, base);
  await file.write(0, Buffer.of(0), never);
  const heard: ObjectVersion[] = [];
  const headers = { metadata: {} };
  const version = await file.commit(never, {
    target: () => ({ key: 'beside', headers, condition: { ifNoneMatch: '*' } }),
    onStored: (stored) => heard.push(stored),
  });
  t.deepEqual(heard, [version]);
  t.is(version.key, 'beside');
  t.deepEqual(store.contentOf('beside')?.subarray(1), pattern(500).subarray(1));
  t.deepEqual(store.contentOf('file'), pattern(500), 'the other is left as it is');
});

test('a file cannot be larger than an object', async (t) => {
  const { file } = makeFile(t, makeStore(), undefined);
  for (const work of [file.write(999_999, pattern(2), never), file.truncate(1_000_001, never)]) {
    const error = await t.throwsAsync(work, { instanceOf: FsError });
    t.is(error.code, 'EFBIG');
  }
  t.is(file.size, 0);
});

test('without room the writer gets ENOSPC, the file stays whole, and a commit makes room', async (t) => {
  const store = makeStore();
  const { file } = makeFile(t, store, putBase(store, pattern(5000)), { memoryChunks: 4, spillBytes: 0 });
  const expected = pattern(5000);
  const writeAt = async (offset: number) => {
    await file.write(offset, Buffer.of(0), never);
    expected[offset] = 0;
  };
  const error = await t.throwsAsync(
    (async () => {
      for (let offset = 0; offset < 5000; offset += 16) await writeAt(offset);
    })(),
    { instanceOf: FsError },
  );
  t.is(error.code, 'ENOSPC');
  t.deepEqual(await contentOf(file), expected);
  await file.commit(never);
  await writeAt(4999);
  await file.commit(never);
  t.deepEqual(store.contentOf('file'), expected);
});

test('discarding ends those who wait, and frees everything', async (t) => {
  const store = makeStore();
  const { file, area } = makeFile(t, store, undefined, { memoryChunks: 4, spillBytes: 0 });
  const gate = makeGate();
  store.beforeRequest = (method) => (method === 'uploadPart' ? gate.opened : undefined);
  const writing = file.write(0, pattern(1000), never);
  await turnsUntil('the writer waits', () => area.statistics().waiting > 0);
  const [error] = await Promise.all([t.throwsAsync(writing, { instanceOf: StoreError }), file.discard()]);
  t.is(error.code, 'Aborted');
  t.is(area.statistics().memoryBytes, 0);
  t.is(store.uploads.size, 0);
});

test('it works over the object reader', async (t) => {
  const store = makeStore();
  const reader = new BlockReader({
    store,
    memory: new ReadMemory({ cacheBytes: 100_000 }),
    blockBytes: 128,
    log: silentLog,
  });
  t.teardown(() => reader.stop());
  const { file } = makeFile(t, store, putBase(store, pattern(5000)), { reader });
  const stream = reader.createStream();
  await file.write(1000, pattern(50, 1), never);
  const expected = pattern(5000);
  expected.set(pattern(50, 1), 1000);
  t.deepEqual(Buffer.concat(await file.read({ offset: 0, length: 5000, stream }, never)), expected);
  await file.commit(never);
  t.deepEqual(Buffer.concat(await file.read({ offset: 0, length: 5000, stream }, never)), expected);
  await file.truncate(60, never);
  await file.commit(never);
  store.resetCounters();
  t.deepEqual(
    Buffer.concat(await file.read({ offset: 0, length: 5000, stream }, never)),
    expected.subarray(0, 60),
  );
  t.is(store.requestCount('get'), 0, 'what was put is in the cache');
  reader.closeStream(stream);
});

test('calls that overlap leave the file as if they had come one after the other', async (t) => {
  const store = makeStore();
  const { file } = makeFile(t, store, undefined, { memoryChunks: 5 });
  const expected = pattern(6400);
  const work: Promise<unknown>[] = [];
  for (let offset = 0; offset < 6400; offset += 100) {
    work.push(file.write(offset, expected.subarray(offset, offset + 100), never));
    if (offset % 800 === 0) work.push(file.commit(never), file.read({ offset: 0, length: offset }, never));
  }
  await Promise.all(work);
  t.deepEqual(await contentOf(file), expected);
  await file.commit(never);
  t.deepEqual(store.contentOf('file'), expected);
  t.is(store.uploads.size, 0);
});

test('a file cut after a completion failed leaves no part behind that the server would miss', async (t) => {
  for (const memoryChunks of [4, 16]) {
    const store = makeStore();
    const { file } = makeFile(t, store, undefined, { memoryChunks, spillBytes: 0 });
    await file.write(0, Buffer.alloc(129, 'a'), never);
    store.failNext('completeUpload', 'ServerError');
    await file.commit(never).catch(() => undefined); // one PUT, if all of it is still here
    await file.truncate(128, never);
    await file.commit(never);
    t.is(store.contentOf('file')?.toString(), 'a'.repeat(128));
    await file.write(128, Buffer.alloc(400, 'b'), never);
    await file.truncate(100, never);
    await file.commit(never);
    t.is(store.contentOf('file')?.toString(), 'a'.repeat(100));
    await file.discard();
  }
});

test('where multipart uploads are denied one PUT of any size is made', async (t) => {
  const store = makeStore();
  store.beforeRequest = (method) => {
    if (method === 'createUpload') throw new StoreError('AccessDenied', 'by the policy');
  };
  // Most of it is on disk, some in an object, some nowhere.
  const { file, area } = makeFile(t, store, undefined, { memoryChunks: 8 });
  const expected = Buffer.concat([pattern(2000), Buffer.alloc(300), pattern(500, 5)]);
  await file.write(0, expected.subarray(0, 2000), never);
  await file.write(2300, expected.subarray(2300), never);
  await file.commit(never);
  t.true(expected.equals(store.contentOf('file') ?? Buffer.alloc(0)));
  t.is(store.requestCount('put'), 1);
  await file.write(700, pattern(9, 3), never);
  pattern(9, 3).copy(expected, 700);
  await file.commit(never);
  t.true(expected.equals(store.contentOf('file') ?? Buffer.alloc(0)));
  t.is(store.uploads.size, 0);
  t.false(file.isDirty);
  t.is(area.statistics().memoryBytes, 0);
});

test('more than one PUT can take is refused as the upload was, and kept', async (t) => {
  const store = makeStore();
  store.beforeRequest = (method) => {
    if (method === 'createUpload') throw new StoreError('AccessDenied', 'by the policy');
  };
  const { file } = makeFile(t, store, undefined);
  await file.write(0, pattern(10_001), never);
  const error = await t.throwsAsync(file.commit(never), { instanceOf: StoreError });
  t.is(error.code, 'AccessDenied');
  t.is(store.requestCount('put'), 0);
  store.beforeRequest = () => undefined;
  await file.commit(never);
  t.true(pattern(10_001).equals(store.contentOf('file') ?? Buffer.alloc(0)));
});

test('a change may be refused in the turn in which it would be made, and then nothing has changed', async (t) => {
  const store = makeStore();
  const refusal = new FsError('ESTALE', 'replaced meanwhile');
  let isRefused = false;
  const mayChange = () => {
    if (isRefused) throw refusal;
  };
  const { file, area } = makeFile(t, store, putBase(store, pattern(500)), { mayChange });
  await file.write(0, Buffer.of(9), never);
  const gate = makeGate();
  store.beforeRequest = () => gate.opened;
  const committing = file.commit(never);
  const source = { version: { key: 'other', etag: 'e', size: 900 }, offset: 0 };
  const changes = [
    file.write(3, Buffer.of(1), never),
    file.truncate(7, never),
    file.zeroRange(0, 400, never),
    file.insertCopy({ offset: 0, length: 900 }, () => source, never),
  ].map((change) => t.throwsAsync(change, { is: refusal }));
  isRefused = true;
  gate.open();
  await committing;
  await Promise.all(changes);
  t.false(file.isDirty);
  t.is(file.size, 500);
  t.is(area.statistics().memoryBytes, 0);
});
