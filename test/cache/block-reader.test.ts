import test from 'ava';
import { StoreError, type StoreErrorCode } from '../../src/errors.js';
import type { ObjectVersion } from '../../src/object-version.js';
import { BlockReader, type BlockReaderOptions, type ReadStream } from '../../src/cache/block-reader.js';
import { ReadMemory, type ReadMemoryOptions } from '../../src/cache/read-memory.js';
import { turnsUntil } from '../patience.js';
import { patternOf } from './pattern.js';
import { silentLog } from '../silent-log.js';
import { WatchedStore } from './watched-store.js';

const kibibyte = 1024;
const mebibyte = 1024 * kibibyte;

interface Setup {
  readonly store: WatchedStore;
  readonly memory: ReadMemory;
  readonly reader: BlockReader;
  readonly version: ObjectVersion;
  readonly content: Buffer;
}

function setup(size: number, options: Partial<BlockReaderOptions & ReadMemoryOptions> = {}): Setup {
  const store = new WatchedStore();
  const content = patternOf(size);
  const version = { key: 'object', etag: store.putForeign('object', content), size };
  const memory = options.memory ?? new ReadMemory({ cacheBytes: 256 * mebibyte, ...options });
  const reader = new BlockReader({ store, memory, log: silentLog, ...options });
  return { store, memory, reader, version, content };
}

async function readBytes(
  { reader, version }: Setup,
  offset: number,
  length: number,
  stream?: ReadStream,
  signal = new AbortController().signal,
): Promise<Buffer> {
  return Buffer.concat(await reader.read({ version, offset, length, stream }, signal));
}

/** Resolves when nothing is fetched any more. */
async function settled({ reader, memory }: Setup): Promise<void> {
  await turnsUntil('nothing is fetched any more', () => memory.statistics().fetchesInFlight === 0);
  reader.checkInvariants();
}

function hasCode(code: StoreErrorCode) {
  return { instanceOf: StoreError, code };
}

test('a read returns the bytes of the range, and a read past the end is cut at the size', async (t) => {
  const given = setup(300_001);
  t.deepEqual(await readBytes(given, 131_000, 5_000), given.content.subarray(131_000, 136_000));
  t.deepEqual(await readBytes(given, 299_000, 5_000), given.content.subarray(299_000));
  t.deepEqual(await readBytes(given, 300_001, 1), Buffer.alloc(0));
  t.deepEqual(await readBytes(given, 400_000, 1), Buffer.alloc(0));
});

test('memory is used again when nobody looks at it any more, and never before', async (t) => {
  const blockBytes = 4 * kibibyte;
  const given = setup(3 * mebibyte + 5, { cacheBytes: 40 * blockBytes, blockBytes });
  const { reader, version, content } = given;
  const buffers = new Map<ArrayBufferLike, number>();
  let seed = 1;
  const random = (limit: number) => (seed = (seed * 48_271) % 2_147_483_647) % limit;
  const pause = async (turns: number) => {
    for (let turn = 0; turn < turns; turn += 1) await new Promise<void>((resolve) => setImmediate(resolve));
  };
  await Promise.all(
    Array.from({ length: 12 }, async (_, reading) => {
      const stream = reader.createStream();
      for (let round = 0, next = 0; round < 70; round += 1) {
        const offset = reading % 3 === 0 ? random(version.size) : next % version.size;
        const length = 1 + random(6 * blockBytes);
        next = offset + length;
        const abort = new AbortController();
        if (random(10) === 0) void pause(random(3)).then(() => abort.abort());
        const pieces = await reader
          .read({ version, offset, length, stream }, abort.signal)
          .catch(() => undefined);
        if (pieces === undefined) continue; // aborted
        for (const { buffer } of pieces) buffers.set(buffer, (buffers.get(buffer) ?? 0) + 1);
        await pause(random(3));
        t.true(Buffer.concat(pieces).equals(content.subarray(offset, offset + length)), `at ${offset}`);
        if (random(20) > 0) reader.done(pieces);
      }
      reader.closeStream(stream);
    }),
  );
  await settled(given);
  t.true(Math.max(...buffers.values()) > 20, 'no memory was used again');
});

