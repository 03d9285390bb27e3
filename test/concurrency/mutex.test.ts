import test from 'ava';
import { Mutex } from '../../src/concurrency/mutex.js';

function gate() {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { open, opened };
}

test('actions run one at a time in the order of arrival', async (t) => {
  const mutex = new Mutex();
  const { open, opened } = gate();
  const order: number[] = [];
  const first = mutex.run(async () => {
    await opened;
    order.push(1);
  });
  const second = mutex.run(() => Promise.resolve(order.push(2)));
  t.true(mutex.isBusy);
  open();
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
  const { open, opened } = gate();
  const first = mutex.run(() => opened);
  const interruption = new AbortController();
  const second = mutex.run(() => Promise.resolve(t.fail('must not run')), interruption.signal);
  const third = mutex.run(() => Promise.resolve('ran'));
  interruption.abort();
  await t.throwsAsync(second, { code: 'Aborted' } as never);
  open();
  await first;
  t.is(await third, 'ran');
});
