// A server that ignores the customer key gets nothing to store in the clear, and is found out by requests that bring nothing.
import { setImmediate as nextTurn } from 'node:timers/promises';
import test from 'ava';
import { probeKey } from '../../src/s3/encryption-probe.js';
import { EncryptionProof } from '../../src/s3/encryption-proof.js';
import type { S3ObjectStore } from '../../src/s3/s3-object-store.js';
import {
  answerObject,
  completed,
  copiedPart,
  initiated,
  noHeaders,
  operationOf,
  rejects,
} from './fake-replies.js';
import {
  type Answer,
  answerXml,
  encryptedHeaders,
  makeFakeStore as makeProvenStore,
  never,
  objectHeaders,
  provenEncryption,
  type Received,
  refuse,
  silentLog,
} from './fake-server.js';
import type { ExecutionContext } from 'ava';
import { joinPieces } from '../../src/object-store.js';

const secret = [Buffer.from('secret')];

/** A store on a server of which nothing is known. */
async function makeFakeStore(t: ExecutionContext, answer: Answer) {
  const encryptionProof = new EncryptionProof(silentLog);
  return { ...(await makeProvenStore(t, answer, { encryptionProof })), encryptionProof };
}

/** Answers writes as a server does that knows nothing of SSE-C, or with the given headers. */
function answering(
  headers: Record<string, string> = {},
  isDenied: (operation: string, request: Received) => boolean = () => false,
): Answer {
  return (request, response) => {
    const operation = operationOf(request);
    if (isDenied(operation, request)) refuse(response, 403, 'AccessDenied');
    else if (operation === 'CreateMultipartUpload') answerXml(response, initiated, headers);
    else if (operation === 'UploadPartCopy') answerXml(response, copiedPart, headers);
    else if (operation === 'CompleteMultipartUpload') answerXml(response, completed);
    else if (operation === 'GetBucketEncryption') refuse(response, 404);
    else if (request.method === 'PUT') response.writeHead(200, { etag: '"etag"', ...headers }).end();
    else if (request.method === 'DELETE') response.writeHead(204).end();
    else
      answerObject(
        request,
        response,
        Buffer.from('stored'),
        'x-amz-server-side-encryption-customer-algorithm' in headers,
      );
  };
}

const isUpload = (operation: string): boolean => operation === 'CreateMultipartUpload';
const isProbe = ({ url }: Received): boolean =>
  url.includes(encodeURIComponent(probeKey).replace('%2F', '/'));

async function refusesAllWrites(t: ExecutionContext, store: S3ObjectStore): Promise<void> {
  const source = {
    key: 'k',
    size: 6,
    etag: 'etag',
    lastModifiedMs: 0,
    metadata: {},
    contentType: undefined,
    isEncrypted: true,
  };
  await rejects(
    t,
    'NotEncrypting',
    store.put({ key: 'k', body: secret, headers: noHeaders, condition: {} }, never),
  );
  await rejects(
    t,
    'NotEncrypting',
    store.put({ key: 'd/', body: [], headers: noHeaders, condition: {} }, never),
  );
  await rejects(t, 'NotEncrypting', store.createUpload({ key: 'k', headers: noHeaders }, never));
  await rejects(
    t,
    'NotEncrypting',
    store.uploadPart({ key: 'k', uploadId: 'upload', partNumber: 1, body: secret }, never),
  );
  const part = { key: 's', ifMatch: 'etag', range: { offset: 0, length: 1 } };
  await rejects(
    t,
    'NotEncrypting',
    store.uploadPartCopy({ key: 'k', uploadId: 'upload', partNumber: 1, source: part }, never),
  );
  await rejects(
    t,
    'NotEncrypting',
    store.copy({ source, targetKey: 'copy', headers: noHeaders, condition: {} }, never),
  );
}

test('a server that ignores the key is found out before anything is sent', async (t) => {
  const { store, received, encryptionProof } = await makeFakeStore(t, answering());
  await rejects(
    t,
    'NotEncrypting',
    store.put({ key: 'k', body: secret, headers: noHeaders, condition: {} }, never),
  );
  t.deepEqual(received.map(operationOf), ['CreateMultipartUpload', 'AbortMultipartUpload']);
  t.true(received.every(({ body }) => body.length === 0));
  t.regex(encryptionProof.refusal ?? '', /ignored the customer key/);
  received.length = 0;
  await refusesAllWrites(t, store);
  t.deepEqual(received.map(operationOf), []);
  t.is(joinPieces((await store.get({ key: 'k', maxBytes: 10 }, never)).pieces).toString(), 'stored');
});

