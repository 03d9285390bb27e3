import net, { type AddressInfo } from 'node:net';
import { once } from 'node:events';
import test, { type ExecutionContext } from 'ava';
import { CustomerKey } from '../../src/keys/customer-key.js';
import { KeyRing } from '../../src/keys/key-ring.js';
import { StoreError, type StoreErrorCode } from '../../src/errors.js';
import type { ObjectStore } from '../../src/object-store.js';
import { checkBucket, type CheckBucketOptions } from '../../src/s3/check-bucket.js';
import { firstAnswerRetry, RetryPolicy } from '../../src/s3/retry-policy.js';
import { S3ObjectStore } from '../../src/s3/s3-object-store.js';
import { MemoryObjectStore, type StoreMethod } from '../object-store/memory-object-store.js';
import { patienceMs } from '../patience.js';
import {
  type Answer,
  answerXml,
  listen,
  makeCertificate,
  makeAccess,
  never,
  refuse,
  silentLog,
  startFakeServer,
  testKey,
} from './fake-server.js';

function check(
  store: ObjectStore,
  endpoint: URL | undefined,
  options: Pick<Partial<CheckBucketOptions>, 'prefix' | 'retry'> = {},
) {
  const keyRing = new KeyRing(testKey);
  return checkBucket(
    { store, bucket: 'photos', endpoint, keyRing, log: silentLog, prefix: '', ...options },
    never,
  );
}

async function checkAt(
  t: ExecutionContext,
  endpoint: URL,
  {
    idleTimeoutMs = patienceMs,
    ...options
  }: { readonly idleTimeoutMs?: number; readonly retry?: RetryPolicy } = {},
) {
  const store = new S3ObjectStore({
    access: makeAccess(t, endpoint, { idleTimeoutMs }),
    endpoint,
    bucket: 'photos',
    customerKey: testKey,
    plaintext: 'read',
    log: silentLog,
  });
  return check(store, endpoint, options);
}

async function rejects(
  t: ExecutionContext,
  code: StoreErrorCode,
  message: RegExp,
  promise: Promise<unknown>,
): Promise<void> {
  const error = await t.throwsAsync(promise, { instanceOf: StoreError, message });
  t.is(error.code, code);
  t.false(error.message.includes('\n'));
}

/** A bucket in memory where a HEAD of some keys fails. */
function bucketWith(heads: Record<string, StoreErrorCode | 'encrypted' | 'plaintext'>): MemoryObjectStore {
  const store = new MemoryObjectStore();
  for (const [key, kind] of Object.entries(heads)) {
    store.putForeign(key, 'x');
    const object = store.objects.get(key)!;
    if (kind === 'plaintext')
      store.objects.set(key, { ...object, info: { ...object.info, isEncrypted: false } });
  }
  store.beforeRequest = (method: StoreMethod, key: string) => {
    const kind = method === 'head' ? heads[key] : undefined;
    if (kind !== undefined && kind !== 'encrypted' && kind !== 'plaintext') throw new StoreError(kind, 'x');
  };
  return store;
}

const endpoint = new URL('https://s3.example.org');

test('an empty bucket and one whose objects the key fits are fine', async (t) => {
  t.deepEqual(await check(bucketWith({}), endpoint), { sampled: 0, encrypted: 0, plaintext: 0, otherKey: 0 });
  const store = bucketWith({ a: 'encrypted', b: 'plaintext', c: 'WrongCustomerKey', d: 'NotFound' });
  t.deepEqual(await check(store, endpoint), { sampled: 3, encrypted: 1, plaintext: 1, otherKey: 1 });
});

test('only a few objects under the prefix are looked at, spread over what is there', async (t) => {
  const store = bucketWith({});
  for (let index = 0; index < 100; index += 1) store.putForeign(`in/${String(index).padStart(2, '0')}`, 'x');
  store.putForeign('out', 'x');
  const looked: string[] = [];
  store.beforeRequest = (method, key) => {
    if (method === 'head') looked.push(key);
  };
  t.is((await check(store, endpoint, { prefix: 'in/' })).sampled, 5);
  t.deepEqual(looked.sort(), ['in/00', 'in/20', 'in/40', 'in/60', 'in/80']);
});

test('a key that fits none of the encrypted objects is refused with its fingerprint', async (t) => {
  const store = bucketWith({ a: 'WrongCustomerKey', b: 'plaintext', c: 'WrongCustomerKey' });
  const message = new RegExp(
    `fingerprint ${testKey.fingerprint.replaceAll('+', '\\+')}\\) does not decrypt the objects in bucket "photos"`,
  );
  await rejects(t, 'WrongCustomerKey', message, check(store, endpoint));
});

test('objects that may be listed but not read are refused', async (t) => {
  await rejects(
    t,
    'AccessDenied',
    /may not list or read/,
    check(bucketWith({ a: 'AccessDenied' }), endpoint),
  );
});

test('one object whose reply makes no sense does not speak for the server', async (t) => {
  t.deepEqual(await check(bucketWith({ a: 'CorruptReply' }), endpoint), {
    sampled: 1,
    encrypted: 0,
    plaintext: 0,
    otherKey: 0,
  });
  const beside = bucketWith({ a: 'encrypted', b: 'CorruptReply', c: 'InvalidRequest', d: 'ServerError' });
  t.like(await check(beside, endpoint), { sampled: 4, encrypted: 1 });
  const everywhere = check(bucketWith({ a: 'CorruptReply', b: 'CorruptReply' }), endpoint);
  t.is((await t.throwsAsync(everywhere, { instanceOf: StoreError })).code, 'CorruptReply');
});

