import test, { type ExecutionContext } from 'ava';
import { StoreError, type StoreErrorCode } from '../../src/errors.js';
import { joinPieces, type GetReply, type GetRequest } from '../../src/object-store.js';
import { RetryPolicy } from '../../src/s3/retry-policy.js';
import { RetryingObjectStore } from '../../src/s3/retrying-object-store.js';
import { MemoryObjectStore, type StoreMethod } from '../object-store/memory-object-store.js';
import { objectStoreSuite } from '../object-store/object-store-suite.js';
import { never, silentLog } from './fake-server.js';
import { whole } from '../object-store/whole.js';

const headers = { metadata: { mtime: '1700000000.123456789' } };

function makeStores() {
  const memory = new MemoryObjectStore({ minPartSize: 1000 });
  const policy = new RetryPolicy({
    maxElapsedMs: 60_000,
    log: silentLog,
    maxAttempts: 4,
    sleep: () => Promise.resolve(),
  });
  return { memory, store: new RetryingObjectStore(memory, policy) };
}

/** The next call of `method` is carried out, but its reply is lost. */
function loseReply(memory: MemoryObjectStore, method: StoreMethod, then: () => void = () => undefined): void {
  memory.afterRequest = (called) => {
    if (called !== method) return;
    memory.afterRequest = () => undefined;
    then();
    throw new StoreError('Unreachable', 'reply lost');
  };
}

function etagOf(memory: MemoryObjectStore, key: string): string {
  return memory.objects.get(key)?.info.etag ?? 'no such object';
}

async function rejects(t: ExecutionContext, code: StoreErrorCode, promise: Promise<unknown>): Promise<void> {
  t.is((await t.throwsAsync(promise, { instanceOf: StoreError })).code, code);
}

objectStoreSuite(test, 'retrying', () => ({ store: makeStores().store, prefix: '' }));

objectStoreSuite(test, 'retrying a store that fails every third time', () => {
  const { memory, store } = makeStores();
  let calls = 0;
  memory.beforeRequest = () => {
    calls += 1;
    if (calls % 3 === 1) throw new StoreError('Throttled', 'every third time');
  };
  return { store, prefix: '' };
});

test('a read is repeated until it succeeds or the limit is reached', async (t) => {
  const { memory, store } = makeStores();
  memory.putForeign('file', 'content');
  memory.failNext('get', 'CorruptReply', 3);
  t.is(
    Buffer.from(joinPieces((await store.get({ key: 'file', ...whole }, never)).pieces)).toString(),
    'content',
  );
  memory.failNext('get', 'Timeout', 4);
  await rejects(t, 'Timeout', store.get({ key: 'file', ...whole }, never));
});

/** Gives other bytes than are stored, so many times. */
class DamagingStore extends MemoryObjectStore {
  timesLeft = 0;

  override async get(request: GetRequest, signal: AbortSignal): Promise<GetReply> {
    const reply = await super.get(request, signal);
    if (this.timesLeft === 0) return reply;
    this.timesLeft -= 1;
    for (const piece of reply.pieces) piece[0] = (piece[0] ?? 0) ^ 1;
    return reply;
  }
}

test('content that its ETag contradicts is fetched again, and never handed on', async (t) => {
  const damaging = new DamagingStore();
  const policy = new RetryPolicy({
    maxElapsedMs: 60_000,
    log: silentLog,
    maxAttempts: 4,
    sleep: () => Promise.resolve(),
  });
  const store = new RetryingObjectStore(damaging, policy);
  const content = Buffer.from('content');
  await store.put({ key: 'file', body: [content], headers, condition: {} }, never); // by which it learns what ETags are
  const requests: readonly GetRequest[] = [
    { key: 'file', ...whole },
    { key: 'file', range: { offset: 0, length: 100 } },
    { key: 'file', ...whole, memory: { bytes: 3, take: (length) => Buffer.alloc(length) } },
  ];
  for (const request of requests) {
    damaging.timesLeft = 3;
    const { pieces } = await store.get(request, never);
    t.true(content.equals(Buffer.concat(pieces)));
    damaging.timesLeft = 4;
    await rejects(t, 'CorruptReply', store.get(request, never));
  }
  // Of a part of it, of what is not encrypted, and of what came in parts, the ETag says nothing.
  damaging.timesLeft = Infinity;
  await t.notThrowsAsync(store.get({ key: 'file', range: { offset: 0, length: 3 } }, never));
  const uploadId = await store.createUpload({ key: 'parts', headers }, never);
  const part = await store.uploadPart({ key: 'parts', uploadId, partNumber: 1, body: [content] }, never);
  await store.completeUpload({ key: 'parts', uploadId, parts: [part], condition: {} }, never);
  await t.notThrowsAsync(store.get({ key: 'parts', ...whole }, never));
  const stored = damaging.objects.get('file')!;
  damaging.objects.set('file', { ...stored, info: { ...stored.info, isEncrypted: false } });
  await t.notThrowsAsync(store.get({ key: 'file', ...whole }, never));
});

