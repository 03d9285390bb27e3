/** Which way a commit takes, and what the bucket has after it. That the bytes are right is for the tests of `StagedFile`. */
import test, { type ExecutionContext } from 'ava';
import { Limiter } from '../../src/concurrency/limiter.js';
import { FsError, StoreError } from '../../src/errors.js';
import type { WriteCondition } from '../../src/object-store.js';
import type { ObjectVersion } from '../../src/object-version.js';
import { ContentUploader } from '../../src/staging/content-uploader.js';
import { FileContent } from '../../src/staging/file-content.js';
import type { Placement } from '../../src/staging/placement.js';
import type { StreamLimits } from '../../src/staging/stream-plan.js';
import { TestClock } from '../clock.js';
import type { MemoryObjectStore } from '../object-store/memory-object-store.js';
import { turnsUntil } from '../patience.js';
import { silentLog } from '../silent-log.js';
import {
  chunkBytes,
  makeArea,
  makeGate,
  makeStore,
  never,
  partBytes,
  pattern,
  type StagingOptions,
} from './staging.js';
import { StoreReader } from './store-reader.js';

/** What the content is to be stored as: the test may change it at any time. */
interface Goal {
  key: string;
  mode: string;
  unfinishedMode?: string;
  through?: WriteCondition;
}

/** Replaces the content's own object only; `heard` is what was stored, as key and mode. */
function placementOf(goal: Goal, base: () => ObjectVersion | undefined) {
  const heard: string[] = [];
  const placement: Placement = {
    target: () => {
      const version = base();
      const { key, mode, unfinishedMode, through } = goal;
      return {
        key,
        headers: { metadata: { mode } },
        ...(unfinishedMode !== undefined && { unfinishedHeaders: { metadata: { mode: unfinishedMode } } }),
        condition: version?.key === key ? { ifMatch: version.etag } : { ifNoneMatch: '*' },
        ...(through && { through }),
      };
    },
    onStored: ({ key }, { metadata }) => heard.push(`${key} ${metadata['mode'] ?? ''}`),
  };
  return { placement, heard };
}

interface UploaderOptions extends StagingOptions, Partial<StreamLimits> {
  readonly base?: ObjectVersion;
}

function makeUploader(t: ExecutionContext, store: MemoryObjectStore, options: UploaderOptions = {}) {
  const { base, memoryChunks = 64, spillBytes = 0, ...limits } = options;
  const area = makeArea(t, { memoryChunks, spillBytes });
  const reader = new StoreReader(store);
  const content = new FileContent({ area, reader, base, isExpendable: () => false });
  const goal: Goal = { key: 'file', mode: '0644' };
  const { placement, heard } = placementOf(goal, () => uploader.base);
  const warnings: string[] = [];
  const uploader: ContentUploader = new ContentUploader({
    services: {
      store,
      limiter: new Limiter({ maxTasks: 3 }),
      content,
      heldBytes: 4 * partBytes,
      clock: new TestClock(),
      log: { ...silentLog, warn: (_, message) => warnings.push(message) },
    },
    reader,
    base,
    owner: placement,
    limits: {
      ...store.limits,
      putBytes: 100,
      sendPartBytes: partBytes,
      copyPartBytes: 400,
      thresholdBytes: 0,
      chunkBytes,
      maxStreamPartBytes: area.maxPartBytes,
      ...limits,
    },
  });
  t.teardown(async () => {
    uploader.reset(undefined);
    await uploader.settled();
  });
  const write = async (offset: number, bytes: Uint8Array) => {
    uploader.touch(offset, bytes.length);
    const onStaged = (end: number) => uploader.advance(end, end);
    await content.write(offset, bytes, { signal: never, onStaged });
  };
  const cut = (size: number) => {
    uploader.cut(size);
    content.resize(size);
  };
  const commit = (by = placement) => uploader.commit(by, { signal: never, finalSignal: never });
  return { uploader, content, goal, placement, heard, warnings, write, cut, commit };
}

