import test from 'ava';
import { FetchQueue, type QueuedFetch } from '../../src/cache/fetch-queue.js';

class ManualFetch implements QueuedFetch {
  isStarted = false;
  finish: () => void = () => undefined;

  run(): Promise<void> {
    this.isStarted = true;
    return new Promise((resolve) => (this.finish = resolve));
  }
}

function setup(count: number) {
  const queue = new FetchQueue<ManualFetch>({ maxRunning: 3, maxRunningAhead: 2 });
  return { queue, fetches: Array.from({ length: count }, () => new ManualFetch()) };
}

function started(fetches: readonly ManualFetch[]): boolean[] {
  return fetches.map(({ isStarted }) => isStarted);
}

async function turns(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

test('fetches ahead leave a place to urgent ones', (t) => {
  const { queue, fetches } = setup(3);
  for (const fetch of fetches) queue.add(fetch, false);
  t.deepEqual(started(fetches), [true, true, false]);
  const urgent = new ManualFetch();
  queue.add(urgent, true);
  t.true(urgent.isStarted);
  queue.checkInvariants();
});

test('an urgent fetch goes before fetches ahead that came earlier', async (t) => {
  const { queue, fetches } = setup(3);
  for (const fetch of fetches) queue.add(fetch, true);
  const ahead = new ManualFetch();
  const urgent = new ManualFetch();
  queue.add(ahead, false);
  queue.add(urgent, true);
  fetches[0]!.finish();
  await turns();
  t.deepEqual(started([ahead, urgent]), [false, true]);
  fetches[1]!.finish();
  await turns();
  t.true(ahead.isStarted);
  queue.checkInvariants();
});

test('a waiting fetch ahead that becomes urgent starts if there is a place for urgent ones', (t) => {
  const { queue, fetches } = setup(3);
  for (const fetch of fetches) queue.add(fetch, false);
  queue.makeUrgent(fetches[2]!);
  t.deepEqual(started(fetches), [true, true, true]);
  queue.checkInvariants();
});

test('a running fetch ahead that becomes urgent frees its place for another ahead', (t) => {
  const { queue, fetches } = setup(3);
  for (const fetch of fetches) queue.add(fetch, false);
  queue.makeUrgent(fetches[0]!);
  t.deepEqual(started(fetches), [true, true, true]);
  queue.checkInvariants();
});

test('a removed fetch never starts', async (t) => {
  const { queue, fetches } = setup(4);
  for (const fetch of fetches) queue.add(fetch, true);
  t.true(queue.isWaiting(fetches[3]!));
  queue.remove(fetches[3]!);
  t.false(queue.isWaiting(fetches[3]!));
  for (const fetch of fetches) fetch.finish();
  await turns();
  t.false(fetches[3]!.isStarted);
  t.is(queue.runningCount, 0);
});
