import test from 'ava';
import { Limiter } from '../../src/concurrency/limiter.js';

const never = new AbortController().signal;

/** Starts work that ends when told; says what is running. */
function makeWork(limiter: Limiter) {
  const running = new Map<string, () => void>();
  const start = (name: string, bytes: number, signal = never) =>
    limiter.run({ bytes, signal, what: name }, async () => {
      await new Promise<void>((resolve) => running.set(name, resolve));
      running.delete(name);
    });
  const finish = (name: string) => running.get(name)?.();
  return { running, start, finish };
}

/** Lets everything happen that needs nobody's help. */
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

test('no more tasks than permitted run at once, the rest in order', async (t) => {
  const { running, start, finish } = makeWork(new Limiter({ maxTasks: 2 }));
  const all = ['a', 'b', 'c', 'd'].map((name) => start(name, 1));
  await settle();
  t.deepEqual([...running.keys()], ['a', 'b']);
  finish('b');
  await settle();
  t.deepEqual([...running.keys()], ['a', 'c']);
  for (const name of ['a', 'c']) finish(name);
  await settle();
  finish('d');
  await Promise.all(all);
});

test('bytes are limited, and a task above the limit goes alone', async (t) => {
  const limiter = new Limiter({ maxTasks: 5, maxBytes: 100 });
  const { running, start, finish } = makeWork(limiter);
  const all = [start('a', 60), start('large', 500), start('b', 60), start('c', 40)];
  await settle();
  t.deepEqual([...running.keys()], ['a'], 'nothing overtakes');
  finish('a');
  await settle();
  t.deepEqual([...running.keys()], ['large']);
  finish('large');
  await settle();
  t.deepEqual([...running.keys()], ['b', 'c']);
  for (const name of ['b', 'c']) finish(name);
  await Promise.all(all);
  t.deepEqual(limiter.statistics(), { tasks: 0, bytes: 0, waiting: 0 });
});

test('an aborted wait makes way', async (t) => {
  const { running, start, finish } = makeWork(new Limiter({ maxTasks: 6, maxBytes: 100 }));
  const controller = new AbortController();
  const first = start('a', 80);
  const second = start('b', 80, controller.signal);
  const third = start('c', 20);
  await settle();
  t.deepEqual([...running.keys()], ['a']);
  controller.abort();
  await t.throwsAsync(second, { message: /b: interrupted/ });
  await settle();
  t.deepEqual([...running.keys()], ['a', 'c']);
  for (const name of ['a', 'c']) finish(name);
  await Promise.all([first, third]);
});

test('a failure frees its place', async (t) => {
  const limiter = new Limiter({ maxTasks: 1 });
  await t.throwsAsync(
    limiter.run({ bytes: 1, signal: never, what: 'a' }, () => Promise.reject(new Error('no'))),
    { message: 'no' },
  );
  t.is(await limiter.run({ bytes: 1, signal: never, what: 'b' }, () => Promise.resolve('yes')), 'yes');
});

test('a signal that has aborted takes no place, and a limit of nothing is refused', async (t) => {
  const limiter = new Limiter({ maxTasks: 1 });
  const work = () => Promise.resolve(t.fail('must not run'));
  await t.throwsAsync(limiter.run({ signal: AbortSignal.abort(), what: 'a' }, work), {
    code: 'Aborted',
  } as never);
  t.is(limiter.statistics().tasks, 0);
  for (const maxTasks of [0, -1, 1.5, NaN])
    t.throws(() => new Limiter({ maxTasks }), { instanceOf: RangeError });
});
