import test from 'ava';
import { makeDeferred } from '../../src/concurrency/deferred.js';
import { RequestSlots } from '../../src/s3/request-slots.js';

const task = { signal: new AbortController().signal, what: 'a request' };

/** Lets everything run that waits for nothing but promises. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

test('as many tasks as slots run at once, the others in the order they came', async (t) => {
  const slots = new RequestSlots(2);
  const started: number[] = [];
  const gates = [0, 1, 2, 3].map(() => makeDeferred<undefined>());
  const tasks = gates.map((gate, index) =>
    slots.run(task, async () => {
      started.push(index);
      await gate.promise;
      return index;
    }),
  );
  await turn();
  t.deepEqual(started, [0, 1]);
  gates[1]!.resolve(undefined);
  t.is(await tasks[1], 1);
  await turn();
  t.deepEqual(started, [0, 1, 2]);
  for (const gate of gates) gate.resolve(undefined);
  t.deepEqual(await Promise.all(tasks), [0, 1, 2, 3]);
});

test('a slot is freed when its task fails', async (t) => {
  const slots = new RequestSlots(1);
  await t.throwsAsync(
    slots.run(task, () => Promise.reject(new Error('failed'))),
    { message: 'failed' },
  );
  t.is(await slots.run(task, () => Promise.resolve('next')), 'next');
});

test('a task whose signal aborts while it waits never begins and takes no slot', async (t) => {
  const slots = new RequestSlots(1);
  const gate = makeDeferred<undefined>();
  const first = slots.run(task, () => gate.promise);
  const controller = new AbortController();
  let hasBegun = false;
  const waiting = slots.run({ signal: controller.signal, what: 'it' }, () => {
    hasBegun = true;
    return Promise.resolve();
  });
  controller.abort();
  await t.throwsAsync(waiting, { any: true });
  await t.throwsAsync(
    slots.run({ signal: AbortSignal.abort(), what: 'it' }, () => Promise.resolve()),
    { any: true },
  );
  gate.resolve(undefined);
  await first;
  t.is(await slots.run(task, () => Promise.resolve('free')), 'free');
  t.false(hasBegun);
});
