/** One upload: its beginning, its parts, its end. Which parts there are is for the tests of the plans. */
import test, { type ExecutionContext } from 'ava';
import { Limiter } from '../../src/concurrency/limiter.js';
import { StoreError } from '../../src/errors.js';
import { FileContent } from '../../src/staging/file-content.js';
import { MultipartUpload } from '../../src/staging/multipart-upload.js';
import type { PlannedPart } from '../../src/staging/upload-plan.js';
import { TestClock } from '../clock.js';
import type { MemoryObjectStore } from '../object-store/memory-object-store.js';
import { manyTurns, turnsUntil } from '../patience.js';
import { silentLog } from '../silent-log.js';
import { makeArea, makeGate, makeStore, never, pattern, type StagingOptions } from './staging.js';
import { StoreReader } from './store-reader.js';

async function makeUpload(
  t: ExecutionContext,
  store: MemoryObjectStore,
  { memoryChunks = 64, ...options }: StagingOptions = {},
) {
  const area = makeArea(t, { memoryChunks, ...options });
  const reader = new StoreReader(store);
  const content = new FileContent({ area, reader, base: undefined, isExpendable: () => false });
  await content.write(0, pattern(1000), { signal: never });
  t.teardown(() => content.reset(undefined));
  const limiter = new Limiter({ maxTasks: 3 });
  const warnings: string[] = [];
  const services = {
    store,
    limiter,
    content,
    heldBytes: 200,
    clock: new TestClock(),
    log: { ...silentLog, warn: (_: object, message: string) => warnings.push(message) },
    onCleanup: () => undefined,
  };
  const upload = new MultipartUpload(services, 'file', { metadata: {} });
  return { upload, area, content, limiter, warnings };
}

function part(offset: number, length: number): PlannedPart {
  return { offset, length, copyFrom: undefined };
}

test('an upload is begun once for all who ask', async (t) => {
  const store = makeStore();
  const { upload } = await makeUpload(t, store);
  const ids = await Promise.all([upload.begin(never), upload.begin(never)]);
  ids.push(await upload.begin(never));
  t.is(new Set(ids).size, 1);
  t.is(store.requestCount('createUpload'), 1);
});

