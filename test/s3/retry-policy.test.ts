import test from 'ava';
import { StoreError, storeErrorCodes } from '../../src/errors.js';
import { firstAnswerRetry, isRetried, RetryPolicy, type RetryOptions } from '../../src/s3/retry-policy.js';
import { silentLog } from './fake-server.js';

const never = new AbortController().signal;

/** A policy whose clock moves only by its own waits. */
function makePolicy(options: Partial<RetryOptions> = {}) {
  const delays: number[] = [];
  const waiting: string[] = [];
  let nowMs = 1_000;
  const policy = new RetryPolicy({
    maxElapsedMs: 60_000,
    log: silentLog,
    now: () => nowMs,
    random: () => 1,
    sleep: (ms) => {
      delays.push(ms);
      nowMs += ms;
      return Promise.resolve();
    },
    onWaiting: ({ subject, code }) => waiting.push(`${subject} ${code}`),
    ...options,
  });
  return {
    policy,
    delays,
    waiting,
    now: () => nowMs,
    pass: (ms: number) => {
      nowMs += ms;
    },
  };
}

function failing(times: number, code: (typeof storeErrorCodes)[number] = 'Throttled') {
  const calls: boolean[] = [];
  const attempt = (mayHaveHappened: boolean) => {
    calls.push(mayHaveHappened);
    if (calls.length <= times) return Promise.reject(new StoreError(code, `failure ${calls.length}`));
    return Promise.resolve('done');
  };
  return { attempt, calls };
}

test('what may pass is tried again, and told so, until it succeeds', async (t) => {
  const { policy, delays } = makePolicy({ baseDelayMs: 100, maxDelayMs: 300 });
  const { attempt, calls } = failing(4);
  t.is(await policy.run('x', attempt, never), 'done');
  t.deepEqual(calls, [false, true, true, true, true]);
  t.deepEqual(delays, [100, 200, 300, 300]);
});

test('delays are random from nothing to the full backoff', async (t) => {
  const draws = [0, 0.5, 0.25];
  const { policy, delays } = makePolicy({ baseDelayMs: 100, random: () => draws.shift() ?? 1 });
  await policy.run('x', failing(3).attempt, never);
  t.deepEqual(delays, [0, 100, 100]);
});

test('attempts are limited', async (t) => {
  const { policy } = makePolicy({ maxAttempts: 3 });
  const { attempt, calls } = failing(10);
  await t.throwsAsync(policy.run('x', attempt, never), { instanceOf: StoreError, message: 'failure 3' });
  t.is(calls.length, 3);
});

test('no attempt begins after the time is up', async (t) => {
  const { policy, delays } = makePolicy({ maxElapsedMs: 1_000, baseDelayMs: 400, maxDelayMs: 400 });
  const { attempt, calls } = failing(10);
  await t.throwsAsync(policy.run('x', attempt, never), { message: 'failure 3' });
  t.deepEqual(delays, [400, 400]);
  t.is(calls.length, 3);
});

test('every failure that passes is tried again for a minute, however the waits are drawn', async (t) => {
  const transient = storeErrorCodes.filter((code) => isRetried(new StoreError(code, 'x')));
  // An even spread, the shortest waits that are likely, and the longest.
  for (const draws of [[0.5], [0.1], [1], [0, 0.9, 0.2, 0.6]]) {
    for (const code of transient) {
      let draw = 0;
      const { policy, now } = makePolicy({ random: () => draws[draw++ % draws.length] ?? 0 });
      const startMs = now();
      const { attempt } = failing(Infinity, code);
      await t.throwsAsync(policy.run('x', attempt, never), { instanceOf: StoreError });
      const tookMs = now() - startMs;
      t.true(tookMs > 54_000 && tookMs <= 60_000, `${code} ${draws.join()}: ${tookMs}`);
    }
  }
});