test('a conditional put whose reply was lost finds that it succeeded', async (t) => {
  const { memory, store } = makeStores();
  loseReply(memory, 'put');
  const created = await store.put(
    { key: 'file', body: [Buffer.from('new')], headers, condition: { ifNoneMatch: '*' } },
    never,
  );
  t.is(created.etag, etagOf(memory, 'file'));
  loseReply(memory, 'put');
  const replaced = await store.put(
    { key: 'file', body: [Buffer.from('newer')], headers, condition: { ifMatch: created.etag } },
    never,
  );
  t.is(replaced.etag, etagOf(memory, 'file'));
  t.is(memory.contentOf('file')?.toString(), 'newer');
});

test("a conditional put whose reply was lost is not confused with somebody else's", async (t) => {
  const { memory, store } = makeStores();
  await store.put({ key: 'other', body: [Buffer.from('x')], headers, condition: {} }, never); // shows that ETags are MD5s
  loseReply(memory, 'put', () => memory.putForeign('file', 'THEIRS', headers));
  const put = store.put(
    { key: 'file', body: [Buffer.from('_ours_')], headers, condition: { ifNoneMatch: '*' } },
    never,
  );
  await rejects(t, 'PreconditionFailed', put);
  t.is(memory.contentOf('file')?.toString(), 'THEIRS');
});

test('where ETags are opaque, size and metadata tell a put of our own', async (t) => {
  class OpaqueStore extends MemoryObjectStore {
    override async head(key: string, signal: AbortSignal) {
      return { ...(await super.head(key, signal)), etag: 'opaque' };
    }
  }
  const memory = new OpaqueStore();
  const store = new RetryingObjectStore(
    memory,
    new RetryPolicy({ maxElapsedMs: 60_000, log: silentLog, sleep: () => Promise.resolve() }),
  );
  loseReply(memory, 'put');
  const body = [Buffer.from('new')];
  t.deepEqual(await store.put({ key: 'file', body, headers, condition: { ifNoneMatch: '*' } }, never), {
    etag: 'opaque',
  });
  loseReply(memory, 'put');
  await rejects(
    t,
    'PreconditionFailed',
    store.put({ key: 'bare', body, headers: { metadata: {} }, condition: { ifNoneMatch: '*' } }, never),
  );
});

test('a put that was refused before is refused, not looked for', async (t) => {
  const { memory, store } = makeStores();
  memory.putForeign('file', 'same', headers);
  await rejects(
    t,
    'PreconditionFailed',
    store.put({ key: 'file', body: [Buffer.from('same')], headers, condition: { ifNoneMatch: '*' } }, never),
  );
  t.is(memory.requestCount('head'), 0);
});

test('a completion whose reply was lost finds that it succeeded', async (t) => {
  for (const condition of [{}, { ifNoneMatch: '*' as const }]) {
    const { memory, store } = makeStores();
    const uploadId = await store.createUpload({ key: 'file', headers }, never);
    const parts = [
      await store.uploadPart(
        { key: 'file', uploadId, partNumber: 1, body: [Buffer.alloc(1000, 'a')] },
        never,
      ),
      await store.uploadPart({ key: 'file', uploadId, partNumber: 2, body: [Buffer.from('b')] }, never),
    ];
    loseReply(memory, 'completeUpload');
    const { etag } = await store.completeUpload({ key: 'file', uploadId, parts, condition }, never);
    t.is(etag, etagOf(memory, 'file'));
  }
});

