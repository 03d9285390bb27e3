import test from 'ava';
import { abortable, settleAll, withLinkedController } from '../../src/concurrency/abortable.js';
import { makeDeferred } from '../../src/concurrency/deferred.js';
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

for (const when of ['before', 'during', 'after'] as const) {
  test.serial(
    `work that fails and is aborted ${when} the wait leaves no rejection that nobody looks at`,
    async (t) => {
      const found = await unhandled(async () => {
        const controller = new AbortController();
        if (when === 'before') controller.abort();
        const work = makeDeferred<undefined>();
        const waited = t.throwsAsync(abortable(work.promise, controller.signal));
        if (when === 'after') work.reject(new Error('failed'));
        await manyTurns();
        controller.abort();
        work.reject(new Error('failed'));
        await waited;
      });
      t.deepEqual(found, []);
    },
  );
}

test('what ends first decides: the promise, or the signal with its reason', async (t) => {
  const never = new Promise<never>(() => undefined);
  t.is(await abortable(Promise.resolve(7), new AbortController().signal), 7);
  const controller = new AbortController();
  const waiting = abortable(never, controller.signal, 'the answer');
  controller.abort();
  await t.throwsAsync(waiting, { code: 'Aborted', message: 'the answer: interrupted' } as never);
  const late = new DOMException('late', 'TimeoutError');
  await t.throwsAsync(abortable(never, AbortSignal.abort(late), 'the answer'), { code: 'Timeout' } as never);
});

test('a linked controller aborts with the reason of what it is linked to, and lets go of it afterwards', async (t) => {
  const outer = new AbortController();
  const seen = await withLinkedController([outer.signal], async (controller) => {
    outer.abort('because');
    return Promise.resolve(controller.signal.reason as unknown);
  });
  t.is(seen, 'because');
  const other = new AbortController();
  const inner = await withLinkedController([other.signal], (controller) =>
    Promise.resolve(controller.signal),
  );
  other.abort();
  t.false(inner.aborted);
});

test.serial('of several failures one is thrown, and the others leave nothing behind', async (t) => {
  const found = await unhandled(async () => {
    const failures = ['a', 'b'].map((text) => Promise.reject(new Error(text)));
    await t.throwsAsync(settleAll(failures), { message: 'a' });
  });
  t.deepEqual(found, []);
});