test('an empty object costs no request', async (t) => {
  const given = setup(0);
  t.deepEqual(await readBytes(given, 0, 4096, given.reader.createStream()), Buffer.alloc(0));
  t.is(given.store.requestCount(), 0);
});

test('an object of up to 1 MiB that is read from its start comes whole in one request without a range', async (t) => {
  const given = setup(mebibyte);
  const stream = given.reader.createStream();
  for (let offset = 0; offset < mebibyte; offset += 128 * kibibyte) {
    await readBytes(given, offset, 128 * kibibyte, stream);
  }
  t.is(given.store.gets.length, 1);
  t.like(given.store.gets[0], { ifMatch: given.version.etag, memory: { bytes: 128 * kibibyte } });
  t.is(given.store.gets[0]?.range, undefined);
});

test('64 MiB read from start to end are fetched once, in few requests, several of them ahead', async (t) => {
  const given = setup(64 * mebibyte);
  const stream = given.reader.createStream();
  let mostInFlight = 0;
  for (let offset = 0; offset < given.version.size; offset += 128 * kibibyte) {
    const bytes = await readBytes(given, offset, 128 * kibibyte, stream);
    if (!bytes.equals(given.content.subarray(offset, offset + bytes.length))) t.fail(`wrong at ${offset}`);
    mostInFlight = Math.max(mostInFlight, given.memory.statistics().fetchesInFlight);
  }
  t.is(given.store.bytesReceived, given.version.size);
  t.true(given.store.gets.length <= 30, `${given.store.gets.length} requests`);
  t.true(mostInFlight >= 4, `${mostInFlight} in flight`);
  t.is(given.memory.statistics().misses, 1);
});

test('requests that arrive a little out of order are still read ahead, and fetched once', async (t) => {
  const given = setup(32 * mebibyte);
  const stream = given.reader.createStream();
  const order = [1, 0, 3, 2, 7, 4, 6, 5];
  for (let group = 0; group < given.version.size; group += 8 * 128 * kibibyte) {
    const reads = order.map(async (position) => {
      const offset = group + position * 128 * kibibyte;
      const bytes = await readBytes(given, offset, 128 * kibibyte, stream);
      return bytes.equals(given.content.subarray(offset, offset + 128 * kibibyte));
    });
    t.true((await Promise.all(reads)).every(Boolean));
  }
  t.is(given.store.bytesReceived, given.version.size);
  t.true(given.store.gets.length <= 30, `${given.store.gets.length} requests`);
});

test('300 random reads of 4 KiB of what does not fit into the cache fetch one block each', async (t) => {
  const given = setup(64 * mebibyte, { cacheBytes: 80 * mebibyte });
  const stream = given.reader.createStream();
  let seed = 1;
  for (let count = 0; count < 300; count += 1) {
    seed = (seed * 48271) % 2147483647;
    const offset = (seed % (given.version.size / 4096)) * 4096;
    await readBytes(given, offset, 4096, stream);
  }
  await settled(given);
  t.true(given.store.gets.length <= 302, `${given.store.gets.length} requests`);
  t.true(given.store.bytesReceived <= 302 * 128 * kibibyte, `${given.store.bytesReceived} bytes`);
});

test('the first MiB of a large object does not cost more than 4 MiB', async (t) => {
  const given = setup(64 * mebibyte);
  const stream = given.reader.createStream();
  for (let offset = 0; offset < mebibyte; offset += 128 * kibibyte) {
    await readBytes(given, offset, 128 * kibibyte, stream);
  }
  given.reader.closeStream(stream);
  await settled(given);
  t.true(given.store.bytesReceived <= 4 * mebibyte, `${given.store.bytesReceived} bytes`);
});