/** So much that the first parts are only in the upload when it is written. */
async function makeSent(t: ExecutionContext, store: MemoryObjectStore, options: UploaderOptions = {}) {
  const made = makeUploader(t, store, { ...options, memoryChunks: 8 });
  await made.write(0, sentContent);
  t.is(made.uploader.sentTo, 'file');
  store.resetCounters();
  return made;
}

const sentContent = pattern(20 * partBytes);

function putBase(store: MemoryObjectStore, size: number): ObjectVersion {
  return { key: 'file', etag: store.putForeign('file', pattern(size)), size };
}

function requestsOf(store: MemoryObjectStore): Record<string, number> {
  return Object.fromEntries(store.requests);
}

function keysOf(store: MemoryObjectStore): string[] {
  return [...store.objects.keys()].sort();
}

test('content that is an object already is not asked about, and nobody hears of it', async (t) => {
  const store = makeStore();
  const base = putBase(store, 500);
  const { commit, heard, uploader } = makeUploader(t, store, { base });
  const placement: Placement = {
    target: () => t.fail('nothing is to be placed'),
    onStored: () => t.fail('nothing is stored'),
  };
  t.deepEqual(await commit(placement), base);
  t.false(uploader.isDirty);
  t.deepEqual(requestsOf(store), {});
  t.deepEqual(heard, []);
});

test('a commit that has something to store takes the way with the fewest requests', async (t) => {
  const ways = [
    { what: 'nothing', size: 0, requests: { put: 1 } },
    { what: 'as much as one PUT may have', size: 100, requests: { put: 1 } },
    { what: 'more', size: 101, requests: { createUpload: 1, uploadPart: 1, completeUpload: 1 } },
    { what: 'some parts', size: 500, requests: { createUpload: 1, uploadPart: 3, completeUpload: 1 } },
  ];
  for (const { what, size, requests } of ways) {
    const store = makeStore();
    const { commit, write, uploader } = makeUploader(t, store, { thresholdBytes: Infinity });
    await write(0, pattern(size));
    t.deepEqual(await commit(), { key: 'file', etag: uploader.base?.etag, size }, what);
    t.deepEqual(requestsOf(store), requests, what);
    t.deepEqual(store.contentOf('file'), pattern(size), what);
  }
});

test('a change of a large object has the server copy what is before and behind it', async (t) => {
  const store = makeStore();
  const { commit, write } = makeUploader(t, store, { base: putBase(store, 900) });
  await write(400, Buffer.alloc(100));
  await commit();
  const requests = { createUpload: 1, uploadPartCopy: 2, uploadPart: 1, completeUpload: 1 };
  t.deepEqual(requestsOf(store), requests);
  t.is(store.bytesSent, 100);
});

test('a commit of what is streamed sends the rest and completes the upload', async (t) => {
  const store = makeStore();
  const { commit, write, heard } = makeUploader(t, store);
  await write(0, pattern(3 * partBytes + 10));
  await turnsUntil('full parts are sent', () => store.bytesSent === 3 * partBytes);
  t.deepEqual(heard, []);
  store.resetCounters();
  await commit();
  t.deepEqual(requestsOf(store), { uploadPart: 1, completeUpload: 1 });
  t.is(store.bytesSent, 10);
  t.deepEqual(heard, ['file 0644']);
});

test('a streamed upload is dropped when one PUT is enough after all, and its abort can be waited for', async (t) => {
  const store = makeStore();
  const { commit, write, cut, uploader } = makeUploader(t, store, { putBytes: 300 });
  await write(0, pattern(3 * partBytes));
  await turnsUntil('parts are sent', () => store.bytesSent === 3 * partBytes);
  cut(300);
  t.is(store.uploads.size, 1, 'it might be written on');
  store.resetCounters();
  const gate = makeGate();
  store.beforeRequest = (method) => (method === 'abortUpload' ? gate.opened : undefined);
  await commit();
  t.is(store.requestCount('put'), 1);
  t.is(store.requestCount('uploadPart', 'completeUpload'), 0);
  t.is(store.uploads.size, 1);
  t.deepEqual(store.contentOf('file'), pattern(300));
  gate.open();
  await uploader.settled();
  t.is(store.uploads.size, 0);
});

