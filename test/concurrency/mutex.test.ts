import test from 'ava';
import { makeDeferred } from '../../src/concurrency/deferred.js';
import { KeyedMutex, Mutex } from '../../src/concurrency/mutex.js';

test('actions run one at a time in the order of arrival', async (t) => {
  const mutex = new Mutex();
  const opened = makeDeferred<undefined>();
  const order: number[] = [];
  const first = mutex.run(async () => {
    await opened.promise;
    order.push(1);
  });
  const second = mutex.run(() => Promise.resolve(order.push(2)));
  t.true(mutex.isBusy);
  opened.resolve(undefined);
  await Promise.all([first, second]);
  t.deepEqual(order, [1, 2]);
  t.false(mutex.isBusy);
});

test('an action that fails lets the next one in', async (t) => {
  const mutex = new Mutex();
  await t.throwsAsync(
    mutex.run(() => Promise.reject(new Error('no'))),
    { message: 'no' },
  );
  t.is(await mutex.run(() => Promise.resolve(7)), 7);
});

test('an interrupted wait ends at once and holds nobody up', async (t) => {
  const mutex = new Mutex();
  const opened = makeDeferred<undefined>();
  const first = mutex.run(() => opened.promise);
  const interruption = new AbortController();
  const second = mutex.run(() => Promise.resolve(t.fail('must not run')), interruption.signal);
  const third = mutex.run(() => Promise.resolve('ran'));
  interruption.abort();
  await t.throwsAsync(second, { code: 'Aborted' } as never);
  opened.resolve(undefined);
  await first;
  t.is(await third, 'ran');
});

test('a signal that aborts when it is too late changes nothing', async (t) => {
  const mutex = new Mutex();
  const opened = makeDeferred<undefined>();
  const first = mutex.run(() => opened.promise);
  const interruption = new AbortController();
  const second = mutex.run(() => Promise.resolve('ran'), interruption.signal);
  opened.resolve(undefined);
  await first;
  interruption.abort(); // it has the mutex by now, whether it knows or not
  t.is(await second, 'ran');
  await t.throwsAsync(
    mutex.run(() => Promise.resolve(), interruption.signal),
    { code: 'Aborted' } as never,
  );
  t.false(mutex.isBusy);
});

test('what was acquired is let go of once, however often it is released', async (t) => {
  const mutex = new Mutex();
  const { signal } = new AbortController();
  const release = await mutex.acquire(signal);
  const second = mutex.acquire(signal);
  release();
  release();
  const releaseSecond = await second;
  let isThird = false;
  const third = mutex.run(() => Promise.resolve((isThird = true)));
  await new Promise((resolve) => setImmediate(resolve));
  t.false(isThird);
  releaseSecond();
  await third;
  t.true(isThird);
});

test('of a keyed mutex, keys do not wait for each other, and each is taken one at a time', async (t) => {
  const mutex = new KeyedMutex();
  const opened = makeDeferred<undefined>();
  const order: string[] = [];
  const begin = (key: string, name: string, until?: Promise<unknown>) =>
    mutex.run(key, async () => {
      order.push(`${name} begins`);
      await until;
      order.push(`${name} ends`);
    });
  const first = begin('a', 'first', opened.promise);
  const second = begin('a', 'second');
  await begin('b', 'other');
  t.deepEqual(order, ['first begins', 'other begins', 'other ends']);
  opened.resolve(undefined);
  await Promise.all([first, second]);
  t.deepEqual(order.slice(3), ['first ends', 'second begins', 'second ends']);
  await begin('a', 'third');
  t.is(order.at(-1), 'third ends');
});
