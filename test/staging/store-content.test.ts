/** What the storing of whole content leaves behind, and whom it waits for. Which way it takes: `content-uploader.test.ts`. */
import { createHash } from 'node:crypto';
import test, { type ExecutionContext } from 'ava';
import { Limiter } from '../../src/concurrency/limiter.js';
import { FsError, StoreError } from '../../src/errors.js';
import type { PutBody, PutRequest, WriteReply } from '../../src/object-store.js';
import type { ObjectVersion } from '../../src/object-version.js';
import { FileContent } from '../../src/staging/file-content.js';
import type { UploadSignals } from '../../src/staging/multipart-upload.js';
import { storeContent } from '../../src/staging/store-content.js';
import { TestClock } from '../clock.js';
import { MemoryObjectStore } from '../object-store/memory-object-store.js';
import { manyTurns, turnsUntil } from '../patience.js';
import { silentLog } from '../silent-log.js';
import { makeArea, makeGate, makeStore, never, pattern } from './staging.js';
import { StoreReader } from './store-reader.js';

interface Options {
  readonly base?: ObjectVersion;
  readonly putBytes?: number;
}

function makeStorer(t: ExecutionContext, store: MemoryObjectStore, { base, putBytes = 100 }: Options = {}) {
  const area = makeArea(t, { memoryChunks: 4 });
  const reader = new StoreReader(store);
  const content = new FileContent({ area, reader, base, isExpendable: () => false });
  t.teardown(() => content.reset(undefined));
  const limiter = new Limiter({ maxTasks: 2 });
  const cleanups: Promise<void>[] = [];
  const services = {
    store,
    limiter,
    content,
    heldBytes: 200,
    clock: new TestClock(),
    log: silentLog,
    onCleanup: (cleanup: Promise<void>) => cleanups.push(cleanup),
  };
  const limits = { ...store.limits, putBytes, sendPartBytes: 128, copyPartBytes: 400 };
  const target = { key: 'file', headers: { metadata: {} }, condition: {} };
  const run = (signals: UploadSignals = { signal: never, finalSignal: never }) =>
    storeContent(services, limits, { target, signals });
  /** Takes all places of the limiter until the gate is opened. */
  const block = () => {
    const gate = makeGate();
    for (let task = 0; task < 2; task++)
      void limiter.run({ signal: never, what: 'another' }, () => gate.opened);
    return gate;
  };
  return { area, content, limiter, cleanups, run, block };
}

/** Keeps what one PUT was made with. */
class PutRecorder extends MemoryObjectStore {
  body: PutBody = [];

  override put(request: PutRequest, signal: AbortSignal): Promise<WriteReply> {
    this.body = request.body;
    return super.put(request, signal);
  }
}

test('only the bytes of one PUT are returned, so that they need not be read again', async (t) => {
  const store = makeStore();
  const { area, content, run } = makeStorer(t, store);
  await content.write(0, pattern(100), { signal: never });
  t.deepEqual((await run()).bytes, pattern(100));
  await content.write(100, pattern(1), { signal: never });
  t.is((await run()).bytes, undefined);
  content.reset(undefined);
  t.is(area.statistics().memoryBytes, 0, 'nothing is lent any more');
});

test('small content that is in memory does not queue behind large files', async (t) => {
  const { content, run, block } = makeStorer(t, makeStore());
  await content.write(0, pattern(100), { signal: never });
  const gate = block();
  await run();
  gate.open();
  t.pass();
});

test('small content that has to be fetched waits for its turn', async (t) => {
  const store = makeStore();
  const base = { key: 'file', etag: store.putForeign('file', pattern(90)), size: 90 };
  const { content, run, block } = makeStorer(t, store, { base });
  await content.write(10, Buffer.of(0), { signal: never });
  const gate = block();
  const storing = run();
  await manyTurns();
  t.is(store.requestCount(), 0);
  gate.open();
  await storing;
  t.is(store.contentOf('file')?.[10], 0);
});

test('an upload that fails is aborted before its error is reported', async (t) => {
  const store = makeStore();
  const { area, content, cleanups, run } = makeStorer(t, store);
  await content.write(0, pattern(500), { signal: never });
  store.failNext('completeUpload', 'ServerError');
  const error = await t.throwsAsync(run(), { instanceOf: StoreError });
  t.is(error.code, 'ServerError');
  t.is(store.uploads.size, 0);
  t.is(cleanups.length, 1);
  content.reset(undefined);
  t.is(area.statistics().memoryBytes, 0, 'nothing is lent any more');
});

test('a caller who has gone does not wait for the abort of the upload', async (t) => {
  const store = makeStore();
  const { content, cleanups, run } = makeStorer(t, store);
  await content.write(0, pattern(500), { signal: never });
  const gate = makeGate();
  store.beforeRequest = (method) => (/uploadPart|abortUpload/.test(method) ? gate.opened : undefined);
  const controller = new AbortController();
  const storing = run({ signal: controller.signal, finalSignal: never });
  await turnsUntil('parts are on their way', () => store.requestCount('uploadPart') === 2);
  controller.abort();
  const error = await t.throwsAsync(storing, { instanceOf: StoreError });
  t.is(error.code, 'Aborted');
  t.is(store.uploads.size, 1);
  gate.open();
  await Promise.all(cleanups);
  t.is(store.uploads.size, 0);
});

test('content that no upload can hold is EFBIG, and nothing is asked', async (t) => {
  const store = new MemoryObjectStore({ minPartSize: 100, maxPartSize: 200, maxParts: 3 });
  const { content, run } = makeStorer(t, store);
  content.resize(601);
  const error = await t.throwsAsync(run(), { instanceOf: FsError });
  t.is(error.code, 'EFBIG');
  t.true(error.cause instanceof RangeError);
  t.is(store.requestCount(), 0);
  content.resize(600);
  await run();
  t.deepEqual(store.contentOf('file'), Buffer.alloc(600));
});

test('one PUT in place of an upload has the MD5 of what is here, and none of what would be fetched twice', async (t) => {
  const store = new PutRecorder({ minPartSize: 100, maxPartSize: 10_000, maxParts: 1000 });
  store.beforeRequest = (method) => {
    if (method === 'createUpload') throw new StoreError('AccessDenied', 'by the policy');
  };
  const { content, run } = makeStorer(t, store);
  await content.write(0, pattern(700), { signal: never });
  const { etag } = await run();
  const md5 = createHash('md5').update(pattern(700)).digest('base64');
  t.like(store.body, { length: 700, needsRequests: false, md5 });
  content.reset({ key: 'file', etag, size: 700 });
  await content.write(700, pattern(10), { signal: never });
  await run();
  t.like(store.body, { length: 710, needsRequests: true });
  t.false('md5' in store.body);
  t.deepEqual(store.contentOf('file'), Buffer.concat([pattern(700), pattern(10)]));
});

test('a failure that is none of rights is not tried again by one PUT', async (t) => {
  const store = makeStore();
  const { content, run } = makeStorer(t, store);
  await content.write(0, pattern(500), { signal: never });
  for (const code of ['ServerError', 'PreconditionFailed', 'NoSuchUpload'] as const) {
    store.failNext('completeUpload', code);
    const error = await t.throwsAsync(run(), { instanceOf: StoreError });
    t.is(error.code, code);
  }
  t.is(store.requestCount('put'), 0);
});