test('one byte more than one PUT may have completes the streamed upload', async (t) => {
  const store = makeStore();
  const { commit, write, cut } = makeUploader(t, store, { putBytes: 300 });
  await write(0, pattern(3 * partBytes));
  cut(301);
  await commit();
  t.is(store.requestCount('put', 'abortUpload'), 0);
  t.deepEqual(store.contentOf('file'), pattern(301));
});

test('a streamed upload that turns out to be denied becomes one PUT', async (t) => {
  const store = makeStore();
  store.beforeRequest = (method) => {
    if (method === 'uploadPart') throw new StoreError('AccessDenied', 'by the policy');
  };
  const { commit, write, warnings, uploader } = makeUploader(t, store);
  await write(0, pattern(500));
  await commit();
  t.is(store.requestCount('put'), 1);
  t.deepEqual(store.contentOf('file'), pattern(500));
  t.deepEqual(warnings.at(-1), 'the upload is denied; trying one PUT');
  await uploader.settled();
  t.is(store.uploads.size, 0);
});

test('nothing is streamed while it is stopped', async (t) => {
  const store = makeStore();
  const { write, uploader } = makeUploader(t, store);
  uploader.stopStreaming();
  await write(0, pattern(3 * partBytes));
  t.is(store.requestCount('createUpload'), 0);
  uploader.resumeStreaming();
  await write(3 * partBytes, pattern(1));
  await turnsUntil('it is streamed again', () => store.requestCount('createUpload') === 1);
});

test('content whose key changes while it is streamed is stored anew if all of it is here', async (t) => {
  const store = makeStore();
  const { commit, write, goal, heard, uploader } = makeUploader(t, store);
  await write(0, pattern(3 * partBytes));
  await turnsUntil('parts are sent', () => store.bytesSent === 3 * partBytes);
  t.is(uploader.sentTo, undefined);
  goal.key = 'renamed';
  t.is((await commit()).key, 'renamed');
  t.deepEqual(heard, ['renamed 0644']);
  t.deepEqual(keysOf(store), ['renamed']);
  t.is(store.requestCount('copy'), 0);
  await uploader.settled();
  t.is(store.uploads.size, 0);
});

test('parts that are only in an upload for an earlier key go by way of that key', async (t) => {
  const store = makeStore();
  const { commit, goal, heard, uploader } = await makeSent(t, store);
  Object.assign(goal, { key: 'renamed', mode: '0600' });
  const version = await commit();
  t.deepEqual(uploader.base, version);
  t.deepEqual(heard, ['file 0644', 'renamed 0600'], 'each version with what it was stored with');
  t.deepEqual(keysOf(store), ['renamed']);
  t.deepEqual(store.contentOf('renamed'), sentContent);
  t.is(store.objects.get('renamed')?.info.metadata['mode'], '0600');
});

test('nothing is replaced under the earlier key, unless that is asked for', async (t) => {
  const store = makeStore();
  const { commit, goal, heard, uploader } = await makeSent(t, store);
  const etag = store.putForeign('file', 'theirs');
  goal.key = 'renamed';
  const error = await t.throwsAsync(commit(), { instanceOf: StoreError });
  t.is(error.code, 'PreconditionFailed');
  t.is(store.contentOf('file')?.toString(), 'theirs');
  t.deepEqual(heard, []);
  t.is(uploader.sentTo, 'file', 'the parts are kept');
  goal.through = { ifMatch: etag };
  await commit();
  t.deepEqual(heard, ['file 0644', 'renamed 0644']);
  t.deepEqual(store.contentOf('renamed'), sentContent);
  t.deepEqual(keysOf(store), ['file', 'renamed'], 'what was asked for is left there');
});