test("a completion whose reply was lost is not confused with somebody else's object", async (t) => {
  const { memory, store } = makeStores();
  const uploadId = await store.createUpload({ key: 'file', headers }, never);
  const part = await store.uploadPart(
    { key: 'file', uploadId, partNumber: 1, body: [Buffer.from('ours')] },
    never,
  );
  loseReply(memory, 'completeUpload', () => memory.putForeign('file', 'theirs'));
  await rejects(
    t,
    'NoSuchUpload',
    store.completeUpload({ key: 'file', uploadId, parts: [part], condition: {} }, never),
  );
});

test('a copy onto itself whose reply was lost finds that it succeeded', async (t) => {
  const { memory, store } = makeStores();
  memory.putForeign('file', 'content', { metadata: { mode: '1' } });
  const source = await store.head('file', never);
  loseReply(memory, 'copy');
  const { etag } = await store.copy(
    { source, targetKey: 'file', headers: { metadata: { mode: '2' } }, condition: { ifMatch: source.etag } },
    never,
  );
  t.is(etag, etagOf(memory, 'file'));
  t.deepEqual(memory.objects.get('file')?.info.metadata, { mode: '2' });
});

test('only the keys that could not be deleted for a passing reason are tried again', async (t) => {
  const { memory, store } = makeStores();
  const asked: (readonly string[])[] = [];
  memory.deleteMany = (keys) => {
    asked.push(keys);
    const failures = [
      { key: 'denied', error: new StoreError('AccessDenied', 'x') },
      { key: 'busy', error: new StoreError('ServerError', 'x') },
    ];
    return Promise.resolve(failures.filter(({ key }) => keys.includes(key) && asked.length < 3));
  };
  const failures = await store.deleteMany(['fine', 'denied', 'busy'], never);
  t.deepEqual(asked, [['fine', 'denied', 'busy'], ['busy'], ['busy']]);
  t.deepEqual(
    failures.map(({ key }) => key),
    ['denied'],
  );
});

test('keys that stay undeletable are reported, and a batch that fails as a whole rejects', async (t) => {
  const { memory, store } = makeStores();
  memory.deleteMany = () => Promise.resolve([{ key: 'busy', error: new StoreError('ServerError', 'x') }]);
  t.deepEqual(
    (await store.deleteMany(['fine', 'busy'], never)).map(({ key }) => key),
    ['busy'],
  );
  memory.deleteMany = () => Promise.reject(new StoreError('Unreachable', 'x'));
  await rejects(t, 'Unreachable', store.deleteMany(['fine'], never));
});

test('a streamed put whose reply was lost finds by the bytes that it succeeded', async (t) => {
  const { memory, store } = makeStores();
  await store.put({ key: 'other', body: [Buffer.from('x')], headers, condition: {} }, never); // its ETag shows how they are made
  loseReply(memory, 'put');
  let readings = 0;
  async function* pieces(): AsyncGenerator<Uint8Array> {
    readings += 1;
    yield await Promise.resolve(Buffer.from('new'));
  }
  const created = await store.put(
    {
      key: 'file',
      body: { length: 3, needsRequests: false, pieces },
      headers,
      condition: { ifNoneMatch: '*' },
    },
    never,
  );
  t.is(created.etag, etagOf(memory, 'file'));
  t.is(readings, 3, 'sent twice, and hashed');
  loseReply(memory, 'put', () => memory.putForeign('other file', 'bad'));
  const put = store.put(
    {
      key: 'other file',
      body: { length: 3, needsRequests: false, pieces },
      headers,
      condition: { ifNoneMatch: '*' },
    },
    never,
  );
  await rejects(t, 'PreconditionFailed', put);
});

test('a streamed part is read anew at each try', async (t) => {
  const { memory, store } = makeStores();
  const uploadId = await store.createUpload({ key: 'file', headers }, never);
  memory.failNext('uploadPart', 'Throttled', 2);
  let readings = 0;
  async function* pieces(): AsyncGenerator<Uint8Array> {
    readings += 1;
    yield await Promise.resolve(Buffer.from('part'));
  }
  const body = { length: 4, needsRequests: false, pieces };
  const part = await store.uploadPart({ key: 'file', uploadId, partNumber: 1, body }, never);
  await store.completeUpload({ key: 'file', uploadId, parts: [part], condition: {} }, never);
  t.is(readings, 3);
  t.is(memory.contentOf('file')?.toString(), 'part');
});
