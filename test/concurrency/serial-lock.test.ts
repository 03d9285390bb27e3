import test from 'ava';
import { SerialLock } from '../../src/concurrency/serial-lock.js';
import { StoreError } from '../../src/errors.js';

const never = new AbortController().signal;

test('work is done in the order of the calls, one after the other', async (t) => {
  const lock = new SerialLock();
  const events: string[] = [];
  const work = (name: string) => async () => {
    events.push(`${name} begins`);
    await Promise.resolve();
    events.push(`${name} ends`);
  };
  await Promise.all(['a', 'b', 'c'].map((name) => lock.run(never, name, work(name))));
  t.deepEqual(events, ['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
});

test("a failure is the one caller's, and the next one goes on", async (t) => {
  const lock = new SerialLock();
  const failing = lock.run(never, 'a', () => Promise.reject(new Error('no')));
  const next = lock.run(never, 'b', () => Promise.resolve('yes'));
  await t.throwsAsync(failing, { message: 'no' });
  t.is(await next, 'yes');
});

test('whoever is aborted while waiting is never run, and those behind are', async (t) => {
  const lock = new SerialLock();
  let finish: () => void = () => undefined;
  const first = lock.run(never, 'a', () => new Promise<void>((resolve) => (finish = resolve)));
  const controller = new AbortController();
  let hasRun = false;
  const second = lock.run(controller.signal, 'b', () => {
    hasRun = true;
    return Promise.resolve();
  });
  const third = lock.run(never, 'c', () => Promise.resolve('third'));
  controller.abort();
  const error = await t.throwsAsync(second, { instanceOf: StoreError });
  t.is(error.code, 'Aborted');
  finish();
  await first;
  t.is(await third, 'third');
  t.false(hasRun);
});
