import { createHash } from 'node:crypto';
import test from 'ava';
import { answerObject, completed, copiedPart, operationOf, rejects } from './fake-replies.js';
import { type Answer, answerXml, makeFakeStore, never, refuse } from './fake-server.js';

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
    await store.uploadPart('k', 'u', 1, body, never);
    await store.put('k', body, { metadata: {} }, {}, never);
    t.deepEqual(
      received.map(({ headers }) => headers['content-md5']),
      [expected, md5],
    );
  }
});
