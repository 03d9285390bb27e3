import test from 'ava';
import { planRanges, preferredPartBytes } from '../../src/transfer/part-plan.js';

const limits = { maxParts: 10_000 };

test('ranges cover every size without gaps, in at most 10,000 parts', (t) => {
  for (const size of [0, 1, preferredPartBytes, preferredPartBytes + 1, 2 ** 38, 5 * 2 ** 40]) {
    const ranges = planRanges(size, limits);
    let end = 0;
    for (const [index, { partNumber, offset, length }] of ranges.entries()) {
      t.is(partNumber, index + 1);
      t.is(offset, end);
      end += length;
    }
    t.is(end, size);
    t.true(ranges.length >= 1 && ranges.length <= 10_000);
  }
});

test('what fits in one part is one range', (t) => {
  t.is(planRanges(preferredPartBytes, limits).length, 1);
  t.is(planRanges(preferredPartBytes + 1, limits).length, 2);
});