test('a reader that goes backwards gets nothing ahead', async (t) => {
  const given = setup(16 * mebibyte, { cacheBytes: 16 * mebibyte });
  const stream = given.reader.createStream();
  for (let offset = 15 * mebibyte; offset >= 8 * mebibyte; offset -= 128 * kibibyte) {
    await readBytes(given, offset, 128 * kibibyte, stream);
  }
  await settled(given);
  t.is(given.store.bytesReceived, 7 * mebibyte + 128 * kibibyte);
});

/** Reads 4 KiB of every seventh MiB, again and again, from the fourth on. */
async function jump(given: Setup, stream: ReadStream, count: number): Promise<void> {
  for (let at = 3, done = 0; done < count; at = (at + 7) % (given.version.size / mebibyte), done += 1) {
    const bytes = await readBytes(given, at * mebibyte + 4096, 4096, stream);
    if (!bytes.equals(given.content.subarray(at * mebibyte + 4096).subarray(0, 4096)))
      throw new Error(`at ${at}`);
  }
}

/** Time that stands still: fetching the rest costs nothing. */
const noTime = { now: () => 0 };

test('a reader that jumps about in what fits into three quarters of the cache soon has all of it, each block once', async (t) => {
  const given = setup(60 * mebibyte, { cacheBytes: 80 * mebibyte, ...noTime });
  const stream = given.reader.createStream();
  await jump(given, stream, 7);
  await settled(given);
  t.is(given.store.bytesReceived, 7 * 128 * kibibyte);
  await jump(given, stream, 8);
  await settled(given);
  t.true(given.reader.holds(given.version));
  t.is(given.store.bytesReceived, given.version.size);
  t.true(given.store.gets.length < 60, `${given.store.gets.length} requests`);
});

test('who jumps in two objects gets all of the second only when there is room for both', async (t) => {
  let nowMs = 0;
  const memory = new ReadMemory({ cacheBytes: 80 * mebibyte, now: () => nowMs });
  const [one, two] = [setup(40 * mebibyte, { memory }), setup(40 * mebibyte, { memory })];
  two.store.putForeign('other', two.content);
  const other = { ...two, version: { ...two.version, key: 'other' } };
  const [first, second] = [one.reader.createStream(), two.reader.createStream()];
  await jump(one, first, 12);
  await settled(one);
  t.true(one.reader.holds(one.version));
  await jump(other, second, 12);
  await settled(other);
  t.true(two.store.bytesReceived <= 12 * 128 * kibibyte, `${two.store.bytesReceived} bytes`);
  nowMs = 60_000; // the first reader has fallen silent
  two.reader.drop('other');
  await jump(other, second, 12);
  await settled(other);
  t.true(two.reader.holds(other.version));
});

test('closing a stream ends the fetching of the rest', async (t) => {
  const given = setup(60 * mebibyte, noTime);
  const stream = given.reader.createStream();
  await jump(given, stream, 8);
  t.is(given.memory.statistics().fetchesInFlight, 1);
  given.reader.closeStream(stream);
  await settled(given);
  t.deepEqual(given.store.abortedKeys, ['object']);
  t.is(given.store.gets.length, 9);
});

test('fetching the rest stops when it fails, and goes on with the next jump', async (t) => {
  const given = setup(60 * mebibyte, noTime);
  const stream = given.reader.createStream();
  let failures = 0;
  given.store.beforeRequest = () => {
    const { range } = given.store.gets.at(-1) ?? {};
    if (range?.length === 512 * kibibyte && failures++ === 0) throw new StoreError('Timeout', 'get: slow');
  };
  await jump(given, stream, 8);
  await settled(given);
  t.is(failures, 1);
  t.is(given.store.gets.length, 9);
  await jump(given, stream, 9);
  await settled(given);
  t.true(given.reader.holds(given.version));
});

