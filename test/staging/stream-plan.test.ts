import test from 'ava';
import { ExtentMap } from '../../src/staging/extent-map.js';
import {
  planAround,
  planStreamStart,
  streamPartBytes,
  type StreamLimits,
  type StreamShape,
} from '../../src/staging/stream-plan.js';
import { defaultCopyPartBytes, defaultPartBytes } from '../../src/staging/upload-plan.js';
import type { ObjectVersion } from '../../src/object-version.js';
import { defaultMemoryLimits } from '../object-store/memory-object-store.js';
import { fc } from '../seed.js';
import { checkParts } from './check-parts.js';

const mebibyte = 1024 * 1024;
const gibibyte = 1024 * mebibyte;

const realLimits: StreamLimits = {
  ...defaultMemoryLimits,
  putBytes: defaultPartBytes,
  sendPartBytes: defaultPartBytes,
  copyPartBytes: defaultCopyPartBytes,
  thresholdBytes: 16 * mebibyte,
  chunkBytes: 256 * 1024,
  maxStreamPartBytes: Infinity,
};

const smallLimits: StreamLimits = {
  minPartSize: 60,
  maxPartSize: 700,
  maxParts: 40,
  maxObjectSize: 20_000,
  putBytes: 100,
  sendPartBytes: 64,
  copyPartBytes: 400,
  thresholdBytes: 0,
  chunkBytes: 64,
  maxStreamPartBytes: 640,
};

const object: ObjectVersion = { key: 'a', etag: 'a', size: 1000 };

/** As a file is that was appended to. */
function appended(storedBytes: number, stagedBytes: number): ExtentMap {
  const extents = new ExtentMap({ ...object, size: storedBytes });
  extents.replace(storedBytes, stagedBytes, 'staged');
  return extents;
}

/** All full parts of what is staged, as a stream sends them; the last number is left for the tail. */
function streamed(
  { start, reservedParts }: { readonly start: number; readonly reservedParts: number },
  stagedEnd: number,
  limits: StreamLimits,
) {
  const lengths: number[] = [];
  let frontier = start;
  let nextPartNumber = reservedParts + 1;
  for (; nextPartNumber < limits.maxParts; nextPartNumber++) {
    const length = streamPartBytes(nextPartNumber, limits);
    if (frontier + length > stagedEnd) break;
    lengths.push(length);
    frontier += length;
  }
  return { start, reservedParts, frontier, nextPartNumber, lengths };
}

test('a file of unknown size reaches the largest object with parts that begin small', (t) => {
  const { maxParts, maxPartSize, maxObjectSize, minPartSize, chunkBytes } = realLimits;
  let size = 0;
  let previous = 0;
  for (let number = 1; number <= maxParts; number++) {
    const length = streamPartBytes(number, realLimits);
    t.true(length >= minPartSize && length <= maxPartSize && length % chunkBytes === 0 && length >= previous);
    if (size < 16 * gibibyte) t.is(length, defaultPartBytes);
    if (size < 100 * gibibyte) t.true(length <= 130 * mebibyte);
    previous = length;
    size += length;
  }
  t.true(size >= maxObjectSize);
});

test('streamed parts keep to limits of other servers', (t) => {
  const limits = { ...smallLimits, maxParts: 14, maxObjectSize: 8000 };
  let size = 0;
  for (let number = 1; number <= limits.maxParts; number++) {
    const length = streamPartBytes(number, limits);
    t.true(length >= limits.minPartSize && length <= limits.maxPartSize);
    size += length;
  }
  t.true(size <= limits.maxParts * limits.maxPartSize);
});

test('streamed parts stop growing where they could not be put together here', (t) => {
  const limits = { ...realLimits, maxStreamPartBytes: 32 * mebibyte };
  t.is(streamPartBytes(1, limits), defaultPartBytes);
  t.is(streamPartBytes(limits.maxParts, limits), 32 * mebibyte);
  t.is(
    streamPartBytes(1, { ...limits, maxStreamPartBytes: mebibyte }),
    defaultPartBytes,
    'but for a first part',
  );
});

test('a new file is streamed from its beginning when the threshold is staged', (t) => {
  const start = { start: 0, reservedParts: 0 };
  t.is(planStreamStart(appended(0, 16 * mebibyte - 1), realLimits), undefined);
  t.deepEqual(planStreamStart(appended(0, 16 * mebibyte), realLimits), start);
  t.is(planStreamStart(appended(0, 63), smallLimits), undefined, 'a first part is needed in any case');
  t.deepEqual(planStreamStart(appended(0, 64), smallLimits), start);
});

test('what is appended is streamed from a chunk on, behind numbers that are left for the object', (t) => {
  t.deepEqual(planStreamStart(appended(gibibyte + 1, 16 * mebibyte), realLimits), {
    start: gibibyte + 256 * 1024,
    reservedParts: 2 * 17 + 100,
  });
  t.deepEqual(
    planStreamStart(appended(10, 300), smallLimits),
    { start: 64, reservedParts: 10 },
    'no more than a quarter of the numbers',
  );
  t.is(
    planStreamStart(appended(10, 300), { ...smallLimits, minPartSize: 100 })?.start,
    128,
    'the head must be large enough for a part',
  );
  t.is(planStreamStart(appended(8000, 300), smallLimits), undefined, 'a head that does not fit into those');
});