test('an empty object does where uploads are denied', async (t) => {
  const { store, received } = await makeFakeStore(t, answering({}, isUpload));
  await rejects(
    t,
    'NotEncrypting',
    store.put({ key: 'k', body: secret, headers: noHeaders, condition: {} }, never),
  );
  t.deepEqual(received.map(operationOf), ['CreateMultipartUpload', 'PUT', 'DELETE']);
  t.true(received.slice(1).every(isProbe));
  t.true(received.every(({ body }) => body.length === 0));
});

test('it is asked once, however many write, and then no more', async (t) => {
  const { store, received } = await makeFakeStore(t, answering(encryptedHeaders));
  await Promise.all(
    ['a', 'b', 'c'].map((key) => store.put({ key, body: secret, headers: noHeaders, condition: {} }, never)),
  );
  await store.put({ key: 'd', body: secret, headers: noHeaders, condition: {} }, never);
  const operations = received.map(operationOf);
  t.deepEqual(operations.slice(0, 2), ['CreateMultipartUpload', 'AbortMultipartUpload']);
  t.deepEqual(operations.slice(2), ['PUT', 'PUT', 'PUT', 'PUT']);
});

for (const [name, learn] of [
  ['HEAD of an encrypted object', (store: S3ObjectStore) => store.head('k', never)],
  [
    'the begin of an upload',
    (store: S3ObjectStore) => store.createUpload({ key: 'k', headers: noHeaders }, never),
  ],
] as const) {
  test(`nothing is asked after ${name}`, async (t) => {
    const { store, received } = await makeFakeStore(t, answering(encryptedHeaders));
    await learn(store);
    received.length = 0;
    await store.put({ key: 'k', body: secret, headers: noHeaders, condition: {} }, never);
    t.deepEqual(received.map(operationOf), ['PUT']);
  });
}

test('an object that is not encrypted proves nothing', async (t) => {
  const { store, received } = await makeFakeStore(t, answering());
  t.false((await store.head('k', never)).isEncrypted);
  received.length = 0;
  await rejects(
    t,
    'NotEncrypting',
    store.put({ key: 'k', body: secret, headers: noHeaders, condition: {} }, never),
  );
  t.deepEqual(received.map(operationOf), ['CreateMultipartUpload', 'AbortMultipartUpload']);
});

test('where nothing can be asked, the write shows it, and is taken back if it is new and still there', async (t) => {
  const isDenied = (operation: string, request: Received) => isUpload(operation) || isProbe(request);
  for (const [condition, etagThere, isDeleted] of [
    [{ ifNoneMatch: '*' }, 'etag', true],
    [{ ifNoneMatch: '*' }, 'of somebody else', false],
    [{ ifMatch: 'old' }, 'etag', false],
    [{}, 'etag', false],
  ] as const) {
    const answer = answering({}, isDenied);
    const { store, received } = await makeFakeStore(t, (request, response) => {
      if (request.method === 'HEAD')
        response.writeHead(200, { ...objectHeaders(etagThere, false), 'content-length': 6 }).end();
      else answer(request, response);
    });
    await rejects(
      t,
      'NotEncrypting',
      store.put({ key: 'k', body: secret, headers: noHeaders, condition }, never),
    );
    t.is(
      received.some((request) => request.method === 'DELETE' && !isProbe(request)),
      isDeleted,
    );
    received.length = 0;
    t.false(store.isEncryptionSettled, 'so that whoever opens a file hears of it');
    await rejects(t, 'NotEncrypting', store.proveEncryption('k', never));
    await refusesAllWrites(t, store);
    t.deepEqual(received.map(operationOf), []);
  }
});

test('where nothing can be asked, it is not asked again', async (t) => {
  const isDenied = (operation: string, request: Received) => isUpload(operation) || isProbe(request);
  const { store, received } = await makeFakeStore(t, answering(encryptedHeaders, isDenied));
  await store.proveEncryption('k', never);
  await store.proveEncryption('k', never);
  t.deepEqual(received.map(operationOf), ['CreateMultipartUpload', 'PUT']);
});

