import test from 'ava';
import { RestBudget } from '../../src/cache/rest-budget.js';

const kibibyte = 1024;
const bounds = { minFetchBytes: 128 * kibibyte, maxFetchBytes: 4096 * kibibyte };

/** Of a reader that has jumped often enough, and waited 10 ms each time. */
function budgetAfter(misses: number): RestBudget {
  const budget = new RestBudget(bounds);
  for (let count = 0; count < misses; count += 1) budget.noteMiss(10);
  return budget;
}

test('a reader that jumped seven times gets nothing, one that jumped eight times gets 512 KiB', (t) => {
  t.is(budgetAfter(7).allowedBytes, 0);
  t.is(budgetAfter(8).allowedBytes, 512 * kibibyte);
});

test('fetches take no longer in sum than the jumps have waited', (t) => {
  const budget = budgetAfter(8);
  budget.noteFetch(80);
  t.not(budget.allowedBytes, 0);
  budget.noteFetch(1);
  t.is(budget.allowedBytes, 0);
  budget.noteMiss(0.5);
  t.is(budget.allowedBytes, 0);
  budget.noteMiss(0.5);
  t.not(budget.allowedBytes, 0);
});

test('a jump to what is here counts as much as the others waited in the mean', (t) => {
  const budget = budgetAfter(8);
  budget.noteMiss(100);
  budget.noteFetch(200);
  t.is(budget.allowedBytes, 0);
  budget.noteHit();
  t.not(budget.allowedBytes, 0);
  const fresh = new RestBudget(bounds);
  for (let count = 0; count < 100; count += 1) fresh.noteHit();
  t.is(fresh.allowedBytes, 0);
});

test('fetches grow while they are short, and shrink when they are long, within their bounds', (t) => {
  const budget = budgetAfter(1000);
  const sizes = (tookMs: number, count: number) =>
    Array.from({ length: count }, () => {
      budget.noteFetch(tookMs);
      return budget.allowedBytes / kibibyte;
    });
  t.deepEqual(sizes(20, 5), [1024, 2048, 4096, 4096, 4096]);
  t.deepEqual(sizes(60, 2), [4096, 4096]);
  t.deepEqual(sizes(200, 6), [2048, 1024, 512, 256, 128, 128]);
});
