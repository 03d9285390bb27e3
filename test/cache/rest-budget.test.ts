import test from 'ava';
import { RestBudget } from '../../src/cache/rest-budget.js';

const kibibyte = 1024;
const bounds = { minFetchBytes: 128 * kibibyte, maxFetchBytes: 4096 * kibibyte };

/** Of a reader that has jumped so often, and waited so long each time. */
function budgetAfter(misses: number, waitedMs = 10): RestBudget {
  const budget = new RestBudget(bounds);
  for (let count = 0; count < misses; count += 1) budget.noteMiss(waitedMs);
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

/** What is allowed in KiB, each time that a fetch took so long. */
function sizesAfter(budget: RestBudget, tookMs: readonly number[]): number[] {
  return tookMs.map((ms) => {
    budget.noteFetch(ms);
    return budget.allowedBytes / kibibyte;
  });
}

test('fetches grow while they are short, and shrink when they are long, within their bounds', (t) => {
  const budget = budgetAfter(1000);
  t.deepEqual(sizesAfter(budget, [20, 20, 20, 20, 60]), [1024, 2048, 4096, 4096, 4096]);
  t.deepEqual(sizesAfter(budget, [80, 80]), [4096, 4096]);
  t.deepEqual(sizesAfter(budget, [120, 200, 200, 200, 200, 200]), [2048, 1024, 512, 256, 128, 128]);
});

test('what is long depends on how long requests take by themselves', (t) => {
  const budget = budgetAfter(1000, 100);
  t.deepEqual(sizesAfter(budget, [190, 250, 290, 310]), [1024, 1024, 1024, 512]);
});
