import { createHash, randomBytes } from 'node:crypto';
import type http from 'node:http';
import test, { type ExecutionContext } from 'ava';
import { StoreError, type StoreErrorCode } from '../../src/errors.js';
import type { Log } from '../../src/log.js';
import {
  type Answer,
  answerXml,
  encryptedHeaders,
  hasCustomerKey,
  makeFakeStore,
  never,
  objectHeaders,
  type Received,
  refuse,
  silentLog,
  testKey,
} from './fake-server.js';

const noHeaders = { metadata: {} };

async function rejects(
  t: ExecutionContext,
  code: StoreErrorCode,
  promise: Promise<unknown>,
): Promise<StoreError> {
  const error = await t.throwsAsync(promise, { instanceOf: StoreError });
  t.is(error.code, code, error.message);
  return error;
}

/** Answers HEAD and GET with `content`, heeding ranges. */
function answerObject(
  request: Received,
  response: http.ServerResponse,
  content: Buffer,
  encrypted = true,
): void {
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
  const part = first === undefined ? content : content.subarray(Number(first), Number(last) + 1);
  response.writeHead(first === undefined ? 200 : 206, {
    ...objectHeaders('etag', encrypted),
    'content-length': part.length,
    ...(first !== undefined && {
      'content-range': `bytes ${first}-${Number(first) + part.length - 1}/${content.length}`,
    }),
  });
  response.end(request.method === 'HEAD' ? undefined : part);
}

const initiated = `<InitiateMultipartUploadResult><UploadId>upload</UploadId></InitiateMultipartUploadResult>`;
const copiedPart = `<CopyPartResult><ETag>"${'0'.repeat(32)}"</ETag></CopyPartResult>`;
const completed = `<CompleteMultipartUploadResult><ETag>"whole-1"</ETag></CompleteMultipartUploadResult>`;

/** Which operation of S3 a request is. */
function operationOf({ method, url, headers }: Received): string {
  const query = new URL(url, 'http://x').searchParams;
  if (headers['x-amz-copy-source'] !== undefined)
    return query.has('uploadId') ? 'UploadPartCopy' : 'CopyObject';
  if (query.has('uploads')) return 'CreateMultipartUpload';
  if (query.has('uploadId')) {
    const names: Record<string, string> = {
      PUT: 'UploadPart',
      POST: 'CompleteMultipartUpload',
      DELETE: 'AbortMultipartUpload',
      GET: 'ListParts',
    };
    return names[method] ?? method;
  }
  if (query.has('encryption')) return 'GetBucketEncryption';
  return method;
}

test('every data request carries algorithm, key and MD5 of the customer key', async (t) => {
  const answer: Answer = (request, response) => {
    switch (operationOf(request)) {
      case 'CreateMultipartUpload': {
        answerXml(response, initiated, encryptedHeaders);
        return;
      }
      case 'UploadPartCopy': {
        answerXml(response, copiedPart, encryptedHeaders);
        return;
      }
      case 'CompleteMultipartUpload': {
        answerXml(response, completed, encryptedHeaders);
        return;
      }
      default: {
        answerObject(request, response, Buffer.from('x'));
        return;
      }
    }
  };
  const { store, received } = await makeFakeStore(t, answer);
  await store.head('k', never);
  await store.get('k', {}, never);
  await store.put('k', [Buffer.from('x')], noHeaders, {}, never);
  await store.createUpload('k', noHeaders, never);
  const part = await store.uploadPart('k', 'upload', 1, [Buffer.from('x')], never);
  await store.uploadPartCopy('k', 'upload', 2, { key: 's', ifMatch: 'etag' }, never);
  await store.completeUpload('k', 'upload', [part], {}, never);
  t.deepEqual(received.map(operationOf), [
    'HEAD',
    'GET',
    'PUT',
    'CreateMultipartUpload',
    'UploadPart',
    'UploadPartCopy',
    'HEAD',
    'CompleteMultipartUpload',
  ]);
  for (const request of received) {
    const prefix = 'x-amz-server-side-encryption-customer-';
    t.is(request.headers[`${prefix}algorithm`], 'AES256');
    t.is(request.headers[`${prefix}key`], testKey.toBase64());
    t.is(request.headers[`${prefix}key-md5`], testKey.fingerprint);
    t.false(request.url.includes(encodeURIComponent(testKey.toBase64())));
    if (operationOf(request) === 'UploadPartCopy') {
      const source = 'x-amz-copy-source-server-side-encryption-customer-';
      t.is(request.headers[`${source}algorithm`], 'AES256');
      t.is(request.headers[`${source}key`], testKey.toBase64());
      t.is(request.headers[`${source}key-md5`], testKey.fingerprint);
    }
  }
});

