import test from 'ava';
import { answerObject, completed, copiedPart, initiated, noHeaders, operationOf } from './fake-replies.js';
import { type Answer, answerXml, encryptedHeaders, makeFakeStore, never, testKey } from './fake-server.js';
import { whole } from '../object-store/whole.js';

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
  await store.get({ key: 'k', ...whole }, never);
  await store.put({ key: 'k', body: [Buffer.from('x')], headers: noHeaders, condition: {} }, never);
  await store.createUpload({ key: 'k', headers: noHeaders }, never);
  const part = await store.uploadPart(
    { key: 'k', uploadId: 'upload', partNumber: 1, body: [Buffer.from('x')] },
    never,
  );
  await store.uploadPartCopy(
    { key: 'k', uploadId: 'upload', partNumber: 2, source: { key: 's', ifMatch: 'etag' } },
    never,
  );
  await store.completeUpload({ key: 'k', uploadId: 'upload', parts: [part], condition: {} }, never);
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

test('AES256 is sent beside the customer key only on demand', async (t) => {
  const answer: Answer = (request, response) =>
    operationOf(request) === 'CreateMultipartUpload'
      ? answerXml(response, initiated, encryptedHeaders)
      : answerObject(request, response, Buffer.alloc(0));
  for (const extraEncryptionHeader of [false, true]) {
    const { store, received } = await makeFakeStore(t, answer, { extraEncryptionHeader });
    await store.put({ key: 'k', body: [], headers: noHeaders, condition: {} }, never);
    await store.createUpload({ key: 'k', headers: noHeaders }, never);
    await store.uploadPart({ key: 'k', uploadId: 'upload', partNumber: 1, body: [] }, never);
    await store.get({ key: 'k', ...whole }, never);
    t.deepEqual(
      received.map(({ headers }) => headers['x-amz-server-side-encryption']),
      extraEncryptionHeader
        ? ['AES256', 'AES256', undefined, undefined]
        : Array<undefined>(4).fill(undefined),
    );
  }
});

test('what says nothing of its type has the same one, whether it goes by one PUT or by an upload', async (t) => {
  const { store, received } = await makeFakeStore(t, (request, response) =>
    operationOf(request) === 'CreateMultipartUpload'
      ? answerXml(response, initiated, encryptedHeaders)
      : answerObject(request, response, Buffer.alloc(0)),
  );
  await store.put({ key: 'k', body: [], headers: noHeaders, condition: {} }, never);
  await store.createUpload({ key: 'k', headers: noHeaders }, never);
  t.deepEqual(
    received.map(({ headers }) => headers['content-type']),
    ['application/octet-stream', 'application/octet-stream'],
  );
});