test('content that could not be copied to its key stays dirty, and is only copied by the next commit', async (t) => {
  const store = makeStore();
  const { commit, goal, heard, uploader } = await makeSent(t, store);
  goal.key = 'renamed';
  store.failNext('copy', 'ServerError');
  await t.throwsAsync(commit(), { instanceOf: StoreError });
  t.deepEqual(heard, ['file 0644']);
  t.is(uploader.base?.key, 'file');
  t.true(uploader.isDirty);
  store.resetCounters();
  t.is((await commit()).key, 'renamed');
  t.deepEqual(requestsOf(store), { head: 1, copy: 1, delete: 1 });
  t.deepEqual(heard, ['file 0644', 'renamed 0644']);
  t.false(uploader.isDirty);
});

test('content that is misplaced is not copied from what somebody else has put there since', async (t) => {
  const store = makeStore();
  const { commit, goal, uploader } = await makeSent(t, store);
  goal.key = 'renamed';
  store.failNext('copy', 'ServerError');
  await t.throwsAsync(commit());
  store.putForeign('file', 'theirs');
  const error = await t.throwsAsync(commit(), { instanceOf: StoreError });
  t.is(error.code, 'PreconditionFailed');
  t.deepEqual(keysOf(store), ['file']);
  t.true(uploader.isDirty);
});

test('an object that cannot be deleted under the earlier key does not fail the commit', async (t) => {
  const store = makeStore();
  const { commit, goal, warnings, uploader } = await makeSent(t, store);
  goal.key = 'renamed';
  store.failNext('delete', 'AccessDenied');
  t.is((await commit()).key, 'renamed');
  t.deepEqual(warnings, ['the file is left under its earlier key as well']);
  t.false(uploader.isDirty);
});

test('headers that an upload may be begun with are enough for its object', async (t) => {
  const store = makeStore();
  const { commit, write, goal, heard, uploader } = makeUploader(t, store);
  goal.unfinishedMode = '0200';
  await write(0, pattern(3 * partBytes));
  await turnsUntil('parts are sent', () => store.bytesSent === 3 * partBytes);
  await commit();
  t.deepEqual(heard, ['file 0200']);
  t.false(uploader.isDirty);
  t.is(store.requestCount('copy'), 0);
  await write(0, pattern(50));
  await commit();
  t.deepEqual(heard, ['file 0200', 'file 0644'], 'what is stored whole has the others');
});

test('the placement of the commit decides and hears, not the owner, who is asked when an upload begins', async (t) => {
  const store = makeStore();
  const { commit, heard, uploader } = await makeSent(t, store);
  const other = placementOf({ key: 'beside', mode: '0400' }, () => undefined);
  const version = await commit(other.placement);
  t.deepEqual(heard, []);
  t.deepEqual(other.heard, ['file 0644', 'beside 0400']);
  t.deepEqual(uploader.base, version);
});

test('bytes that were only in an upload that is gone are lost, and no commit succeeds until they are given up', async (t) => {
  const store = makeStore();
  const { commit, content, uploader, heard } = await makeSent(t, store);
  store.uploads.clear();
  t.false(uploader.isUploadGone, 'it is not known yet');
  for (let attempt = 0; attempt < 2; attempt++) {
    const error = await t.throwsAsync(commit(), { instanceOf: StoreError });
    t.is(error.code, 'NoSuchUpload');
    t.true(uploader.isUploadGone);
    t.is(uploader.base, undefined);
  }
  const expected = Buffer.from(sentContent);
  for (const { offset, length, source } of content.extents.slice(0, content.size)) {
    if (source !== 'sent') continue;
    uploader.touch(offset, length);
    content.replace(offset, length, 'zero', 0);
    expected.fill(0, offset, offset + length);
  }
  t.false(uploader.isUploadGone);
  await commit();
  t.deepEqual(store.contentOf('file'), expected);
  t.deepEqual(heard, ['file 0644']);
});

