import test from 'ava';
import { makeDeferred } from '../../src/concurrency/deferred.js';
import { Limiter } from '../../src/concurrency/limiter.js';
import { lockOrder } from '../../src/concurrency/lock-order.js';
import { Mutex } from '../../src/concurrency/mutex.js';

const nothing = () => Promise.resolve();
const { signal } = new AbortController();

test.before(() => lockOrder.watch());

test.serial('locks that are taken in their order, and one after the other, are no violation', async (t) => {
  const [first, second, unranked] = [new Mutex(1), new Mutex(2), new Mutex()];
  const limiter = new Limiter({ maxTasks: 1, rank: 3 });
  await first.run(() => second.run(() => limiter.run({ signal, what: 'it' }, () => unranked.run(nothing))));
  await second.run(nothing);
  await first.run(nothing);
  await unranked.run(() => first.run(nothing));
  t.deepEqual(lockOrder.takeViolations(), []);
});

test.serial(
  'a wait for a lower rank is a violation, also when the lock is free and at some distance',
  async (t) => {
    const [lower, higher] = [new Mutex(1), new Mutex(2)];
    const wrong = higher.run(async () => {
      await new Promise((resolve) => setImmediate(resolve));
      await lower.run(nothing);
    });
    await t.throwsAsync(wrong, { message: /rank 2 waits for one of rank 1/ });
    const limiter = new Limiter({ maxTasks: 5, rank: 3 });
    await t.throwsAsync(limiter.run({ signal, what: 'it' }, () => higher.run(nothing)));
    await t.throwsAsync(lockOrder.holding([higher], () => lower.acquire(signal)));
    t.is(lockOrder.takeViolations().length, 3);
  },
);

test.serial('who waits for what he holds himself would wait for ever, and is told', async (t) => {
  const mutex = new Mutex(1);
  await t.throwsAsync(
    mutex.run(() => mutex.run(nothing)),
    { message: /who holds a lock of rank 1 waits for it/ },
  );
  t.is(lockOrder.takeViolations().length, 1);
  t.false(mutex.isBusy);
});

test.serial('what was begun under a lock and goes on after it is free', async (t) => {
  const [lower, higher] = [new Mutex(1), new Mutex(2)];
  const later = makeDeferred<undefined>();
  let detached = Promise.resolve();
  await higher.run(() => {
    detached = later.promise.then(() => lower.run(nothing));
    return Promise.resolve();
  });
  later.resolve(undefined);
  await detached;
  t.deepEqual(lockOrder.takeViolations(), []);
});
