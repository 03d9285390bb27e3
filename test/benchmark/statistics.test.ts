import test from 'ava';
import { formatNumber, formatSize, median } from '../../scripts/benchmark/statistics.js';

test('the median is the middle value, or the mean of the two in the middle, in any order', (t) => {
  t.is(median([9, 1, 5]), 5);
  t.is(median([10, 1, 2, 4]), 3);
  t.is(median([7]), 7);
  t.is(median([]), undefined);
});

test('the median leaves its values in their order', (t) => {
  const values = [3, 1, 2];
  median(values);
  t.deepEqual(values, [3, 1, 2]);
});

test('numbers are shown with three digits that mean something', (t) => {
  t.deepEqual([0, 0.01234, 0.5, 1.234, 12.34, 123.4, 1234.4].map(formatNumber), [
    ...['0', '0.0123', '0.500', '1.23', '12.3', '123', '1234'],
  ]);
});

test('sizes are shown in the largest unit that they fill', (t) => {
  t.deepEqual([512, 1024, 256 * 2 ** 20, 2 ** 30].map(formatSize), [
    ...['512 B', '1 KiB', '256 MiB', '1 GiB'],
  ]);
});
