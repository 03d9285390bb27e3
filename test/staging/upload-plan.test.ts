import test from 'ava';
import { ExtentMap, isStored } from '../../src/staging/extent-map.js';
import {
  defaultCopyPartBytes,
  defaultPartBytes,
  planMostParts,
  planParts,
  planUpload,
  type PlanLimits,
  type PlannedPart,
} from '../../src/staging/upload-plan.js';
import type { ObjectVersion } from '../../src/object-version.js';
import { defaultMemoryLimits } from '../object-store/memory-object-store.js';
import { fc } from '../seed.js';
import { checkParts } from './check-parts.js';

const mebibyte = 1024 * 1024;
const gibibyte = 1024 * mebibyte;

const realLimits: PlanLimits = {
  ...defaultMemoryLimits,
  putBytes: defaultPartBytes,
  sendPartBytes: defaultPartBytes,
  copyPartBytes: defaultCopyPartBytes,
};

function sentBytes(parts: readonly PlannedPart[]): number {
  return parts.reduce((sum, { length, copyFrom }) => sum + (copyFrom ? 0 : length), 0);
}

test('the parts make up the content and keep to the limits, however small these are', (t) => {
  const versions: ObjectVersion[] = ['a', 'b'].map((key) => ({ key, etag: key, size: 100_000 }));
  const extent = fc.record({
    length: fc.oneof(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 1000 })),
    source: fc.constantFrom(...versions, 'zero' as const, 'staged' as const),
    sourceOffset: fc.integer({ min: 0, max: 50_000 }),
  });
  const limits = fc
    .record({
      minPartSize: fc.integer({ min: 1, max: 60 }),
      partsOfMinimum: fc.integer({ min: 2, max: 20 }),
      maxParts: fc.integer({ min: 1, max: 40 }),
      sendPartBytes: fc.integer({ min: 1, max: 300 }),
      copyPartBytes: fc.integer({ min: 1, max: 600 }),
    })
    .map((given) => ({ ...given, maxPartSize: given.minPartSize * given.partsOfMinimum, putBytes: 0 }));
  let planned = 0;
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 500 }),
      fc.array(extent, { size: 'max', maxLength: 60 }),
      limits,
      (start, list, given) => {
        const map = new ExtentMap(undefined);
        let end = start;
        for (const { length, source, sourceOffset } of list) {
          map.replace(end, length, source, isStored(source) ? sourceOffset : 0);
          end += length;
        }
        const extents = map.slice(start, end - start);
        if (Math.ceil((end - start) / given.maxPartSize) > given.maxParts) {
          t.throws(() => planParts(extents, given), { instanceOf: RangeError });
          return;
        }
        for (const behind of ['end of file', 'more'] as const) {
          if (behind === 'more' && end - start < given.minPartSize) continue;
          const parts = planParts(extents, given, behind);
          checkParts(parts, extents, given, behind);
          const most = planMostParts(extents, given, behind);
          checkParts(most, extents, given, behind);
          t.true(most.length >= parts.length);
        }
        planned += 1;
      },
    ),
    { numRuns: 1000 },
  );
  t.true(planned > 200);
});

test('where as many parts as possible are asked for, the limits alone decide how many there are', (t) => {
  const limits = { ...realLimits, minPartSize: 60, maxPartSize: 700, sendPartBytes: 60, copyPartBytes: 60 };
  for (const [size, maxParts, count] of [
    [1280, 9, 9],
    [1280, 100, 21],
    [59, 9, 1],
    [6300, 9, 9],
  ] as const) {
    const map = new ExtentMap(undefined);
    map.replace(0, size, 'staged');
    const extents = map.slice(0, size);
    const parts = planMostParts(extents, { ...limits, maxParts });
    checkParts(parts, extents, { ...limits, maxParts });
    t.is(parts.length, count, `${size} bytes in ${maxParts} parts`);
    const lengths = parts.map(({ length }) => length);
    t.true(Math.max(...lengths) - Math.min(...lengths) <= 1, 'none is much longer than another');
  }
});

test('copies take their share when as many parts as possible are asked for', (t) => {
  const limits = { ...realLimits, minPartSize: 60, maxPartSize: 700, maxParts: 9 };
  const map = new ExtentMap({ key: 'a', etag: 'a', size: 1000 });
  map.replace(500, 100, 'staged');
  const extents = map.slice(0, map.size);
  const parts = planMostParts(extents, limits);
  checkParts(parts, extents, limits);
  t.is(parts.length, 9);
  t.true(sentBytes(parts) < 200);
});

test('small content is one PUT', (t) => {
  const map = new ExtentMap({ key: 'a', etag: 'a', size: 8 * mebibyte });
  t.is(planUpload(map.slice(0, map.size), realLimits), undefined);
  map.replace(map.size, 1, 'staged');
  t.not(planUpload(map.slice(0, map.size), realLimits), undefined);
});

for (const [what, offset] of [
  ['at the beginning', 0],
  ['in the middle', 512 * mebibyte + 12_345],
  ['near the end', gibibyte - 5000],
  ['at the very end', gibibyte - 4096],
] as const) {
  test(`4 KiB changed ${what} of 1 GiB send at most one smallest part`, (t) => {
    const map = new ExtentMap({ key: 'a', etag: 'a', size: gibibyte });
    map.replace(offset, 4096, 'staged');
    const extents = map.slice(0, map.size);
    const parts = planParts(extents, realLimits);
    checkParts(parts, extents, realLimits);
    t.true(sentBytes(parts) <= 5 * mebibyte, `${sentBytes(parts)}`);
    t.true(parts.length >= 8, 'copies are split so that several run in parallel');
  });
}

test('one byte appended to 1 GiB sends one byte', (t) => {
  const map = new ExtentMap({ key: 'a', etag: 'a', size: gibibyte });
  map.replace(gibibyte, 1, 'staged');
  const parts = planParts(map.slice(0, map.size), realLimits);
  t.is(sentBytes(parts), 1);
});

test('changes all over a huge file are merged until the parts are few enough', (t) => {
  const size = 500 * gibibyte;
  const map = new ExtentMap({ key: 'a', etag: 'a', size });
  const count = 20_000;
  for (let index = 0; index < count; index++) {
    map.replace(Math.floor((index * size) / count) + ((index * 7919) % 100) * 4096, 4096, 'staged');
  }
  const extents = map.slice(0, size);
  const parts = planParts(extents, realLimits);
  checkParts(parts, extents, realLimits);
  t.true(parts.length > 5000);
});
