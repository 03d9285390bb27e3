import test from 'ava';
import { makeDeferred } from '../../src/concurrency/deferred.js';
import { forEachLimited, mapInOrder, mapLimited } from '../../src/concurrency/for-each-limited.js';

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
  await forEachLimited(numbers(20), { limit: 5 }, async (number) => {
    done.push(await work(number));
  });
  t.is(done.length, 20);
  t.is(most(), 5);
});

test('after a failure nothing is begun, and what is under way ends first', async (t) => {
  const begun: number[] = [];
  let hasEnded = false;
  const working = forEachLimited(numbers(100), { limit: 2 }, async (number) => {
    begun.push(number);
    if (number === 1) throw new Error('broken');
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
    hasEnded = true;
  });
  await t.throwsAsync(working, { message: 'broken' });
  t.true(hasEnded);
  t.true(begun.length <= 3);
});

test('the first failure aborts what is under way, and is the one that is thrown', async (t) => {
  const ended: number[] = [];
  const working = forEachLimited([0, 1, 2, 3, 4], { limit: 3 }, async (number, signal) => {
    if (number === 1) throw new Error('broken');
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    ended.push(number);
    throw new Error('aborted');
  });
  await t.throwsAsync(working, { message: 'broken' });
  t.deepEqual(ended, [0, 2]);
});

test("the caller's signal reaches what is under way", async (t) => {
  const controller = new AbortController();
  const begun = makeDeferred<undefined>();
  const working = forEachLimited([0, 1], { limit: 2, signal: controller.signal }, async (number, signal) => {
    if (number === 1) begun.resolve(undefined);
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    signal.throwIfAborted();
  });
  await begun.promise;
  controller.abort(new Error('no more'));
  await t.throwsAsync(working, { message: 'no more' });
});

test('a source of items that fails, or that is left early, is closed', async (t) => {
  let isClosed = false;
  async function* items(count: number) {
    try {
      for (let number = 0; number < count; number += 1) yield await Promise.resolve(number);
      throw new Error('no more items');
    } finally {
      isClosed = true;
    }
  }
  const done: number[] = [];
  const working = forEachLimited(items(2), { limit: 3 }, (number) => Promise.resolve(done.push(number)));
  await t.throwsAsync(working, { message: 'no more items' });
  t.deepEqual(done, [0, 1]);
  t.true(isClosed);
  isClosed = false;
  await t.throwsAsync(
    forEachLimited(items(9), { limit: 1 }, () => Promise.reject(new Error('broken'))),
    { message: 'broken' },
  );
  t.true(isClosed);
});

test('results come in the order of the items, also of those that are undefined', async (t) => {
  const { work } = reversing(3);
  const doubled = await mapLimited(
    [0, 1, 2, 3, 4, 5],
    { limit: 3 },
    async (number) => 2 * (await work(number)),
  );
  t.deepEqual(doubled, [0, 2, 4, 6, 8, 10]);
  t.deepEqual(await mapLimited([1, 2], { limit: 9 }, () => Promise.resolve(undefined)), [
    undefined,
    undefined,
  ]);
  t.deepEqual(await mapLimited([], { limit: 1 }, () => Promise.resolve(1)), []);
});
