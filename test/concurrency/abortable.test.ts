import test from 'ava';
import { abortable, settleAll } from '../../src/concurrency/abortable.js';
import { waitInterruptibly } from '../../src/concurrency/mutex.js';
import { manyTurns } from '../patience.js';

/** Rejections that nobody looked at, while `work` runs and some time after it. */
async function unhandled(work: () => Promise<void>): Promise<unknown[]> {
  const found: unknown[] = [];
  const onRejection = (error: unknown) => found.push(error);
  process.on('unhandledRejection', onRejection);
  try {
    await work();
    await manyTurns();
  } finally {
    process.off('unhandledRejection', onRejection);
  }
  return found;
}

const waits = {
  abortable: (promise: Promise<void>, signal: AbortSignal) => abortable(promise, signal, 'it'),
  waitInterruptibly,
};

for (const [name, wait] of Object.entries(waits)) {
  for (const when of ['before', 'during', 'after'] as const) {
    test.serial(
      `${name}: work that fails and is aborted ${when} the wait leaves no rejection that nobody looks at`,
      async (t) => {
        const found = await unhandled(async () => {
          const controller = new AbortController();
          if (when === 'before') controller.abort();
          let fail: (error: Error) => void = () => undefined;
          const work = new Promise<void>((_resolve, reject) => (fail = reject));
          const waited = t.throwsAsync(wait(work, controller.signal));
          if (when === 'after') fail(new Error('failed'));
          await manyTurns();
          controller.abort();
          fail(new Error('failed'));
          await waited;
        });
        t.deepEqual(found, []);
      },
    );
  }
}

test.serial('of several failures one is thrown, and the others leave nothing behind', async (t) => {
  const found = await unhandled(async () => {
    const failures = ['a', 'b'].map((text) => Promise.reject(new Error(text)));
    await t.throwsAsync(settleAll(failures), { message: 'a' });
  });
  t.deepEqual(found, []);
});