test('bodies are sent plainly, with their length and MD5', async (t) => {
  const { store, received } = await makeFakeStore(t, (request, response) =>
    answerObject(request, response, Buffer.alloc(0)),
  );
  const bodies = [
    [],
    [randomBytes(10)],
    [randomBytes(100_000), randomBytes(3)],
    [randomBytes(3), Buffer.alloc(0), randomBytes(5)],
  ];
  for (const body of bodies) {
    await store.put('k', body, noHeaders, {}, never);
    const { headers, body: sent } = received.at(-1)!;
    t.deepEqual(sent, Buffer.concat(body));
    t.is(headers['content-length'], String(sent.length));
    t.is(headers['content-md5'], createHash('md5').update(sent).digest('base64'));
    for (const name of [
      'transfer-encoding',
      'content-encoding',
      'expect',
      'x-amz-trailer',
      'x-amz-sdk-checksum-algorithm',
    ])
      t.is(headers[name], undefined, name);
  }
});

test('AES256 is sent beside the customer key only on demand', async (t) => {
  const answer: Answer = (request, response) =>
    operationOf(request) === 'CreateMultipartUpload'
      ? answerXml(response, initiated, encryptedHeaders)
      : answerObject(request, response, Buffer.alloc(0));
  for (const extraEncryptionHeader of [false, true]) {
    const { store, received } = await makeFakeStore(t, answer, { extraEncryptionHeader });
    await store.put('k', [], noHeaders, {}, never);
    await store.createUpload('k', noHeaders, never);
    await store.uploadPart('k', 'upload', 1, [], never);
    await store.get('k', {}, never);
    t.deepEqual(
      received.map(({ headers }) => headers['x-amz-server-side-encryption']),
      extraEncryptionHeader
        ? ['AES256', 'AES256', undefined, undefined]
        : Array<undefined>(4).fill(undefined),
    );
  }
});

test('a server that ignores the customer key is found out by what it answers', async (t) => {
  const { store } = await makeFakeStore(t, (request, response) =>
    operationOf(request) === 'CreateMultipartUpload'
      ? answerXml(response, initiated)
      : answerObject(request, response, Buffer.alloc(0), false),
  );
  await rejects(t, 'NotImplemented', store.put('k', [], noHeaders, {}, never));
  await rejects(t, 'NotImplemented', store.createUpload('k', noHeaders, never));
});

test('a body that ends early is a CorruptReply', async (t) => {
  const { store } = await makeFakeStore(t, (_, response) => {
    response.writeHead(200, { ...objectHeaders('etag'), 'content-length': 1000 });
    response.write(Buffer.alloc(500), () => response.destroy());
  });
  await rejects(t, 'CorruptReply', store.get('k', {}, never));
});

test('a body that stalls is a Timeout', async (t) => {
  const { store } = await makeFakeStore(
    t,
    (_, response) => {
      response.writeHead(200, { ...objectHeaders('etag'), 'content-length': 1000 });
      response.write(Buffer.alloc(500));
    },
    { idleTimeoutMs: 100 },
  );
  await rejects(t, 'Timeout', store.get('k', {}, never));
});

test('a server that does not answer is a Timeout', async (t) => {
  const { store } = await makeFakeStore(t, () => undefined, { idleTimeoutMs: 100, workTimeoutMs: 100 });
  await rejects(t, 'Timeout', store.head('k', never));
  await rejects(t, 'Timeout', store.put('k', [Buffer.from('x')], noHeaders, {}, never));
  await rejects(t, 'Timeout', store.uploadPartCopy('k', 'u', 1, { key: 's', ifMatch: 'e' }, never));
});

