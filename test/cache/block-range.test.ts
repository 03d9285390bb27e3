import test from 'ava';
import {
  type BlockRange,
  blocksCovering,
  blocksWithin,
  bytesOfBlocks,
  runsOf,
} from '../../src/cache/block-range.js';
import { fc } from '../seed.js';

test('blocks that cover a range begin at or before it and end at or after it', (t) => {
  t.deepEqual(blocksCovering({ offset: 0, length: 1 }, 10), { first: 0, end: 1 });
  t.deepEqual(blocksCovering({ offset: 9, length: 2 }, 10), { first: 0, end: 2 });
  t.deepEqual(blocksCovering({ offset: 10, length: 10 }, 10), { first: 1, end: 2 });
});

test('the last block of an object may be short', (t) => {
  t.deepEqual(bytesOfBlocks({ first: 1, end: 3 }, 25, 10), { offset: 10, length: 15 });
  t.deepEqual(bytesOfBlocks({ first: 1, end: 2 }, 25, 10), { offset: 10, length: 10 });
});

test('blocks within a range are whole, counting the short last one', (t) => {
  t.deepEqual(blocksWithin({ offset: 5, length: 17 }, 25, 10), { first: 1, end: 2 });
  t.deepEqual(blocksWithin({ offset: 5, length: 20 }, 25, 10), { first: 1, end: 3 });
  t.deepEqual(blocksWithin({ offset: 0, length: 10 }, 25, 10), { first: 0, end: 1 });
});

test('runs hold exactly the wanted blocks, in order, and none is longer than allowed', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.boolean(), { maxLength: 40 }),
      fc.integer({ min: 1, max: 8 }),
      (isWanted, max) => {
        const range = { first: 3, end: 3 + isWanted.length };
        const runs = [...runsOf(range, (block) => isWanted[block - 3] === true, max)];
        const found = runs.flatMap((run) => blocksOf(run));
        const expected = blocksOf(range).filter((block) => isWanted[block - 3] === true);
        t.deepEqual(found, expected);
        t.true(runs.every((run) => run.end - run.first <= max));
        // No more runs than needed: a run that ends early is followed by a block that is not wanted.
        t.true(runs.every((run, index) => run.end - run.first === max || runs[index + 1]?.first !== run.end));
      },
    ),
  );
});

function blocksOf({ first, end }: BlockRange): number[] {
  return Array.from({ length: end - first }, (_, index) => first + index);
}
