import test from 'ava';
import { ExtentMap, isStored, type ExtentSource } from '../../src/staging/extent-map.js';
import type { ObjectVersion } from '../../src/object-version.js';
import { fc } from '../seed.js';

const first: ObjectVersion = { key: 'first', etag: '1', size: 100 };
const second: ObjectVersion = { key: 'second', etag: '2', size: 60 };

/** One byte's place, as text that can be compared. */
type Place = string;

function placesOf(map: ExtentMap, offset: number, length: number): Place[] {
  const places: Place[] = [];
  for (const extent of map.slice(offset, length)) {
    for (let index = 0; index < extent.length; index++) {
      places.push(place(extent.source, extent.sourceOffset + index));
    }
  }
  return places;
}

function place(source: ExtentSource, offset: number): Place {
  return isStored(source) ? `${source.key} ${source.etag} ${offset}` : source;
}

test('a map says of each byte what a list of bytes would say', (t) => {
  const small = fc.integer({ min: 0, max: 60 });
  const change = fc.oneof(
    fc.record({
      kind: fc.constant('replace' as const),
      offset: fc.integer({ min: 0, max: 150 }),
      length: small,
      source: fc.constantFrom<ExtentSource>('zero', 'staged', 'sent', first, second),
      sourceOffset: small,
    }),
    fc.record({ kind: fc.constant('resize' as const), size: fc.integer({ min: 0, max: 200 }) }),
  );
  fc.assert(
    fc.property(
      fc.boolean(),
      fc.array(change, { size: 'max', maxLength: 30 }),
      small,
      small,
      (hasBase, changes, from, many) => {
        const map = new ExtentMap(hasBase ? first : undefined);
        const model: Place[] = hasBase ? Array.from({ length: 100 }, (_, index) => place(first, index)) : [];
        const grow = (size: number) => {
          while (model.length < size) model.push('zero');
        };
        for (const change of changes) {
          if (change.kind === 'resize') {
            map.resize(change.size);
            model.length = Math.min(model.length, change.size);
            grow(change.size);
          } else {
            const { offset, source } = change;
            const sourceOffset = isStored(source) ? Math.min(change.sourceOffset, source.size) : 0;
            const length = isStored(source)
              ? Math.min(change.length, source.size - sourceOffset)
              : change.length;
            map.replace(offset, length, source, sourceOffset);
            if (length > 0) grow(offset + length);
            for (let index = 0; index < length; index++)
              model[offset + index] = place(source, sourceOffset + index);
          }
          map.checkInvariants();
        }
        t.is(map.size, model.length);
        t.deepEqual(placesOf(map, 0, map.size), model);
        t.deepEqual(placesOf(map, from, many), model.slice(from, from + many));
        t.is(map.has('staged', from, many), model.slice(from, from + many).includes('staged'));
        const unstored = model.findIndex((at) => !at.includes(' '));
        t.is(map.endOfStoredPrefix(), unstored < 0 ? model.length : unstored);
        const staged = model.slice(from).findIndex((at) => at !== 'staged');
        t.is(map.endOfRun(from, 'staged'), staged < 0 ? Math.max(from, model.length) : from + staged);
        for (const whence of ['data', 'hole'] as const) {
          const found = model.findIndex(
            (at, index) => index >= from && (at === 'zero') === (whence === 'hole'),
          );
          const atEnd = whence === 'hole' ? model.length : undefined;
          t.is(map.seek(from, whence), from >= model.length ? undefined : found < 0 ? atEnd : found);
        }
        t.is(
          map.isExactly(first),
          model.length === 100 && model.every((at, index) => at === place(first, index)),
        );
      },
    ),
    { numRuns: 500 },
  );
});

test('writes that follow each other are one extent', (t) => {
  const map = new ExtentMap(undefined);
  for (let offset = 0; offset < 50; offset += 5) map.replace(offset, 5, 'staged');
  t.deepEqual(map.slice(0, 100), [{ offset: 0, length: 50, source: 'staged', sourceOffset: 0 }]);
});

test('a range put back where it came from makes the object whole again', (t) => {
  const map = new ExtentMap(first);
  map.replace(10, 20, 'staged');
  t.false(map.isExactly(first));
  map.replace(10, 20, first, 10);
  t.true(map.isExactly(first));
});