test('after a file that was read whole the next has 8 MiB fetched ahead at once, after another 512 KiB', async (t) => {
  const given = setup(16 * mebibyte);
  const { reader, store } = given;
  const aheadOfFirstRead = async (read: (stream: ReadStream) => Promise<void>) => {
    reader.drop('object');
    const stream = reader.createStream();
    const before = store.bytesReceived;
    await readBytes(given, 0, 128 * kibibyte, stream);
    await settled(given);
    const ahead = store.bytesReceived - before - 128 * kibibyte;
    await read(stream);
    reader.closeStream(stream);
    return ahead / kibibyte;
  };
  const readOn = async (stream: ReadStream, end: number) => {
    for (let offset = 128 * kibibyte; offset < end; offset += 128 * kibibyte) {
      await readBytes(given, offset, 128 * kibibyte, stream);
    }
  };
  t.is(await aheadOfFirstRead((stream) => readOn(stream, given.version.size)), 512);
  t.is(await aheadOfFirstRead((stream) => readOn(stream, given.version.size)), 8192);
  t.is(await aheadOfFirstRead((stream) => readOn(stream, 2 * mebibyte)), 8192);
  t.is(await aheadOfFirstRead((stream) => readOn(stream, 2 * mebibyte)), 512);
});

test('two readers of one object at once fetch it once', async (t) => {
  const given = setup(16 * mebibyte);
  const readAll = async () => {
    const stream = given.reader.createStream();
    const pieces: Buffer[] = [];
    for (let offset = 0; offset < given.version.size; offset += 128 * kibibyte) {
      pieces.push(await readBytes(given, offset, 128 * kibibyte, stream));
    }
    return Buffer.concat(pieces).equals(given.content);
  };
  t.deepEqual(await Promise.all([readAll(), readAll()]), [true, true]);
  t.is(given.store.bytesReceived, given.version.size);
});

test('an aborted read rejects at once, and its fetch is aborted if nobody else waits', async (t) => {
  const given = setup(4 * mebibyte);
  given.store.hold();
  const abort = new AbortController();
  const reading = readBytes(given, 2 * mebibyte, 4096, undefined, abort.signal);
  abort.abort();
  await t.throwsAsync(reading, hasCode('Aborted'));
  t.deepEqual(given.store.abortedKeys, ['object']);
  await settled(given);
  given.store.release();
  t.deepEqual(await readBytes(given, 2 * mebibyte, 4), given.content.subarray(2 * mebibyte).subarray(0, 4));
});

test('an aborted read leaves the fetch to those who still wait for it', async (t) => {
  const given = setup(4 * mebibyte);
  given.store.hold();
  const abort = new AbortController();
  const first = readBytes(given, 2 * mebibyte, 4096, undefined, abort.signal);
  const second = readBytes(given, 2 * mebibyte + 4096, 4096);
  abort.abort();
  await t.throwsAsync(first, hasCode('Aborted'));
  given.reader.checkInvariants();
  given.store.release();
  t.is((await second).length, 4096);
  t.is(given.store.gets.length, 1);
  t.deepEqual(given.store.abortedKeys, []);
});

test('closing a stream aborts what is fetched ahead for it alone', async (t) => {
  const given = setup(64 * mebibyte);
  const stream = given.reader.createStream();
  await readBytes(given, 0, mebibyte, stream);
  given.store.hold();
  await readBytes(given, mebibyte, 128 * kibibyte, stream);
  t.true(given.memory.statistics().fetchesInFlight > 0);
  given.reader.closeStream(stream);
  await settled(given);
  t.true(given.store.abortedKeys.length > 0);
  t.is(given.memory.statistics().fetchesInFlight, 0);
});

