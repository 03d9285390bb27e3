import { once } from 'node:events';
import https from 'node:https';
import net from 'node:net';
import { Readable } from 'node:stream';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import test from 'ava';
import { abortSignalField } from '../../src/s3/abortable-client.js';
import { maxBytesField } from '../../src/s3/direct-client.js';
import { encryptionFields } from '../../src/s3/encryption-fields.js';
import { toStoreError } from '../../src/s3/error-codes.js';
import {
  listen,
  makeClient,
  never,
  makeCertificate,
  objectHeaders,
  refuse,
  startFakeServer,
  testKey,
} from './fake-server.js';

const place = { Bucket: 'bucket', Key: 'folder/a key+(ü)', [abortSignalField]: never };
/** What a GET must say to be sent directly. */
const content = { [maxBytesField]: 1_000_000 };
const path = '/bucket/folder/a%20key%2B%28%C3%BC%29';

test('what is sent directly is what the SDK would send, but for its own headers', async (t) => {
  const { endpoint, received } = await startFakeServer(t, (_, response) => {
    response.writeHead(200, { ...objectHeaders('e'), 'content-length': '0' });
    response.end();
  });
  const commands = [
    () => new HeadObjectCommand({ ...place, ...encryptionFields(testKey) }),
    () => new GetObjectCommand({ ...place, ...content, Range: 'bytes=0-9', IfMatch: '"e"' }),
    () =>
      new PutObjectCommand({
        ...place,
        Body: Buffer.from('body'),
        ContentLength: 4,
        ContentMD5: 'hBotaJrKa9FhFEdFPCLG/A==',
        ContentType: 'text/plain',
        IfNoneMatch: '*',
        ServerSideEncryption: 'AES256',
        Metadata: { mtime: '1.5', note: 'two  words' },
      }),
    () =>
      new UploadPartCommand({
        ...place,
        UploadId: '2~a b',
        PartNumber: 3,
        Body: Buffer.from('part'),
        ContentLength: 4,
      }),
    () => new DeleteObjectCommand(place),
  ];
  const client = makeClient(t, endpoint);
  const send = client.send.bind(client) as (command: object, options?: object) => Promise<unknown>;
  for (const command of commands) {
    await send(command());
    await send(command(), { abortSignal: new AbortController().signal }); // with options: by the SDK
  }
  const ofTheSdk = /^(amz-sdk-|x-amz-user-agent|user-agent|authorization|x-amz-date|accept|connection)/;
  const essence = ({ method, url, headers, body }: (typeof received)[number]) => ({
    method,
    url: [...new URL(url, endpoint).searchParams].filter(([name]) => name !== 'x-id').sort(),
    path: new URL(url, endpoint).pathname,
    body: body.toString(),
    headers: Object.fromEntries(Object.entries(headers).filter(([name]) => !ofTheSdk.test(name))),
  });
  for (let at = 0; at < received.length; at += 2) {
    const [direct, bySdk] = received.slice(at, at + 2).map(essence);
    t.is(direct?.path, path);
    t.deepEqual(direct, bySdk);
    t.is(received[at]?.headers['amz-sdk-request'], undefined, 'sent directly');
    t.not(received[at + 1]?.headers['amz-sdk-request'], undefined, 'sent by the SDK');
  }
  t.is(received.length, 10);
});

test('any byte from 80 to FF goes out and comes back in any header, directly and by the SDK', async (t) => {
  const bytes = Array.from({ length: 128 }, (_, index) => String.fromCharCode(0x80 + index)).join('');
  const value = `${bytes}\xa0`;
  const { endpoint, received } = await startFakeServer(t, (_, response) => {
    response.writeHead(200, { ...objectHeaders('e'), 'content-type': value, 'x-amz-meta-a': value });
    response.end();
  });
  const client = makeClient(t, endpoint);
  const send = client.send.bind(client) as (
    command: object,
    options?: object,
  ) => Promise<{ readonly ContentType: string; readonly Metadata: object }>;
  const body = { Body: Buffer.from('body'), ContentLength: 4 };
  const put = { ...place, ...body, ContentType: value, Metadata: { a: value } };
  const options = { abortSignal: new AbortController().signal }; // with options: by the SDK
  await send(new PutObjectCommand(put));
  await send(new PutObjectCommand({ ...put, ContentDisposition: value }), options);
  for (const { headers } of received) t.like(headers, { 'content-type': value, 'x-amz-meta-a': value });
  t.is(received[1]?.headers['content-disposition'], value);
  t.is(received[1]?.body.toString(), 'body');
  for (const reply of [
    await send(new HeadObjectCommand(place)),
    await send(new HeadObjectCommand(place), options),
  ]) {
    t.like(reply, { ContentType: value, Metadata: { a: value } });
  }
});

