import test from 'ava';
import { forEachParallel, mapInOrder } from '../../src/concurrency/for-each-limited.js';

async function* numbers(count: number, onTake: (number: number) => void = () => undefined) {
  for (let number = 0; number < count; number += 1) {
    onTake(number);
    yield await Promise.resolve(number);
  }
}

/** Resolves in the reverse order of the calls within each batch of `size`. */
function reversing(size: number) {
  let waiting: (() => void)[] = [];
  let most = 0;
  let running = 0;
  const work = async (number: number): Promise<number> => {
    running += 1;
    most = Math.max(most, running);
    await new Promise<void>((resolve) => {
      waiting.push(resolve);
      if (waiting.length === size) {
        for (const release of waiting.reverse()) release();
        waiting = [];
      }
    });
    running -= 1;
    return number;
  };
  return { work, most: () => most };
}

test('results come in the order of the items, however the work ends', async (t) => {
  const { work, most } = reversing(4);
  const results: number[] = [];
  for await (const result of mapInOrder(numbers(16), 4, work)) results.push(result);
  t.deepEqual(
    results,
    Array.from({ length: 16 }, (_, index) => index),
  );
  t.is(most(), 4);
});

test('no more items are taken than are being worked on', async (t) => {
  let taken = 0;
  const results = mapInOrder(
    numbers(1000, () => (taken += 1)),
    3,
    (number) => Promise.resolve(number),
  );
  t.is((await results.next()).value, 0);
  t.true(taken <= 4);
  await results.return(undefined);
});

test('each item is worked on, a bounded number at a time', async (t) => {
  const { work, most } = reversing(5);
  const done: number[] = [];
  await forEachParallel(numbers(20), 5, async (number) => {
    done.push(await work(number));
  });
  t.is(done.length, 20);
  t.is(most(), 5);
});

test('after a failure nothing is begun, and what is under way ends first', async (t) => {
  const begun: number[] = [];
  let hasEnded = false;
  const working = forEachParallel(numbers(100), 2, async (number) => {
    begun.push(number);
    if (number === 1) throw new Error('broken');
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
    hasEnded = true;
  });
  await t.throwsAsync(working, { message: 'broken' });
  t.true(hasEnded);
  t.true(begun.length <= 3);
});
