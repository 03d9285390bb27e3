import { createHash, randomBytes } from 'node:crypto';
import test from 'ava';
import { answerObject, noHeaders, operationOf, rejects } from './fake-replies.js';
import { answerXml, makeFakeStore, never, refuse } from './fake-server.js';

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
    await store.put({ key: 'k', body, headers: noHeaders, condition: {} }, never);
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
    await rejects(
      t,
      code,
      store.put({ key: 'k', body: [Buffer.from('x')], headers: noHeaders, condition: {} }, never),
    );
    await rejects(t, code, store.createUpload({ key: 'k', headers: noHeaders }, never));
  }
});

test('If-Match is sent in the form that the server knows', async (t) => {
  for (const known of ['etag', '"etag"']) {
    const { store, received } = await makeFakeStore(t, (request, response) => {
      const condition = request.headers['if-match'];
      if (condition !== undefined && condition !== known) refuse(response, 412, 'PreconditionFailed');
      else answerObject(request, response, Buffer.alloc(0));
    });
    const put = (ifMatch: string) =>
      store.put({ key: 'k', body: [Buffer.from('x')], headers: noHeaders, condition: { ifMatch } }, never);
    await put('etag');
    received.length = 0;
    await put('etag');
    t.is(received.length, 1);
    await rejects(t, 'PreconditionFailed', put('other'));
  }
});

test('what the server says of a request that it finds invalid is in the error', async (t) => {
  const { store } = await makeFakeStore(t, (_, response) => {
    response.writeHead(400, { 'content-type': 'application/xml' });
    response.end('<Error><Code>InvalidArgument</Code><Message>can&apos;t do a &amp; b</Message></Error>');
  });
  const { message } = await rejects(
    t,
    'InvalidRequest',
    store.put({ key: 'k', body: [Buffer.from('x')], headers: noHeaders, condition: {} }, never),
  );
  t.regex(message, /InvalidArgument, HTTP 400: can't do a & b/);
});
