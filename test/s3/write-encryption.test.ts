// The bucket's policy comes or goes while it is written to: what is refused for that is sent again as the policy wants it.
import test, { type ExecutionContext } from 'ava';
import { StoreError } from '../../src/errors.js';
import { toStoreError } from '../../src/s3/error-codes.js';
import { WriteEncryption } from '../../src/s3/write-encryption.js';
import { never, testKey } from './fake-server.js';

const call = { operation: 'put', key: 'k' };

function refusal(name: string, status: number, message = name): StoreError {
  return toStoreError(
    Object.assign(new Error(message), { name, $metadata: { httpStatusCode: status } }),
    call,
    undefined,
  );
}
const refused = refusal('InvalidArgument', 400);
const denied = refusal('AccessDenied', 403);

/** `policy` says whether the header is demanded; requests that differ are refused as servers do. */
function begin(hasExtraHeader: boolean, policy: { demands: boolean | Error; refusesHeader?: boolean }) {
  let nowMs = 0;
  let asked = 0;
  const sent: boolean[] = [];
  const encryption = new WriteEncryption({
    customerKey: testKey,
    hasExtraHeader,
    askExtraHeader: () => {
      asked += 1;
      return policy.demands instanceof Error
        ? Promise.reject(policy.demands)
        : Promise.resolve(policy.demands);
    },
    now: () => nowMs,
  });
  const write = () =>
    encryption.send(call, never, (headers) => {
      const hasHeader = headers.some(([name]) => name === 'x-amz-server-side-encryption');
      sent.push(hasHeader);
      if (hasHeader && (policy.refusesHeader ?? policy.demands !== true)) return Promise.reject(refused);
      return !hasHeader && policy.demands === true ? Promise.reject(denied) : Promise.resolve();
    });
  return { write, sent, asked: () => asked, wait: (ms: number) => (nowMs += ms) };
}

async function fails(t: ExecutionContext, writing: Promise<unknown>, message: RegExp): Promise<void> {
  await t.throwsAsync(writing, { instanceOf: StoreError, message });
}

test('the header is left out when the policy is gone and the server refuses it', async (t) => {
  const { write, sent, asked } = begin(true, { demands: false });
  await write();
  await write();
  t.deepEqual(sent, [true, false, false]);
  t.is(asked(), 1);
});

test('the header is sent when there is such a policy by now', async (t) => {
  const { write, sent } = begin(false, { demands: true });
  await write();
  await write();
  t.deepEqual(sent, [false, true, true]);
});

test('what is denied for another reason stays denied, and the policy is asked for seldom', async (t) => {
  const { write, asked, wait, sent } = begin(true, { demands: true, refusesHeader: true });
  for (let count = 0; count < 5; count += 1) await fails(t, write(), /osirisfs policy BUCKET remove/);
  t.is(asked(), 1);
  wait(10_000);
  await fails(t, write(), /osirisfs policy BUCKET remove/);
  t.is(asked(), 2);
  t.true(sent.every(Boolean));
});

test('where the policy cannot be read, all stays as it is', async (t) => {
  const { write, sent } = begin(true, { demands: new StoreError('AccessDenied', 'the policy') });
  await t.throwsAsync(write(), { instanceOf: StoreError });
  await t.throwsAsync(write(), { instanceOf: StoreError });
  t.deepEqual(sent, [true, true]);
});

test('many who are refused at once ask once, and are all sent again', async (t) => {
  const { write, sent, asked } = begin(true, { demands: false });
  await Promise.all([write(), write(), write()]);
  t.deepEqual(sent, [true, true, true, false, false, false]);
  t.is(asked(), 1);
});

test('what the server says of a refusal is shown, unless it may repeat a secret', (t) => {
  t.regex(
    refusal('InvalidArgument', 400, "Server side error - can't do sse-c & sse-kms|sse-s3").message,
    /\(InvalidArgument, HTTP 400: Server side error - can't do sse-c & sse-kms\|sse-s3\)$/,
  );
  for (const secret of [
    testKey.toBase64(),
    testKey.fingerprint,
    'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  ]) {
    const { message } = refusal('InvalidArgument', 400, `you sent ${secret}`);
    t.false(message.includes(secret));
  }
  t.true(refusal('InvalidArgument', 400, 'very '.repeat(1000)).message.length < 400);
});