test('nothing is streamed behind an object while more follows than what is staged', (t) => {
  const extents = appended(1000, 1000);
  t.not(planStreamStart(extents, smallLimits), undefined);
  extents.resize(2001);
  t.is(planStreamStart(extents, smallLimits), undefined);
});

test('a file that begins with a hole is not streamed', (t) => {
  const extents = new ExtentMap(undefined);
  extents.replace(64, 10_000, 'staged');
  t.is(planStreamStart(extents, smallLimits), undefined);
});

test('whatever is changed before and behind the streamed parts, the parts around them make up the file', (t) => {
  const limitsOf = fc
    .record({
      minPartSize: fc.integer({ min: 1, max: 200 }),
      chunksOfMaximum: fc.integer({ min: 7, max: 16 }), // two smallest parts, or more
      maxParts: fc.integer({ min: 8, max: 60 }),
      sendPartBytes: fc.integer({ min: 1, max: 300 }),
      copyPartBytes: fc.integer({ min: 1, max: 600 }),
      streamedChunks: fc.integer({ min: 1, max: 12 }),
      thresholdBytes: fc.integer({ min: 0, max: 300 }),
    })
    .map(({ chunksOfMaximum, streamedChunks, ...given }): StreamLimits => {
      const maxPartSize = 64 * chunksOfMaximum;
      const maxObjectSize = given.maxParts * maxPartSize;
      const maxStreamPartBytes = 64 * streamedChunks;
      return { ...given, maxPartSize, maxObjectSize, maxStreamPartBytes, putBytes: 0, chunkBytes: 64 };
    });
  const change = fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    length: fc.integer({ min: 1, max: 200 }),
    source: fc.constantFrom('zero' as const, 'staged' as const, { ...object, key: 'b' }),
  });
  let planned = 0;
  let withHead = 0;
  fc.assert(
    fc.property(
      limitsOf,
      fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 1500 })),
      fc.integer({ min: 0, max: 4000 }),
      fc.array(change, { maxLength: 30 }),
      fc.integer({ min: 0, max: 1000 }),
      (limits, storedBytes, stagedBytes, changes, growth) => {
        const extents = appended(storedBytes, stagedBytes);
        const begun = planStreamStart(extents, limits);
        if (!begun) return;
        const { lengths, ...stream } = streamed(begun, extents.size, limits);
        t.is(stream.start % limits.chunkBytes, 0);
        t.true(stream.start >= storedBytes, 'only staged bytes are streamed');
        t.true(lengths.length > 0, 'a stream begins with a part');
        for (const length of lengths) {
          t.true(length >= limits.minPartSize && length <= limits.maxPartSize);
        }
        extents.resize(extents.size + growth);
        for (const { at, length, source } of changes) {
          const isBefore = at < 0.5 && stream.start > 0;
          const [from, end] = isBefore ? [0, stream.start] : [stream.frontier, extents.size];
          const offset = from + Math.floor(((at * 2) % 1) * (end - from));
          extents.replace(offset, Math.min(length, end - offset), source);
        }
        const before = extents.slice(0, stream.start);
        const behind = extents.slice(stream.frontier, extents.size - stream.frontier);
        const tailParts = limits.maxParts + 1 - stream.nextPartNumber;
        const counts: number[] = [];
        for (const hasOthers of [false, true]) {
          const around = planAround({ ...stream, hasOthers: () => hasOthers }, extents, limits);
          if (!around) {
            const tailBytes = extents.size - stream.frontier;
            t.true(Math.ceil(tailBytes / limits.maxPartSize) > tailParts, 'only the tail can be too large');
            return;
          }
          checkParts(around.head, before, { ...limits, maxParts: stream.reservedParts }, 'more');
          checkParts(around.tail, behind, { ...limits, maxParts: tailParts });
          counts.push(around.head.length, around.tail.length);
        }
        const [head = 0, tail = 0, mostHead = 0, mostTail = 0] = counts;
        t.true(mostHead >= head && mostTail >= tail);
        planned += 1;
        if (stream.start > 0) withHead += 1;
      },
    ),
    { numRuns: 1000 },
  );
  t.true(planned > 300 && withHead > 100, `${planned} planned, ${withHead} with a head`);
});

test('as few parts as possible are planned, unless the server has more already', (t) => {
  const extents = appended(0, 1000);
  const stream = streamed({ start: 0, reservedParts: 0 }, 640, smallLimits);
  const limits = { ...smallLimits, sendPartBytes: 360 };
  const asked: (readonly [number, number])[] = [];
  const planWith = (hasOthers: StreamShape['hasOthers']) =>
    planAround({ ...stream, hasOthers }, extents, limits);
  const few = planWith((head, tail) => {
    asked.push([head, tail]);
    return false;
  });
  t.deepEqual(few, { head: [], tail: [{ offset: 640, length: 360, copyFrom: undefined }] });
  t.deepEqual(asked, [[0, 1]]);
  const most = planWith((_, tail) => tail < 3);
  t.is(most?.tail.length, 6, 'parts of the smallest size');
});

test('there is no plan where the part numbers are used up', (t) => {
  const extents = appended(0, 10_000);
  const stream = { start: 0, reservedParts: 0, frontier: 640, nextPartNumber: 40, hasOthers: () => false };
  t.is(planAround(stream, extents, smallLimits), undefined);
  extents.resize(1340);
  t.is(planAround(stream, extents, smallLimits)?.tail.length, 1);
});