test('an upload that could not be begun is begun again', async (t) => {
  const store = makeStore();
  const { upload } = await makeUpload(t, store);
  store.failNext('createUpload', 'Unreachable');
  const failed = await Promise.allSettled([upload.begin(never), upload.begin(never)]);
  t.deepEqual(
    failed.map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  await upload.abort();
  t.is(store.requestCount('abortUpload'), 0, 'there is none');
  t.is(typeof (await upload.begin(never)), 'string');
  t.is(store.requestCount('createUpload'), 2);
});

test('an upload that is being begun can be left, and is aborted all the same', async (t) => {
  const store = makeStore();
  const { upload } = await makeUpload(t, store);
  const gate = makeGate();
  store.beforeRequest = (method) => (method === 'createUpload' ? gate.opened : undefined);
  const controller = new AbortController();
  const beginning = upload.begin(controller.signal);
  controller.abort();
  const error = await t.throwsAsync(beginning, { instanceOf: StoreError });
  t.is(error.code, 'Aborted');
  const aborting = upload.abort();
  gate.open();
  await aborting;
  t.is(store.requestCount('abortUpload'), 1);
  t.is(store.uploads.size, 0);
});

test('nothing is begun for a caller who has gone', async (t) => {
  const store = makeStore();
  const { upload } = await makeUpload(t, store);
  await t.throwsAsync(upload.begin(AbortSignal.abort()), { instanceOf: StoreError });
  t.is(store.requestCount(), 0);
});

test('parts get consecutive numbers, are completed in their order, and the object has their bytes', async (t) => {
  const store = makeStore();
  const { upload } = await makeUpload(t, store);
  t.is(upload.lastSentNumber, 0);
  const behind = await upload.sendAll(3, [part(200, 100), part(300, 50)], never);
  const before = await upload.sendAll(1, [part(0, 100), part(100, 100)], never);
  const parts = [...before, ...behind];
  t.deepEqual(
    parts.map(({ partNumber }) => partNumber),
    [1, 2, 3, 4],
  );
  t.is(upload.lastSentNumber, 4);
  await upload.complete(parts, {}, never);
  t.deepEqual(store.contentOf('file'), pattern(350));
});

test('a part that the server may have counts as sent, also if its request failed', async (t) => {
  const store = makeStore();
  const { upload } = await makeUpload(t, store);
  await upload.send({ number: 2, part: part(0, 100) }, never);
  store.failNext('uploadPart', 'ServerError');
  await t.throwsAsync(upload.send({ number: 7, part: part(0, 100) }, never));
  t.is(upload.lastSentNumber, 7);
  t.true(upload.hasOthers((number) => number === 2));
  t.true(upload.hasOthers((number) => number === 7));
  t.false(upload.hasOthers((number) => number === 2 || number === 7));
});

test('a part that is not wanted any more when its turn comes is not sent', async (t) => {
  const store = makeStore();
  const { upload, limiter } = await makeUpload(t, store);
  const gate = makeGate();
  const others = [1, 2, 3].map(() => limiter.run({ signal: never, what: 'another' }, () => gate.opened));
  let isWanted = true;
  const sending = upload.send({ number: 1, part: part(0, 100), isWanted: () => isWanted }, never);
  await manyTurns();
  t.is(store.requestCount('uploadPart'), 0, 'it waits for its turn');
  isWanted = false;
  gate.open();
  t.is(await sending, undefined);
  await Promise.all(others);
  t.is(store.requestCount('uploadPart'), 0);
  t.is(upload.lastSentNumber, 0);
});

test('a part that fails ends those that are sent with it', async (t) => {
  const store = makeStore();
  const { upload, area, content } = await makeUpload(t, store);
  const gate = makeGate();
  store.beforeRequest = (method) => {
    if (method !== 'uploadPart') return undefined;
    if (store.requestCount('uploadPart') === 2) throw new StoreError('ServerError', 'down');
    return gate.opened;
  };
  const parts = [part(0, 100), part(100, 100), part(200, 100), part(300, 100)];
  const error = await t.throwsAsync(upload.sendAll(1, parts, never), { instanceOf: StoreError });
  t.is(error.code, 'ServerError');
  t.is(store.requestCount('uploadPart'), 3, 'the fourth is not begun');
  content.reset(undefined);
  t.is(area.statistics().memoryBytes, 0, 'nothing is lent any more');
});

test('a part takes as much of the limit as it holds in memory', async (t) => {
  const store = makeStore();
  const version = { key: 'other', etag: store.putForeign('other', pattern(900)), size: 900 };
  const { upload, content, limiter } = await makeUpload(t, store, { memoryChunks: 4 });
  t.true(content.absentBytes(0, 640) > 200, 'it is on disk');
  t.is(content.absentBytes(900, 100), 0);
  const gate = makeGate();
  store.beforeRequest = (method) => (method.startsWith('uploadPart') ? gate.opened : undefined);
  const held: number[] = [];
  const sending: Promise<unknown>[] = [];
  let before = 0;
  for (const planned of [
    part(900, 100),
    part(0, 640), // read while it is sent, 200 bytes at once
    { ...part(0, 400), copyFrom: { version, offset: 100 } },
  ]) {
    sending.push(upload.send({ number: sending.length + 1, part: planned }, never));
    await turnsUntil('its turn has come', () => limiter.statistics().tasks === sending.length);
    held.push(limiter.statistics().bytes - before);
    before = limiter.statistics().bytes;
  }
  t.deepEqual(held, [100, 200, 0]);
  gate.open();
  await Promise.all(sending);
  const uploaded = [...store.uploads.values()][0]?.parts;
  t.deepEqual(uploaded?.get(2), pattern(1000).subarray(0, 640));
  t.deepEqual(uploaded?.get(3), pattern(900).subarray(100, 500));
});

test('an abort before the beginning asks the store for nothing', async (t) => {
  const store = makeStore();
  const { upload, warnings } = await makeUpload(t, store);
  await upload.abort();
  t.is(store.requestCount(), 0);
  t.deepEqual(warnings, []);
});

test('an abort that fails is logged, and does not reject', async (t) => {
  const store = makeStore();
  const { upload, warnings } = await makeUpload(t, store);
  await upload.begin(never);
  store.failNext('abortUpload', 'Unreachable');
  await upload.abort();
  t.deepEqual(warnings, ['an upload may be left in the bucket']);
  t.is(store.uploads.size, 1);
});