for (const [code, status, storeCode, message] of [
  ['NoSuchBucket', 404, 'NoSuchBucket', /^there is no bucket "photos" at 127\.0\.0\.1:\d+$/],
  ['AccessDenied', 403, 'AccessDenied', /these credentials may not list or read it$/],
  ['InvalidAccessKeyId', 403, 'AccessDenied', /does not know the access key: check AWS_ACCESS_KEY_ID/],
  ['SignatureDoesNotMatch', 403, 'AccessDenied', /check AWS_SECRET_ACCESS_KEY/],
  ['ExpiredToken', 400, 'AccessDenied', /expired/],
  ['RequestTimeTooSkewed', 403, 'ClockSkewed', /this machine's clock differs/],
  ['PermanentRedirect', 301, 'InvalidRequest', /is in another region: set --region/],
  ['InvalidBucketName', 400, 'InvalidRequest', /is not a name that a bucket can have/],
  ['InvalidRequest', 400, 'InvalidRequest', /SSE-C needs https/],
  ['InternalError', 500, 'ServerError', /cannot be used: the server failed/],
] as const) {
  test(`what the server calls ${code} is told in one line`, async (t) => {
    const server = await startFakeServer(t, (_, response) => refuse(response, status, code));
    await rejects(t, storeCode, message, checkAt(t, server.endpoint));
  });
}

test('a web server that is no S3 server is told apart', async (t) => {
  const answers: readonly (readonly [Answer, StoreErrorCode, RegExp])[] = [
    [
      (_, response) => answerXml(response, '<html><body>It works!</body></html>'),
      'CorruptReply',
      /is not an S3 server/,
    ],
    [(_, response) => refuse(response, 404), 'NotFound', /or is not an S3 server/],
    [
      (_, response) => {
        response.socket?.end('SSH-2.0-OpenSSH_9.2\r\n');
      },
      'CorruptReply',
      /is not an S3 server/,
    ],
  ];
  for (const [answer, code, message] of answers) {
    const server = await startFakeServer(t, answer);
    await rejects(t, code, message, checkAt(t, server.endpoint));
  }
});

test('a port where nothing listens refuses connections', async (t) => {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  const message = new RegExp(`^127\\.0\\.0\\.1:${port} refuses connections`);
  await rejects(t, 'Unreachable', message, checkAt(t, new URL(`https://127.0.0.1:${port}`)));
});

test('a name that does not exist does not resolve', async (t) => {
  const message =
    /^the name no-such-host\.invalid (does not resolve: check --endpoint|cannot be resolved now)/;
  await rejects(t, 'Unreachable', message, checkAt(t, new URL('https://no-such-host.invalid')));
});

test('a server that accepts connections and says nothing times out', async (t) => {
  const server = net.createServer((socket) => t.teardown(() => socket.destroy()));
  const silent = checkAt(t, await listen(t, server, 'https'), { idleTimeoutMs: 500 });
  await rejects(t, 'Timeout', /does not answer: check --endpoint/, silent);
});

test('plain http behind an https endpoint is told apart', async (t) => {
  const server = await startFakeServer(t, (_, response) => refuse(response, 404));
  const secure = new URL(server.endpoint.href.replace('http:', 'https:'));
  await rejects(t, 'Unreachable', /does not speak TLS: is it plain http/, checkAt(t, secure));
});

test('with several keys that do not fit, each is named', async (t) => {
  const store = bucketWith({ a: 'WrongCustomerKey' });
  const other = new CustomerKey(Buffer.alloc(32, 2));
  const keyRing = new KeyRing(testKey, [other, testKey]);
  const error = await t.throwsAsync(
    checkBucket({ store, bucket: 'photos', endpoint: undefined, keyRing, log: silentLog, prefix: '' }, never),
  );
  t.true(
    error.message.startsWith(
      `none of the key files' keys (fingerprints ${testKey.fingerprint}, ${other.fingerprint}) decrypts`,
    ),
  );
});

test('a certificate of an unknown authority is not trusted', async (t) => {
  const server = await startFakeServer(t, (_, response) => refuse(response, 404), await makeCertificate(t));
  await rejects(
    t,
    'CertificateRejected',
    /is not trusted \(.*\): .* --ca-bundle$/,
    checkAt(t, server.endpoint),
  );
});

test('a certificate for another host is told apart', async (t) => {
  const certificate = await makeCertificate(t, 'DNS:elsewhere.example.org');
  const server = await startFakeServer(t, (_, response) => refuse(response, 404), certificate);
  const store = new S3ObjectStore({
    access: makeAccess(t, server.endpoint, { ca: certificate.authority }),
    endpoint: server.endpoint,
    bucket: 'photos',
    customerKey: new CustomerKey(Buffer.alloc(32)),
    plaintext: 'read',
    log: silentLog,
  });
  await rejects(t, 'CertificateRejected', /is for another host name/, check(store, server.endpoint));
});

test('one hiccup is forgiven', async (t) => {
  let calls = 0;
  const server = await startFakeServer(t, (_, response) => {
    calls += 1;
    if (calls === 1) refuse(response, 503, 'SlowDown');
    else answerXml(response, '<ListBucketResult><Name>photos</Name></ListBucketResult>');
  });
  // On a busy machine the second attempt may come late: this clock stands still.
  const retry = new RetryPolicy({ ...firstAnswerRetry, log: silentLog, now: () => 0 });
  t.is((await checkAt(t, server.endpoint, { retry })).sampled, 0);
  t.is(calls, 2);
});
