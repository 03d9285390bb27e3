import test from 'ava';
import { StoreError } from '../../src/errors.js';
import { joinPieces, type GetReply, type GetRequest, type ObjectInfo } from '../../src/object-store.js';
import { Progress } from '../../src/transfer/progress.js';
import { rewriteAll, RewriteSummary } from '../../src/transfer/rewrite-all.js';
import { MemoryObjectStore, type StoreMethod } from '../object-store/memory-object-store.js';

const never = new AbortController().signal;

/** Objects are under the key "old" until they are written, then under "new". */
class TwoKeyStore extends MemoryObjectStore {
  readonly #written = new Set<string>();
  /** What is read of this key after it was written is not what was written. */
  damaged: string | undefined;

  constructor() {
    super();
    this.afterRequest = (method: StoreMethod, key: string) => {
      if (method === 'put' || method === 'completeUpload') this.#written.add(key);
    };
  }

  override async head(key: string, signal: AbortSignal): Promise<ObjectInfo> {
    const info = await super.head(key, signal);
    return { ...info, keyFingerprint: this.#written.has(key) ? 'new' : 'old' };
  }

  override async get(request: GetRequest, signal: AbortSignal): Promise<GetReply> {
    const reply = await super.get(request, signal);
    const { key } = request;
    if (key === this.damaged && this.#written.has(key)) joinPieces(reply.pieces).fill(0);
    return reply;
  }
}

async function rewrite(store: TwoKeyStore) {
  const summary = new RewriteSummary();
  const failures: [string, string][] = [];
  await rewriteAll(
    {
      store,
      fingerprint: 'new',
      prefix: '',
      fromFingerprint: 'old',
      isDryRun: false,
      concurrency: 4,
      progress: new Progress(),
      summary,
      onRewritten: () => undefined,
      onFailure: (key, { code }) => failures.push([key, code]),
    },
    never,
  );
  return { summary, failures };
}

test('what reads back differently is a failure, and the others go on', async (t) => {
  const store = new TwoKeyStore();
  for (const key of ['a', 'b', 'c']) store.putForeign(key, `content of ${key}`);
  store.damaged = 'b';
  const { summary, failures } = await rewrite(store);
  t.is(summary.rewritten, 2);
  t.is(summary.failed, 1);
  t.deepEqual(failures, [['b', 'CorruptReply']]);
});

test('headers and tags of other programs are kept', async (t) => {
  const store = new TwoKeyStore();
  const kept = { 'content-encoding': 'gzip', expires: '0' };
  for (const size of [10, 40 * 1024 * 1024]) {
    store.putForeign(`of ${size} bytes`, Buffer.alloc(size), {
      metadata: { mode: '33188' },
      contentType: 'text/html',
      kept,
      tags: 'team=a',
    });
  }
  t.is((await rewrite(store)).summary.rewritten, 2);
  for (const { info, tags } of store.objects.values()) {
    t.like(info, { metadata: { mode: '33188' }, contentType: 'text/html', kept });
    t.is(tags, 'team=a');
  }
});

test('an object that somebody else replaces while it is rewritten keeps their content', async (t) => {
  const store = new TwoKeyStore();
  store.putForeign('a', 'mine');
  store.beforeRequest = (method) => {
    if (method === 'put') store.putForeign('a', 'theirs');
  };
  const { summary } = await rewrite(store);
  t.is(summary.changed, 1);
  t.is(summary.rewritten, 0);
  t.is(store.contentOf('a')?.toString(), 'theirs');
});

test('a large object that cannot be completed leaves the old one and no upload', async (t) => {
  const store = new TwoKeyStore();
  const content = Buffer.alloc(17 * 2 ** 20, 'large');
  store.putForeign('large', content);
  store.failNext('completeUpload', 'AccessDenied');
  const { summary, failures } = await rewrite(store);
  t.is(summary.failed, 1);
  t.deepEqual(failures, [['large', 'AccessDenied']]);
  t.true(store.contentOf('large')?.equals(content));
  t.is(store.uploads.size, 0);
});

test('what concerns every object ends the work', async (t) => {
  const store = new TwoKeyStore();
  for (let index = 0; index < 50; index += 1) store.putForeign(`file-${index}`, 'x');
  store.beforeRequest = (method) => {
    if (method === 'put') throw new StoreError('QuotaExceeded', 'put: the quota is exceeded');
  };
  const error = await t.throwsAsync(rewrite(store), { instanceOf: StoreError });
  t.is(error.code, 'QuotaExceeded');
  t.true(store.requestCount('put') <= 4);
});