test('a failed fetch rejects everybody who waits for it and leaves nothing behind', async (t) => {
  const given = setup(4 * mebibyte);
  given.store.failNext('get', 'ServerError');
  const reads = [readBytes(given, 2 * mebibyte, 4096), readBytes(given, 2 * mebibyte + 8192, 4096)];
  for (const result of await Promise.allSettled(reads)) t.is(result.status, 'rejected');
  t.is(given.memory.statistics().bytesCached, 0);
  given.reader.checkInvariants();
  t.is((await readBytes(given, 2 * mebibyte, 4096)).length, 4096);
});

test('a fetch ahead that fails is tried again by the read that comes to it', async (t) => {
  const given = setup(8 * mebibyte);
  const stream = given.reader.createStream();
  let failures = 0;
  given.store.beforeRequest = () => {
    const { range } = given.store.gets.at(-1) ?? {};
    if (range?.offset === 128 * kibibyte && failures++ === 0) throw new StoreError('Timeout', 'get: slow');
  };
  for (let offset = 0; offset < given.version.size; offset += 128 * kibibyte) {
    const bytes = await readBytes(given, offset, 128 * kibibyte, stream);
    t.true(bytes.equals(given.content.subarray(offset, offset + 128 * kibibyte)));
    await settled(given);
  }
  t.is(failures, 2);
});

test('a replaced object rejects with PreconditionFailed and is not fetched ahead any more', async (t) => {
  const given = setup(64 * mebibyte);
  const stream = given.reader.createStream();
  await readBytes(given, 0, 128 * kibibyte, stream);
  await settled(given);
  given.store.putForeign('object', 'other');
  await t.throwsAsync(async () => {
    for (let offset = 128 * kibibyte; offset < 8 * mebibyte; offset += 128 * kibibyte) {
      await readBytes(given, offset, 128 * kibibyte, stream);
      await settled(given);
    }
  }, hasCode('PreconditionFailed'));
  await settled(given);
  const before = given.store.gets.length;
  await t.throwsAsync(readBytes(given, 4 * mebibyte, 4096, stream), hasCode('PreconditionFailed'));
  await settled(given);
  t.is(given.store.gets.length, before + 1);
  t.deepEqual(await readBytes(given, 0, 4096, stream), given.content.subarray(0, 4096));
});

test('a deleted object rejects with NotFound', async (t) => {
  const given = setup(mebibyte);
  given.store.objects.delete('object');
  await t.throwsAsync(readBytes(given, 0, 4096), hasCode('NotFound'));
});

test('a reply of the wrong length is refused and not cached', async (t) => {
  const given = setup(mebibyte);
  const wrong = { ...given, version: { ...given.version, size: mebibyte - 1 } };
  await t.throwsAsync(readBytes(wrong, 0, 4096), hasCode('CorruptReply'));
  t.is(given.memory.statistics().bytesCached, 0);
});

test('seeded bytes are read without a request; blocks that are not whole are not kept', async (t) => {
  const given = setup(300 * kibibyte);
  given.reader.seed(given.version, kibibyte, given.content.subarray(kibibyte));
  given.reader.checkInvariants();
  const tail = given.content.subarray(128 * kibibyte);
  t.deepEqual(await readBytes(given, 128 * kibibyte, 300 * kibibyte), tail);
  t.is(given.store.gets.length, 0);
  await readBytes(given, 0, 4096);
  t.is(given.store.gets.length, 1);
});

test('what is fetched whole comes in one request, with what the reply says, and is not fetched again', async (t) => {
  const given = setup(300 * kibibyte);
  const fetching = given.reader.fetchWhole(given.version);
  t.true(given.reader.holds(given.version), 'on its way');
  t.is(given.reader.fetchWhole(given.version), undefined);
  const reading = readBytes(given, 200 * kibibyte, 4096);
  t.like(await fetching, { ...given.version, metadata: {} });
  t.deepEqual(await reading, given.content.subarray(200 * kibibyte, 204 * kibibyte));
  t.is(given.reader.fetchWhole(given.version), undefined);
  t.is(given.store.gets.length, 1);
  t.like(given.store.gets[0], { ifMatch: given.version.etag, range: undefined });
});

