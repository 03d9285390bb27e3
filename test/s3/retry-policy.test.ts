import test from 'ava';
import { StoreError, storeErrorCodes } from '../../src/errors.js';
import { isTransient, RetryPolicy, type RetryOptions } from '../../src/s3/retry-policy.js';
import { silentLog } from './fake-server.js';

const never = new AbortController().signal;

/** A policy whose clock moves only by its own waits. */
function makePolicy(options: Partial<RetryOptions> = {}) {
  const delays: number[] = [];
  let nowMs = 1_000;
  const policy = new RetryPolicy({
    log: silentLog,
    now: () => nowMs,
    random: () => 1,
    sleep: (ms) => {
      delays.push(ms);
      nowMs += ms;
      return Promise.resolve();
    },
    ...options,
  });
  return { policy, delays };
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

test('only what passes by itself is tried again', async (t) => {
  const transient = storeErrorCodes.filter((code) => isTransient(new StoreError(code, 'x')));
  t.deepEqual(transient, ['Throttled', 'ServerError', 'Unreachable', 'Timeout', 'CorruptReply']);
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