test('copies and completions may take longer than other requests', async (t) => {
  const answer: Answer = (request, response) => {
    const operation = operationOf(request);
    if (operation === 'UploadPartCopy') setTimeout(() => answerXml(response, copiedPart), 3_000);
    else if (operation === 'CompleteMultipartUpload') setTimeout(() => answerXml(response, completed), 3_000);
    else answerObject(request, response, Buffer.alloc(0));
  };
  const { store } = await makeFakeStore(t, answer, { idleTimeoutMs: 2_000, workTimeoutMs: 20_000 });
  const [copied, whole] = await Promise.all([
    store.uploadPartCopy('k', 'u', 1, { key: 's', ifMatch: 'etag' }, never),
    store.completeUpload('k', 'u', [{ partNumber: 1, etag: 'e' }], {}, never),
  ]);
  t.is(copied.partNumber, 1);
  t.deepEqual(whole, { etag: 'whole-1' });
});

test('a request is aborted while its body comes in', async (t) => {
  const controller = new AbortController();
  const { store } = await makeFakeStore(t, (_, response) => {
    response.writeHead(200, { ...objectHeaders('etag'), 'content-length': 1000 });
    response.write(Buffer.alloc(500), () => controller.abort());
  });
  await rejects(t, 'Aborted', store.get('k', {}, controller.signal));
});

test('an aborted request closes its connection, so that the server stops too', async (t) => {
  const controller = new AbortController();
  let closed: () => void = () => undefined;
  const closing = new Promise<void>((resolve) => (closed = resolve));
  const { store } = await makeFakeStore(t, (_, response) => {
    response.once('close', closed);
    controller.abort();
  });
  await rejects(t, 'Aborted', store.head('k', controller.signal));
  await t.notThrowsAsync(closing);
});

test('a reply with another range than was asked for is a CorruptReply', async (t) => {
  const ranges = ['bytes 1-10/100', 'bytes 0-8/100', 'bytes 0-9/*', undefined];
  for (const range of ranges) {
    const { store } = await makeFakeStore(t, (_, response) => {
      response.writeHead(206, {
        ...objectHeaders('etag'),
        'content-length': 10,
        ...(range !== undefined && { 'content-range': range }),
      });
      response.end(Buffer.alloc(10));
    });
    await rejects(t, 'CorruptReply', store.get('k', { range: { offset: 0, length: 10 } }, never));
  }
});

test('a reply without ETag or time is a CorruptReply', async (t) => {
  const { store } = await makeFakeStore(t, (_, response) => {
    response.writeHead(200, { 'content-length': 0 });
    response.end();
  });
  await rejects(t, 'CorruptReply', store.head('k', never));
  await rejects(t, 'CorruptReply', store.get('k', {}, never));
  await rejects(t, 'CorruptReply', store.list({ prefix: '' }, never));
});

test('an empty range is answered by a HEAD', async (t) => {
  const { store, received } = await makeFakeStore(t, (request, response) =>
    answerObject(request, response, Buffer.from('content')),
  );
  const { info, bytes } = await store.get('k', { range: { offset: 3, length: 0 }, ifMatch: 'etag' }, never);
  t.is(bytes.length, 0);
  t.is(info.size, 7);
  t.deepEqual(received.map(operationOf), ['HEAD']);
  const stale = store.get('k', { range: { offset: 3, length: 0 }, ifMatch: 'old' }, never);
  await rejects(t, 'PreconditionFailed', stale);
});

for (const [server, withKey] of [
  ['Ceph', { head: 400, get: 400, code: 'InvalidArgument' }],
  ['AWS', { head: 403, get: 403, code: 'AccessDenied' }],
] as const) {
  test(`an object under another key is a WrongCustomerKey, as ${server} answers`, async (t) => {
    const { store } = await makeFakeStore(t, (request, response) => {
      if (request.method === 'HEAD') refuse(response, hasCustomerKey(request) ? withKey.head : 400);
      else refuse(response, withKey.get, withKey.code);
    });
    const error = await rejects(t, 'WrongCustomerKey', store.head('k', never));
    t.true(error.message.includes(testKey.fingerprint));
    t.false(error.message.includes(testKey.toBase64()));
    await rejects(t, 'WrongCustomerKey', store.get('k', {}, never));
  });
}

test('a denial is not taken for a wrong key', async (t) => {
  const { store } = await makeFakeStore(t, (request, response) =>
    refuse(response, 403, request.method === 'HEAD' ? undefined : 'AccessDenied'),
  );
  await rejects(t, 'AccessDenied', store.head('k', never));
  await rejects(t, 'AccessDenied', store.get('k', {}, never));
});

