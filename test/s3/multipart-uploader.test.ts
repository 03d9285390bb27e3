import { createHash, randomBytes } from 'node:crypto';
import test from 'ava';
import { patienceMs, turnsUntil } from '../patience.js';
import { answerObject, completed, copiedPart, operationOf, rejects } from './fake-replies.js';
import { type Answer, answerXml, makeFakeStore, never, refuse } from './fake-server.js';

test('copies, completions and deletions of many may take longer than other requests', async (t) => {
  const waiting: (() => void)[] = [];
  const answer: Answer = (request, response) => {
    const operation = operationOf(request);
    if (operation === 'UploadPartCopy') waiting.push(() => answerXml(response, copiedPart));
    else if (operation === 'CompleteMultipartUpload') waiting.push(() => answerXml(response, completed));
    else if (operation === 'DeleteObjects') waiting.push(() => answerXml(response, '<DeleteResult/>'));
    else if (operation !== 'UploadPart') answerObject(request, response, Buffer.alloc(0));
  };
  const { store } = await makeFakeStore(t, answer, { idleTimeoutMs: 500, workTimeoutMs: patienceMs });
  const all = Promise.all([
    store.uploadPartCopy(
      { key: 'k', uploadId: 'u', partNumber: 1, source: { key: 's', ifMatch: 'etag' } },
      never,
    ),
    store.completeUpload(
      { key: 'k', uploadId: 'u', parts: [{ partNumber: 1, etag: 'e' }], condition: {} },
      never,
    ),
    store.deleteMany(['a', 'b'], never),
  ]);
  await Promise.race([all, turnsUntil('all are with the server', () => waiting.length === 3)]);
  // Begun later and given up already: the others have waited for longer than such a request may.
  await rejects(
    t,
    'Timeout',
    store.uploadPart({ key: 'k', uploadId: 'u', partNumber: 2, body: [Buffer.from('part')] }, never),
  );
  for (const answerNow of waiting) answerNow();
  const [copied, whole, failures] = await all;
  t.is(copied.partNumber, 1);
  t.deepEqual(whole, { etag: 'whole-1' });
  t.deepEqual(failures, []);
});

test('an error inside a reply of success is an error', async (t) => {
  const { store } = await makeFakeStore(t, (request, response) => {
    if (operationOf(request) === 'ListParts') answerXml(response, '<ListPartsResult/>');
    else answerXml(response, '<Error><Code>InternalError</Code></Error>');
  });
  await rejects(
    t,
    'ServerError',
    store.completeUpload(
      { key: 'k', uploadId: 'u', parts: [{ partNumber: 1, etag: 'e' }], condition: {} },
      never,
    ),
  );
});

test('a failed completion of an upload that is gone is NoSuchUpload', async (t) => {
  const { store } = await makeFakeStore(t, (request, response) => {
    if (operationOf(request) === 'ListParts') refuse(response, 404, 'NoSuchKey');
    else refuse(response, 500, 'InternalError');
  });
  await rejects(
    t,
    'NoSuchUpload',
    store.completeUpload(
      { key: 'k', uploadId: 'u', parts: [{ partNumber: 1, etag: 'e' }], condition: {} },
      never,
    ),
  );
});

test('parts have a Content-MD5 where TLS does not protect them, and on AWS; other content has it everywhere', async (t) => {
  const body = [Buffer.from('part of '), Buffer.from('an object')];
  const md5 = createHash('md5').update(Buffer.concat(body)).digest('base64');
  const servers: [URL | undefined, string | undefined][] = [
    [new URL('https://rgw.example'), undefined],
    [new URL('http://127.0.0.1:1'), md5],
    [undefined, md5],
  ];
  for (const [endpoint, expected] of servers) {
    const { store, received } = await makeFakeStore(
      t,
      (request, response) => answerObject(request, response, Buffer.alloc(0)),
      { endpoint },
    );
    await store.uploadPart({ key: 'k', uploadId: 'u', partNumber: 1, body }, never);
    await store.put({ key: 'k', body, headers: { metadata: {} }, condition: {} }, never);
    t.deepEqual(
      received.map(({ headers }) => headers['content-md5']),
      [expected, md5],
    );
  }
});

test('a part of a source whose key the server could misread passes through the client, a piece at a time', async (t) => {
  const mebibyte = 1024 * 1024;
  const content = randomBytes(41 * mebibyte);
  const { store, received } = await makeFakeStore(t, (request, response) =>
    answerObject(request, response, content),
  );
  const move = (key: string, offset: number, length: number) => {
    received.length = 0;
    return store.uploadPartCopy(
      { key: 'k', uploadId: 'u', partNumber: 3, source: { key, ifMatch: 'etag', range: { offset, length } } },
      never,
    );
  };
  for (const key of ['95% CI', 'x?versionId=null', '50%/x', 'a%20b']) {
    const [offset, length] = key === 'a%20b' ? [5, 40 * mebibyte] : [7, 1000];
    t.deepEqual(await move(key, offset, length), { partNumber: 3, etag: 'etag' });
    t.true(received.every(({ headers }) => headers['x-amz-copy-source'] === undefined));
    t.true(
      received.find(({ method }) => method === 'PUT')?.body.equals(content.subarray(offset, offset + length)),
    );
  }
  const reads = received.filter(({ method }) => method === 'GET').map(({ headers }) => headers);
  t.deepEqual(
    reads.map((headers) => [headers.range, headers['if-match']]),
    [0, 16, 32].map((from) => [
      `bytes=${5 + from * mebibyte}-${5 + Math.min(from + 16, 40) * mebibyte - 1}`,
      '"etag"',
    ]),
  );
});

test('parts that pass through the client hold a bounded number of pieces, however many are asked for', async (t) => {
  const held: (() => void)[] = [];
  const content = Buffer.alloc(1000);
  const { store, received } = await makeFakeStore(t, (request, response) => {
    const answerIt = () => answerObject(request, response, content);
    if (request.method === 'PUT') held.push(answerIt);
    else answerIt();
  });
  const source = { key: 'a%20b', ifMatch: 'etag', range: { offset: 0, length: 1000 } };
  const parts = Array.from({ length: 9 }, (_, index) =>
    store.uploadPartCopy({ key: 'k', uploadId: 'u', partNumber: index + 1, source }, never),
  );
  for (let answered = 0; answered < parts.length; answered += 1) {
    const atOnce = Math.min(4, parts.length - answered);
    while (held.length < atOnce) await new Promise((resolve) => setImmediate(resolve));
    t.is(received.filter(({ method }) => method === 'GET').length, answered + atOnce);
    held.shift()?.();
  }
  t.is((await Promise.all(parts)).length, 9);
});