test('commands with fields that are not known, and those of others, go through the SDK', async (t) => {
  const { endpoint, received } = await startFakeServer(t, (_, response) => {
    response.writeHead(200, objectHeaders('e'));
    response.end();
  });
  await makeClient(t, endpoint).send(new HeadObjectCommand({ ...place, ExpectedBucketOwner: '1' }));
  t.is(received[0]?.headers['x-amz-expected-bucket-owner'], '1');
  await makeClient(t, endpoint).send(new HeadObjectCommand({ Bucket: 'bucket', Key: 'key' }));
  t.is(received.filter(({ headers }) => headers['amz-sdk-request'] !== undefined).length, 2);
});

test('a reply without content, and without a length, is whole, and another request follows on its connection', async (t) => {
  const { endpoint, received } = await startFakeServer(t, (_, response) => {
    response.writeHead(204);
    response.end();
  });
  const client = makeClient(t, endpoint);
  for (let count = 0; count < 3; count += 1) {
    const { $metadata } = await client.send(new DeleteObjectCommand(place));
    t.is($metadata.httpStatusCode, 204);
  }
  t.deepEqual(
    received.map(({ method }) => method),
    ['DELETE', 'DELETE', 'DELETE'],
  );
});

test('a refusal has the name, the status and the request id, as the SDK has them', async (t) => {
  const { endpoint } = await startFakeServer(t, (_, response) => refuse(response, 403, 'QuotaExceeded'));
  const error = await t.throwsAsync(
    makeClient(t, endpoint).send(new GetObjectCommand({ ...place, ...content })),
  );
  t.is(error.name, 'QuotaExceeded');
  t.like(error, { $metadata: { httpStatusCode: 403, requestId: 'test-request' } });
});

test('a server that takes no connection is given up', async (t) => {
  // It takes the bytes and never speaks TLS.
  const server = net.createServer((socket) => {
    t.teardown(() => socket.destroy());
    socket.on('error', () => undefined);
  });
  const client = makeClient(t, await listen(t, server, 'https'), { connectTimeoutMs: 100 });
  const error = await t.throwsAsync(client.send(new HeadObjectCommand(place)));
  t.is(toStoreError(error, { operation: 'head', key: 'k' }, undefined).code, 'Timeout');
});

test('a reply whose body stands still is given up', async (t) => {
  const { endpoint } = await startFakeServer(t, (_, response) => {
    response.writeHead(200, { ...objectHeaders('e'), 'content-length': '10' });
    response.write('half');
  });
  const client = makeClient(t, endpoint, { idleTimeoutMs: 100 });
  await t.throwsAsync(client.send(new GetObjectCommand({ ...place, ...content })), { name: 'TimeoutError' });
});

test('a body that fails fails the request', async (t) => {
  const { endpoint } = await startFakeServer(t, () => undefined);
  const Body = Readable.from(
    (async function* () {
      yield Buffer.from('half');
      await Promise.resolve();
      throw new Error('no more');
    })(),
    { objectMode: true },
  );
  const sending = makeClient(t, endpoint).send(new PutObjectCommand({ ...place, Body, ContentLength: 10 }));
  await t.throwsAsync(sending, { message: 'no more' });
});

test('a body that the server does not want is not read to its end', async (t) => {
  const certificate = await makeCertificate(t);
  const server = https.createServer(certificate, (_, response) => refuse(response, 403, 'AccessDenied'));
  const endpoint = await listen(t, server, 'https');
  const httpsAgent = new https.Agent({ keepAlive: true, ca: certificate.authority });
  const client = makeClient(t, endpoint, { httpsAgent, idleTimeoutMs: 500 });
  const Body = new Readable({ read: () => undefined });
  Body.push(Buffer.from('half'));
  const closed = once(Body, 'close');
  const sending = client.send(new PutObjectCommand({ ...place, Body, ContentLength: 10 }));
  await t.throwsAsync(sending, { name: 'AccessDenied' });
  await closed;
  t.true(Body.destroyed);
});

test('a session token is sent and signed', async (t) => {
  const { endpoint, received } = await startFakeServer(t, (_, response) => {
    response.writeHead(200, objectHeaders('e'));
    response.end();
  });
  const client = makeClient(t, endpoint, { sessionToken: 'session' });
  await client.send(new HeadObjectCommand(place));
  t.is(received[0]?.headers['x-amz-security-token'], 'session');
  t.regex(received[0]?.headers.authorization ?? '', /SignedHeaders=[^,]*x-amz-security-token/);
});