test('an unencrypted object that AWS refuses with a key is read without one, and remembered', async (t) => {
  let encrypted = false;
  const { store, received } = await makeFakeStore(t, (request, response) => {
    if (hasCustomerKey(request) !== encrypted)
      refuse(response, 400, request.method === 'HEAD' ? undefined : 'InvalidRequest');
    else answerObject(request, response, Buffer.from('content'), encrypted);
  });
  const { info, bytes } = await store.get('k', {}, never);
  t.is(Buffer.from(bytes).toString(), 'content');
  t.false(info.isEncrypted);
  const before = received.length;
  t.false((await store.head('k', never)).isEncrypted);
  t.is(received.length, before + 1);
  encrypted = true; // replaced by somebody
  t.true((await store.get('k', {}, never)).info.isEncrypted);
});

test('plaintext is read with one warning', async (t) => {
  const warnings: string[] = [];
  const log: Log = { ...silentLog, warn: (_, message) => warnings.push(message) };
  const answer: Answer = (request, response) =>
    answerObject(request, response, Buffer.from('content'), false);
  const { store } = await makeFakeStore(t, answer, { log });
  for (const key of ['a', 'b'])
    t.is(Buffer.from((await store.get(key, {}, never)).bytes).toString(), 'content');
  t.is(warnings.length, 1);
});

test('plaintext is refused if the policy says so, but shown', async (t) => {
  const answer: Answer = (request, response) =>
    answerObject(request, response, Buffer.from('content'), false);
  const { store } = await makeFakeStore(t, answer, { plaintext: 'refuse' });
  const info = await store.head('k', never);
  t.false(info.isEncrypted);
  await rejects(t, 'PlaintextRefused', store.get('k', {}, never));
  await rejects(t, 'PlaintextRefused', store.get('k', { range: { offset: 0, length: 0 } }, never));
  await rejects(t, 'PlaintextRefused', store.copy(info, 'copy', noHeaders, {}, never));
});

test('a denied write is EncryptionBlocked if the bucket blocks SSE-C', async (t) => {
  const blocked =
    '<ServerSideEncryptionConfiguration><Rule><BlockedEncryptionTypes><EncryptionType>SSE-C</EncryptionType>' +
    '</BlockedEncryptionTypes></Rule></ServerSideEncryptionConfiguration>';
  for (const isBlocked of [true, false]) {
    const { store } = await makeFakeStore(t, (request, response) => {
      if (operationOf(request) !== 'GetBucketEncryption') refuse(response, 403, 'AccessDenied');
      else if (isBlocked) answerXml(response, blocked);
      else refuse(response, 404, 'ServerSideEncryptionConfigurationNotFoundError');
    });
    const code = isBlocked ? 'EncryptionBlocked' : 'AccessDenied';
    await rejects(t, code, store.put('k', [Buffer.from('x')], noHeaders, {}, never));
    await rejects(t, code, store.createUpload('k', noHeaders, never));
  }
});

test('an error inside a reply of success is an error', async (t) => {
  const { store } = await makeFakeStore(t, (request, response) => {
    if (operationOf(request) === 'ListParts') answerXml(response, '<ListPartsResult/>');
    else answerXml(response, '<Error><Code>InternalError</Code></Error>');
  });
  await rejects(t, 'ServerError', store.completeUpload('k', 'u', [{ partNumber: 1, etag: 'e' }], {}, never));
});

test('a failed completion of an upload that is gone is NoSuchUpload', async (t) => {
  const { store } = await makeFakeStore(t, (request, response) => {
    if (operationOf(request) === 'ListParts') refuse(response, 404, 'NoSuchKey');
    else refuse(response, 500, 'InternalError');
  });
  await rejects(t, 'NoSuchUpload', store.completeUpload('k', 'u', [{ partNumber: 1, etag: 'e' }], {}, never));
});