test('the time counts from the first failure: what was silent for longer than it is tried again', async (t) => {
  for (const silenceMs of [60_000, 120_000]) {
    const { policy, pass } = makePolicy();
    let calls = 0;
    const attempt = () => {
      calls += 1;
      if (calls === 2) return Promise.resolve('done');
      pass(silenceMs);
      return Promise.reject(new StoreError('Timeout', 'nothing moved'));
    };
    t.is(await policy.run('x', attempt, never), 'done');
  }
});

test('where a user waits for a first answer, silence is not waited for twice', async (t) => {
  const { policy, pass } = makePolicy(firstAnswerRetry);
  let calls = 0;
  const attempt = () => {
    calls += 1;
    pass(10_000);
    return Promise.reject(new StoreError('Timeout', 'no connection'));
  };
  await t.throwsAsync(policy.run('x', attempt, never), { message: 'no connection' });
  t.is(calls, 1);
  const refused = failing(Infinity, 'Unreachable');
  const { policy: another, delays } = makePolicy(firstAnswerRetry);
  await t.throwsAsync(another.run('x', refused.attempt, never), { message: 'failure 3' });
  t.deepEqual(delays, [100, 200]);
});

test('what a policy has given up is not begun anew by the one around it', async (t) => {
  const inner = makePolicy({ maxAttempts: 3 });
  const outer = makePolicy();
  const { attempt, calls } = failing(Infinity);
  const copy = () => inner.policy.run('part', attempt, never);
  await t.throwsAsync(outer.policy.run('copy', copy, never), { message: 'failure 3' });
  t.is(calls.length, 3);
  t.deepEqual(outer.delays, []);
});

test('of all that is not answered for seconds one is told of, and after a minute the next', async (t) => {
  const { policy, waiting, pass } = makePolicy();
  await policy.run('soon', failing(2).attempt, never);
  t.deepEqual(waiting, []);
  await policy.run('first', failing(10).attempt, never);
  await policy.run('second', failing(10).attempt, never);
  t.deepEqual(waiting, ['first Throttled']);
  pass(60_000);
  await policy.run('third', failing(10, 'Unreachable').attempt, never);
  t.deepEqual(waiting, ['first Throttled', 'third Unreachable']);
});

test('a time limit ends the attempts, and is no interruption', async (t) => {
  // As AbortSignal.timeout() aborts.
  const limit = AbortSignal.abort(new DOMException('', 'TimeoutError'));
  const { attempt, calls } = failing(Infinity, 'Unreachable');
  const error = await t.throwsAsync(makePolicy().policy.run('x', attempt, limit), { instanceOf: StoreError });
  t.is(error.code, 'Timeout');
  t.is(calls.length, 1);
});

test('only what passes by itself is tried again', async (t) => {
  const transient = storeErrorCodes.filter((code) => isRetried(new StoreError(code, 'x')));
  t.deepEqual(transient, [
    'NoCredentials',
    'Throttled',
    'ServerError',
    'Unreachable',
    'Timeout',
    'CorruptReply',
  ]);
  for (const code of storeErrorCodes) {
    const { attempt, calls } = failing(1, code);
    await makePolicy()
      .policy.run('x', attempt, never)
      .catch(() => undefined);
    t.is(calls.length, transient.includes(code) ? 2 : 1, code);
  }
});

test('what is no StoreError is not tried again', async (t) => {
  let calls = 0;
  const attempt = () => {
    calls += 1;
    return Promise.reject(new TypeError('a bug'));
  };
  await t.throwsAsync(makePolicy().policy.run('x', attempt, never), { instanceOf: TypeError });
  t.is(calls, 1);
});

test('an abort ends the wait', async (t) => {
  const policy = new RetryPolicy({
    maxElapsedMs: 60_000,
    log: silentLog,
    baseDelayMs: 10_000,
    maxDelayMs: 10_000,
    random: () => 1,
  });
  const controller = new AbortController();
  const run = policy.run('x', failing(1).attempt, controller.signal);
  setImmediate(() => controller.abort());
  const error = await t.throwsAsync(run, { instanceOf: StoreError });
  t.is(error.code, 'Aborted');
});