test('objects that are too large, that are empty, or of which there is a part, are not fetched whole', async (t) => {
  const given = setup(3 * mebibyte, { cacheBytes: 8 * mebibyte });
  t.is(given.reader.fetchWhole(given.version), undefined);
  t.is(given.reader.fetchWhole({ ...given.version, size: 0 }), undefined);
  const other = setup(mebibyte);
  await readBytes(other, 512 * kibibyte, 4096);
  t.is(other.reader.fetchWhole(other.version), undefined);
  t.false(other.reader.holds(other.version));
});

test('fetching whole rejects if the object was replaced, its key dropped, or the reader stopped', async (t) => {
  const given = setup(mebibyte);
  given.store.putForeign('object', 'other');
  await t.throwsAsync(given.reader.fetchWhole(given.version)!, hasCode('PreconditionFailed'));
  for (const end of [() => given.reader.drop('object'), () => given.reader.stop()]) {
    const fetching = given.reader.fetchWhole(given.version)!;
    end();
    await t.throwsAsync(fetching, hasCode('Aborted'));
  }
  t.is(given.reader.fetchWhole(given.version), undefined);
  await settled(given);
});

test('relabelled blocks are read under their new version without a request', async (t) => {
  const given = setup(300 * kibibyte);
  await readBytes(given, 0, 4096);
  const renamed = {
    key: 'renamed',
    etag: given.store.putForeign('renamed', given.content),
    size: 300 * kibibyte,
  };
  given.reader.relabel(given.version, renamed);
  given.reader.checkInvariants();
  t.deepEqual(await readBytes({ ...given, version: renamed }, 0, 300 * kibibyte), given.content);
  t.is(given.store.gets.length, 1);
});

test('dropping a key drops every version, and what is on its way is not kept', async (t) => {
  const given = setup(4 * mebibyte);
  await readBytes(given, 0, 4096);
  given.store.hold();
  const reading = readBytes(given, 2 * mebibyte, 4096);
  given.reader.drop('object');
  given.reader.checkInvariants();
  given.store.release();
  t.is((await reading).length, 4096);
  t.is(given.memory.statistics().bytesCached, 0);
});

test('stopping rejects reads under way and later ones with Aborted', async (t) => {
  const given = setup(4 * mebibyte);
  given.store.hold();
  const reading = readBytes(given, 0, 4096, given.reader.createStream());
  given.reader.stop();
  await t.throwsAsync(reading, hasCode('Aborted'));
  await settled(given);
  await t.throwsAsync(readBytes(given, 0, 4096), hasCode('Aborted'));
  t.is(given.memory.statistics().fetchesInFlight, 0);
});

test('reads work without room for a single block in the cache', async (t) => {
  const given = setup(2 * mebibyte, { cacheBytes: 1000 });
  const stream = given.reader.createStream();
  for (let offset = 0; offset < given.version.size; offset += 256 * kibibyte) {
    const bytes = await readBytes(given, offset, 256 * kibibyte, stream);
    t.true(bytes.equals(given.content.subarray(offset, offset + 256 * kibibyte)));
  }
  t.is(given.memory.statistics().bytesCached, 0);
});

test('a demand read does not wait for the places that fetches ahead take', async (t) => {
  const given = setup(64 * mebibyte, { maxConcurrentFetches: 4 });
  const stream = given.reader.createStream();
  for (let offset = 0; offset < 16 * mebibyte; offset += 128 * kibibyte) {
    await readBytes(given, offset, 128 * kibibyte, stream);
  }
  await settled(given);
  given.store.hold();
  let offset = 16 * mebibyte;
  while (given.memory.statistics().fetchesInFlight < 2) {
    await readBytes(given, offset, 128 * kibibyte, stream);
    offset += 128 * kibibyte;
  }
  const reading = readBytes(given, 60 * mebibyte, 4096);
  t.is(given.memory.statistics().fetchesInFlight, 3);
  given.store.release();
  t.is((await reading).length, 4096);
});