test('If-Match is sent in the form that the server knows', async (t) => {
  for (const known of ['etag', '"etag"']) {
    const { store, received } = await makeFakeStore(t, (request, response) => {
      const condition = request.headers['if-match'];
      if (condition !== undefined && condition !== known) refuse(response, 412, 'PreconditionFailed');
      else answerObject(request, response, Buffer.alloc(0));
    });
    const put = (ifMatch: string) => store.put('k', [Buffer.from('x')], noHeaders, { ifMatch }, never);
    await put('etag');
    received.length = 0;
    await put('etag');
    t.is(received.length, 1);
    await rejects(t, 'PreconditionFailed', put('other'));
  }
});

test('a request refused for the clock is signed again with the time of the server', async (t) => {
  const warnings: string[] = [];
  const log: Log = { ...silentLog, warn: (_, message) => warnings.push(message) };
  const serverTime = new Date(Date.now() + 3_600_000);
  const { store, received } = await makeFakeStore(
    t,
    (request, response) => {
      response.setHeader('date', serverTime.toUTCString());
      const sent = String(request.headers['x-amz-date']).replace(
        /^(....)(..)(..T..)(..)(..)Z$/,
        '$1-$2-$3:$4:$5Z',
      );
      const isSkewed = Math.abs(new Date(sent).getTime() - serverTime.getTime()) > 900_000;
      if (isSkewed) refuse(response, 403, 'RequestTimeTooSkewed');
      else answerObject(request, response, Buffer.from('content'));
    },
    { log },
  );
  t.is((await store.get('k', {}, never)).bytes.length, 7);
  t.is(received.length, 2);
  t.is(warnings.length, 1);
  await store.get('k', {}, never);
  t.is(received.length, 3);
});

test('a server that insists on a wrong clock is ClockSkewed', async (t) => {
  const { store } = await makeFakeStore(t, (_, response) => refuse(response, 403, 'RequestTimeTooSkewed'));
  await rejects(t, 'ClockSkewed', store.get('k', {}, never));
});

test('at most so many requests are under way at once', async (t) => {
  let pending: (() => void)[] = [];
  let most = 0;
  const { store, received } = await makeFakeStore(
    t,
    (request, response) => {
      pending.push(() => answerObject(request, response, Buffer.alloc(0)));
      most = Math.max(most, pending.length);
      if (pending.length < 3 && received.length < 10) return;
      setTimeout(() => {
        for (const reply of pending) reply();
        pending = [];
      }, 50);
    },
    { maxConcurrentRequests: 3 },
  );
  await Promise.all(Array.from({ length: 10 }, () => store.head('k', never)));
  t.is(most, 3);
});

test('keys that XML cannot hold are deleted one by one, the others together', async (t) => {
  const { store, received } = await makeFakeStore(t, (request, response) => {
    if (request.method === 'POST') answerXml(response, '<DeleteResult/>');
    else response.writeHead(204).end();
  });
  t.deepEqual(await store.deleteMany(['plain', 'a\u0001', 'b\rc', 'ü&<>'], never), []);
  const batches = received.filter(({ method }) => method === 'POST');
  t.is(batches.length, 1);
  t.regex(batches[0]!.body.toString(), /<Key>plain<\/Key>.*<Key>ü&amp;&lt;&gt;<\/Key>/);
  t.deepEqual(
    received
      .filter(({ method }) => method === 'DELETE')
      .map(({ url }) => url.split('?')[0])
      .sort(),
    ['/bucket/a%01', '/bucket/b%0Dc'],
  );
});

test('keys that could not be deleted are reported with their reasons', async (t) => {
  const { store } = await makeFakeStore(t, (request, response) => {
    if (request.method === 'DELETE') {
      refuse(response, 403, 'AccessDenied');
      return;
    }
    const errors = [
      ['denied', 'AccessDenied'],
      ['gone', 'NoSuchKey'],
      ['odd', 'SomethingElse'],
    ].map(([key, code]) => `<Error><Key>${key}</Key><Code>${code}</Code></Error>`);
    answerXml(response, `<DeleteResult>${errors.join('')}</DeleteResult>`);
  });
  const failures = await store.deleteMany(['denied', 'gone', 'odd', 'fine', '\u0001'], never);
  t.deepEqual(
    new Map(failures.map(({ key, error }) => [key, error.code])),
    new Map<string, StoreErrorCode>([
      ['\u0001', 'AccessDenied'],
      ['denied', 'AccessDenied'],
      ['odd', 'ServerError'],
    ]),
  );
});
