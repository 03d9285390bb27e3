import test from 'ava';
import { RequestSlots } from '../../src/s3/request-slots.js';

const never = new AbortController().signal;

/** Lets everything run that waits for nothing but promises. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function deferred(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}

test('as many tasks as slots run at once, the others in the order they came', async (t) => {
  const slots = new RequestSlots(2);
  const started: number[] = [];
  const gates = [0, 1, 2, 3].map(() => deferred());
  const tasks = gates.map((gate, index) =>
    slots.run(async () => {
      started.push(index);
      await gate.promise;
      return index;
    }, never),
  );
  await turn();
  t.deepEqual(started, [0, 1]);
  gates[1]!.resolve();
  t.is(await tasks[1], 1);
  await turn();
  t.deepEqual(started, [0, 1, 2]);
  for (const gate of gates) gate.resolve();
  t.deepEqual(await Promise.all(tasks), [0, 1, 2, 3]);
});

test('a slot is freed when its task fails', async (t) => {
  const slots = new RequestSlots(1);
  await t.throwsAsync(
    slots.run(() => Promise.reject(new Error('failed')), never),
    { message: 'failed' },
  );
  t.is(await slots.run(() => Promise.resolve('next'), never), 'next');
});

test('a task whose signal aborts while it waits never begins and takes no slot', async (t) => {
  const slots = new RequestSlots(1);
  const gate = deferred();
  const first = slots.run(() => gate.promise, never);
  const controller = new AbortController();
  let hasBegun = false;
  const waiting = slots.run(() => {
    hasBegun = true;
    return Promise.resolve();
  }, controller.signal);
  controller.abort();
  await t.throwsAsync(waiting, { any: true });
  await t.throwsAsync(
    slots.run(() => Promise.resolve(), AbortSignal.abort()),
    { any: true },
  );
  gate.resolve();
  await first;
  t.is(await slots.run(() => Promise.resolve('free'), never), 'free');
  t.false(hasBegun);
});