test('a read that comes to blocks whose fetch ahead still waits makes it begin', async (t) => {
  const given = setup(64 * mebibyte, { maxConcurrentFetches: 4 });
  const stream = given.reader.createStream();
  given.store.hold();
  // Four fetches of 512 KiB are wanted ahead, and two may be under way beside the one that is waited for.
  const reading = readBytes(given, 0, mebibyte, stream);
  t.is(given.memory.statistics().fetchesInFlight, 3);
  const waiting = readBytes(given, 2 * mebibyte + 512 * kibibyte, 128 * kibibyte);
  t.is(given.memory.statistics().fetchesInFlight, 4);
  given.reader.checkInvariants();
  given.store.release();
  await Promise.all([reading, waiting]);
  t.is(given.memory.statistics().misses, 8);
});

test('what is fetched ahead for two readers goes on when one of them is closed', async (t) => {
  const given = setup(64 * mebibyte);
  const [first, second] = [given.reader.createStream(), given.reader.createStream()];
  given.store.hold();
  const reads = [readBytes(given, 0, mebibyte, first), readBytes(given, 0, mebibyte, second)];
  given.reader.closeStream(first);
  given.reader.checkInvariants();
  given.store.release();
  await Promise.all(reads);
  await settled(given);
  t.deepEqual(given.store.abortedKeys, []);
  t.is(given.store.bytesReceived, 3 * mebibyte);
});

test('sequential readers share half of the cache, and one that falls silent loses its share', async (t) => {
  let nowMs = 0;
  const cacheBytes = 16 * mebibyte;
  const given = setup(64 * mebibyte, { cacheBytes, now: () => nowMs });
  const streams = [given.reader.createStream(), given.reader.createStream()];
  const aheadOf = async (stream: ReadStream, start: number) => {
    given.reader.drop('object');
    const before = given.store.bytesReceived;
    for (let offset = start; offset < start + 12 * mebibyte; offset += 128 * kibibyte) {
      await readBytes(given, offset, 128 * kibibyte, stream);
    }
    await settled(given);
    return given.store.bytesReceived - before - 12 * mebibyte;
  };
  const alone = await aheadOf(streams[0]!, 0);
  t.true(alone > 6 * mebibyte && alone <= 8 * mebibyte, `${alone} bytes ahead`);
  const shared = await aheadOf(streams[1]!, 32 * mebibyte);
  t.true(shared > 2 * mebibyte && shared <= 4 * mebibyte, `${shared} bytes ahead`);
  nowMs = 60_000;
  const aloneAgain = await aheadOf(streams[1]!, 16 * mebibyte);
  t.true(aloneAgain > 6 * mebibyte && aloneAgain <= 8 * mebibyte, `${aloneAgain} bytes ahead`);
});

test('readers that share a memory stay below its size together, and keep their blocks apart', async (t) => {
  const memory = new ReadMemory({ cacheBytes: 3 * mebibyte });
  const [one, two] = [setup(2 * mebibyte, { memory }), setup(2 * mebibyte, { memory })];
  one.content.fill(1);
  const etag = one.store.putForeign('object', one.content);
  const first = { ...one, version: { ...one.version, etag } };
  t.true((await readBytes(first, 0, 2 * mebibyte)).equals(first.content));
  t.true((await readBytes(two, 0, 2 * mebibyte)).equals(two.content));
  t.true(memory.statistics().bytesCached <= 3 * mebibyte);
  one.reader.checkInvariants();
  two.reader.checkInvariants();
  t.true((await readBytes(two, 0, 2 * mebibyte)).equals(two.content));
  t.is(two.store.bytesReceived, 2 * mebibyte);
  two.reader.stop();
  one.reader.checkInvariants();
  t.true((await readBytes(first, 0, 2 * mebibyte)).equals(first.content));
});