test('an upload that would not be encrypted is aborted', async (t) => {
  const { store, received } = await makeFakeStore(t, answering());
  await rejects(t, 'NotEncrypting', store.createUpload({ key: 'k', headers: noHeaders }, never));
  t.deepEqual(received.map(operationOf), ['CreateMultipartUpload', 'AbortMultipartUpload']);
});

test('a failure of the server is not taken for its consent, nor for its refusal', async (t) => {
  let isFailing = true;
  const { store, received } = await makeFakeStore(t, (request, response) => {
    if (isFailing) refuse(response, 500, 'InternalError');
    else answering(encryptedHeaders)(request, response);
  });
  await rejects(
    t,
    'ServerError',
    store.put({ key: 'k', body: secret, headers: noHeaders, condition: {} }, never),
  );
  t.true(received.every(({ body }) => body.length === 0));
  isFailing = false;
  await store.put({ key: 'k', body: secret, headers: noHeaders, condition: {} }, never);
  t.is(received.at(-1)?.body.toString(), 'secret');
});

test('who waits for the answer to another is not interrupted with it', async (t) => {
  let answerFirst: (() => void) | undefined;
  const { store, received } = await makeFakeStore(t, (request, response) => {
    if (answerFirst) answering(encryptedHeaders)(request, response);
    else answerFirst = () => refuse(response, 500, 'InternalError');
  });
  const interrupt = new AbortController();
  const interrupted = store.put(
    { key: 'a', body: secret, headers: noHeaders, condition: {} },
    interrupt.signal,
  );
  while (received.length === 0) await nextTurn();
  const waitAndInterrupt = new AbortController();
  const waiting = store.put({ key: 'b', body: secret, headers: noHeaders, condition: {} }, never);
  const gone = store.put(
    { key: 'c', body: secret, headers: noHeaders, condition: {} },
    waitAndInterrupt.signal,
  );
  waitAndInterrupt.abort();
  await rejects(t, 'Aborted', gone);
  interrupt.abort();
  await rejects(t, 'Aborted', interrupted);
  await waiting;
  t.deepEqual(received.map(operationOf), [
    'CreateMultipartUpload',
    'CreateMultipartUpload',
    'AbortMultipartUpload',
    'PUT',
  ]);
});

const otherKey = {
  ...encryptedHeaders,
  'x-amz-server-side-encryption-customer-key-md5': Buffer.alloc(16).toString('base64'),
};

test('a reply about another key is none: of PUT, the begin of an upload, a part, a copied part', async (t) => {
  const writes: ((store: S3ObjectStore) => Promise<unknown>)[] = [
    (store) => store.put({ key: 'd/', body: [], headers: noHeaders, condition: {} }, never),
    (store) => store.createUpload({ key: 'k', headers: noHeaders }, never),
    (store) => store.uploadPart({ key: 'k', uploadId: 'upload', partNumber: 1, body: secret }, never),
    (store) =>
      store.uploadPartCopy(
        { key: 'k', uploadId: 'upload', partNumber: 1, source: { key: 's', ifMatch: 'etag' } },
        never,
      ),
  ];
  for (const write of writes) {
    const encryptionProof = provenEncryption();
    const { store } = await makeProvenStore(t, answering(otherKey), { encryptionProof });
    await rejects(t, 'NotEncrypting', write(store));
    t.regex(encryptionProof.refusal ?? '', /another customer key/);
  }
});

test('a reply about another key is none: of HEAD and GET', async (t) => {
  const { store, encryptionProof } = await makeFakeStore(t, (_, response) => {
    response.writeHead(200, { ...objectHeaders('etag'), ...otherKey, 'content-length': 0 }).end();
  });
  await rejects(t, 'CorruptReply', store.head('k', never));
  await rejects(t, 'CorruptReply', store.get({ key: 'k', maxBytes: 10 }, never));
  t.false(encryptionProof.isProven);
});

test('replies that do not name the key are believed', async (t) => {
  const algorithm = 'x-amz-server-side-encryption-customer-algorithm';
  const { store, received } = await makeFakeStore(t, answering({ [algorithm]: 'AES256' }));
  await store.put({ key: 'k', body: secret, headers: noHeaders, condition: {} }, never);
  t.is(received.at(-1)?.body.toString(), 'secret');
});