test('parts that are only in an upload are kept when the server refuses to complete it', async (t) => {
  const store = makeStore();
  const { commit, uploader } = await makeSent(t, store);
  for (const code of ['InvalidRequest', 'AccessDenied', 'Unreachable'] as const) {
    store.failNext('completeUpload', code);
    const error = await t.throwsAsync(commit(), { instanceOf: StoreError });
    t.is(error.code, code);
    t.false(uploader.isUploadGone);
    t.is(store.uploads.size, 1);
  }
  await commit();
  t.deepEqual(store.contentOf('file'), sentContent);
});

test('content that cannot be completed any more is EFBIG if parts of it are only in the upload', async (t) => {
  const store = makeStore();
  const { commit, content } = await makeSent(t, store, { maxParts: 22 });
  content.resize(sentContent.length + 12 * store.limits.maxPartSize);
  const error = await t.throwsAsync(commit(), { instanceOf: FsError });
  t.is(error.code, 'EFBIG');
  content.resize(sentContent.length);
  await commit();
  t.deepEqual(store.contentOf('file'), sentContent);
});

test('a change needs a commit before it only where its part is only in the upload', async (t) => {
  const { uploader, content } = await makeSent(t, makeStore());
  const sentEnd = content.extents.slice(0, content.size).findLast(({ source }) => source === 'sent');
  const end = Math.ceil(((sentEnd?.offset ?? 0) + (sentEnd?.length ?? 0)) / partBytes) * partBytes;
  t.true(end < content.size);
  t.true(uploader.needsCommitToChange(0, 1));
  t.true(uploader.needsCommitToChange(end - 1, 1));
  t.false(uploader.needsCommitToChange(end, content.size - end));
  t.true(uploader.needsCommitToChange(end - 1, content.size - end), 'one of its parts');
  t.true(uploader.needsCommitToCut(1));
  t.true(uploader.needsCommitToCut(end), 'parts that were sent behind it cannot be left out');
  t.false(uploader.needsCommitToCut(content.size));
});

test('sent chunks are expendable but for those of the first part, until one is asked for or changed', async (t) => {
  for (const end of ['keepSent', 'touch'] as const) {
    const { uploader, write } = makeUploader(t, makeStore());
    t.false(uploader.isExpendable(partBytes), 'nothing is streamed');
    await write(0, pattern(4 * partBytes));
    t.false(uploader.isExpendable(partBytes - 1));
    t.true(uploader.isExpendable(partBytes));
    uploader.touch(4 * partBytes, 10);
    t.true(uploader.isExpendable(partBytes), 'what follows the parts is no change of them');
    if (end === 'touch') uploader.touch(0, 1);
    else uploader.keepSent();
    t.false(uploader.isExpendable(partBytes), end);
  }
});

test('a failed commit leaves the base, and a successful one makes another', async (t) => {
  const store = makeStore();
  const base = putBase(store, 50);
  const { commit, write, uploader } = makeUploader(t, store, { base });
  await write(0, Buffer.of(0));
  store.failNext('put', 'ServerError');
  await t.throwsAsync(commit());
  t.is(uploader.base, base);
  t.true(uploader.isDirty);
  const version = await commit();
  t.not(version.etag, base.etag);
  t.deepEqual(uploader.base, version);
});

test('only the version that the base is gets another name', (t) => {
  const store = makeStore();
  const base = putBase(store, 500);
  const { uploader, content } = makeUploader(t, store, { base });
  const moved = { ...base, key: 'moved' };
  uploader.relabel({ ...base, etag: 'another' }, moved);
  t.is(uploader.base, base);
  content.relabel(base, moved);
  uploader.relabel(base, moved);
  t.is(uploader.base, moved);
  t.false(uploader.isDirty);
});

test('without a base everything is to be stored, and a reset frees what was staged', async (t) => {
  const store = makeStore();
  const base = putBase(store, 500);
  const { uploader, content, write } = makeUploader(t, store, { base });
  uploader.forgetBase();
  t.true(uploader.isDirty);
  await write(500, pattern(3 * partBytes));
  await turnsUntil('it is streamed', () => store.uploads.size === 1);
  uploader.reset(base);
  t.false(uploader.isDirty);
  t.is(content.size, 500);
  await uploader.settled();
  t.is(store.uploads.size, 0);
});
