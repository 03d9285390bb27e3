import test from 'ava';
import { withStatement } from '../../src/policy/force-encryption.js';
import { needsEncryptionHeader } from '../../src/policy/needs-encryption-header.js';
import { RetryPolicy } from '../../src/s3/retry-policy.js';
import { makeAccess, never, refuse, silentLog, startFakeServer, type Answer } from '../s3/fake-server.js';

const retry = new RetryPolicy({
  maxElapsedMs: 60_000,
  log: silentLog,
  maxAttempts: 3,
  sleep: () => Promise.resolve(),
});
const demanding = withStatement(undefined, 'b', 'encryption-header');
const answerPolicy: Answer = (_, response) => response.end(demanding);

for (const failures of [0, 2]) {
  test(`a policy that demands the header is found after ${failures} failures that pass`, async (t) => {
    let asked = 0;
    const { endpoint } = await startFakeServer(t, (request, response) => {
      if (asked++ < failures) refuse(response, 503, 'SlowDown');
      else answerPolicy(request, response);
    });
    const connection = { ...makeAccess(t, endpoint), endpoint };
    t.true(await needsEncryptionHeader({ connection, bucket: 'b', retry, log: silentLog }, never));
  });
}

test('who may not read the policy, or finds none, is told so once, and AWS is not asked', async (t) => {
  for (const [status, code] of [
    [403, 'AccessDenied'],
    [404, 'NoSuchBucketPolicy'],
  ] as const) {
    const { endpoint, received } = await startFakeServer(t, (_, response) => refuse(response, status, code));
    const access = makeAccess(t, endpoint);
    const options = { bucket: 'b', retry, log: silentLog };
    t.false(
      await needsEncryptionHeader({ ...options, connection: { ...access, endpoint: undefined } }, never),
    );
    t.is(received.length, 0);
    t.false(await needsEncryptionHeader({ ...options, connection: { ...access, endpoint } }, never));
    t.is(received.length, 1);
  }
});

test('an interrupt ends the question, and is no answer', async (t) => {
  const { endpoint } = await startFakeServer(t, () => undefined);
  const connection = { ...makeAccess(t, endpoint), endpoint };
  const interrupted = AbortSignal.abort();
  await t.throwsAsync(
    needsEncryptionHeader({ connection, bucket: 'b', retry, log: silentLog }, interrupted),
    { code: 'Aborted' } as never,
  );
});
