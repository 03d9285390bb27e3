import test from 'ava';
import { UploadLimiter } from '../../src/concurrency/limiter.js';

const never = new AbortController().signal;

/** Starts work that ends when told; says what is running. */
function makeWork(limiter: UploadLimiter) {
  const running = new Map<string, () => void>();
  const start = (name: string, bytes: number, signal = never) =>
    limiter.run(bytes, signal, name, async () => {
      await new Promise<void>((resolve) => running.set(name, resolve));
      running.delete(name);
    });
  const finish = (name: string) => running.get(name)?.();
  return { running, start, finish };
}

/** Lets everything happen that needs nobody's help. */
const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

test('no more uploads than permitted run at once, the rest in order', async (t) => {
  const { running, start, finish } = makeWork(new UploadLimiter({ maxConcurrentUploads: 2 }));
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

test('bytes are limited, and a body above the limit goes alone', async (t) => {
  const limiter = new UploadLimiter({ maxConcurrentUploads: 5, maxBytesInFlight: 100 });
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
  t.deepEqual(limiter.statistics(), { uploadsInFlight: 0, bytesInFlight: 0, waiting: 0 });
});

test('an aborted wait makes way', async (t) => {
  const { running, start, finish } = makeWork(new UploadLimiter({ maxBytesInFlight: 100 }));
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
  const limiter = new UploadLimiter({ maxConcurrentUploads: 1 });
  await t.throwsAsync(
    limiter.run(1, never, 'a', () => Promise.reject(new Error('no'))),
    { message: 'no' },
  );
  t.is(await limiter.run(1, never, 'b', () => Promise.resolve('yes')), 'yes');
});
