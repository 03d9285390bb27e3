import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  PutObjectCommand,
  UploadPartCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3';
import test, { type ExecutionContext } from 'ava';
import type { HeaderField } from '../../src/http/connection.js';
import { copySourceEncryptionHeaders, encryptionHeaders } from '../../src/s3/encryption-headers.js';
import { RefusedReply, toStoreError } from '../../src/s3/error-codes.js';
import { infoOf } from '../../src/s3/object-replies.js';
import { requestBody } from '../../src/s3/request-body.js';
import {
  abortUpload,
  completeUpload,
  copyObject,
  createUpload,
  deleteObject,
  getObject,
  headObject,
  type ObjectRequest,
  putObject,
  uploadPart,
  uploadPartCopy,
} from '../../src/s3/object-requests.js';
import { PatientHttpHandler } from '../../src/s3/patient-http-handler.js';
import { makeS3Client, settingsOf } from '../../src/s3/s3-client.js';
import { Transport } from '../../src/s3/transport.js';
import { storedHeaders } from '../../src/s3/write-headers.js';
import { CountingConnections, makePoolOptions } from '../http/test-pool.js';
import { whole } from '../object-store/whole.js';
import { turnsUntil } from '../patience.js';
import {
  type Answer,
  listen,
  makeAccess,
  makeCertificate,
  never,
  objectHeaders,
  refuse,
  startFakeServer,
  testKey,
} from './fake-server.js';

const key = 'folder/a key+(ü)';
const path = '/bucket/folder/a%20key%2B%28%C3%BC%29';
const uploadId = '2~a b';
const upload = { key, uploadId };
const sse = {
  SSECustomerAlgorithm: 'AES256',
  SSECustomerKey: testKey.toBase64(),
  SSECustomerKeyMD5: testKey.fingerprint,
};
const sourceSse = {
  CopySourceSSECustomerAlgorithm: 'AES256',
  CopySourceSSECustomerKey: testKey.toBase64(),
  CopySourceSSECustomerKeyMD5: testKey.fingerprint,
};
const place = { Bucket: 'bucket', Key: key };
const withUpload = { ...place, UploadId: uploadId };
const source = { CopySource: 'bucket/so%20urce', CopySourceIfMatch: '"e"', ...sourceSse };
const written = {
  metadata: { mtime: '1.5', note: 'two  words' },
  contentType: 'text/plain',
  kept: { 'cache-control': 'no-store', 'content-language': 'de', 'x-amz-storage-class': 'STANDARD' },
  tagging: 'a=b',
};
const writtenFields = {
  Metadata: written.metadata,
  ContentType: 'text/plain',
  CacheControl: 'no-store',
  ContentLanguage: 'de',
  StorageClass: 'STANDARD',
  Tagging: 'a=b',
} as const;
const bodyOf = (text: string) => requestBody([Buffer.from(text)]);
const fieldsOf = (text: string) => ({ Body: text, ContentMD5: bodyOf(text).md5 });
const copied = { bucket: 'bucket', key: 'so urce', ifMatch: 'e', customerKey: testKey };
const replacing: HeaderField = ['x-amz-metadata-directive', 'REPLACE'];

/** What is sent, and what the SDK makes of the same. */
const operations: Readonly<Record<string, readonly [ObjectRequest, object]>> = {
  HEAD: [headObject(key, testKey), new HeadObjectCommand({ ...place, ...sse })],
  'HEAD without a key': [headObject(key, undefined), new HeadObjectCommand(place)],
  GET: [
    getObject({ key, range: { offset: 3, length: 7 }, ifMatch: 'e' }, testKey),
    new GetObjectCommand({ ...place, ...sse, Range: 'bytes=3-9', IfMatch: '"e"' }),
  ],
  PUT: [
    putObject(
      key,
      [...encryptionHeaders(testKey), ...storedHeaders(written), ['if-none-match', '*']],
      bodyOf('body'),
    ),
    new PutObjectCommand({ ...place, ...sse, ...writtenFields, IfNoneMatch: '*', ...fieldsOf('body') }),
  ],
  DELETE: [deleteObject(key), new DeleteObjectCommand(place)],
  CopyObject: [
    copyObject(key, { bucket: 'bucket', key: 'so urce', etag: 'e' }, [
      ...encryptionHeaders(testKey),
      ...copySourceEncryptionHeaders(testKey),
      ...storedHeaders(written),
      replacing,
    ]),
    new CopyObjectCommand({ ...place, ...sse, ...source, ...writtenFields, MetadataDirective: 'REPLACE' }),
  ],
  CreateMultipartUpload: [
    createUpload(key, [...encryptionHeaders(testKey), ...storedHeaders(written)]),
    new CreateMultipartUploadCommand({ ...place, ...sse, ...writtenFields }),
  ],
  UploadPart: [
    uploadPart(upload, 3, testKey, bodyOf('part')),
    new UploadPartCommand({ ...withUpload, ...sse, PartNumber: 3, ...fieldsOf('part') }),
  ],
  UploadPartCopy: [
    uploadPartCopy(upload, 3, testKey, { ...copied, range: { offset: 5, length: 10 } }),
    new UploadPartCopyCommand({
      ...withUpload,
      ...sse,
      ...source,
      PartNumber: 3,
      CopySourceRange: 'bytes=5-14',
    }),
  ],
  CompleteMultipartUpload: [
    completeUpload(
      upload,
      [
        { partNumber: 1, etag: 'a&b' },
        { partNumber: 3, etag: 'c' },
      ],
      encryptionHeaders(testKey),
    ),
    new CompleteMultipartUploadCommand({
      ...withUpload,
      ...sse,
      MultipartUpload: {
        Parts: [
          { PartNumber: 1, ETag: '"a&b"' },
          { PartNumber: 3, ETag: '"c"' },
        ],
      },
    }),
  ],
  AbortMultipartUpload: [abortUpload(upload), new AbortMultipartUploadCommand(withUpload)],
};

/** Of the SDK alone, or of the signature. */
const ofTheSdk =
  /^(amz-sdk-|x-amz-user-agent|user-agent|authorization|x-amz-date|x-amz-content-sha256|accept|connection)/;

for (const [name, [request, command]] of Object.entries(operations)) {
  test(`${name} is sent as the SDK would send it`, async (t) => {
    const { endpoint, received } = await startFakeServer(t, (_, response) => {
      response.writeHead(200, { ...objectHeaders('e'), 'content-length': '0' }).end();
    });
    const { client, transport } = makeAccess(t, endpoint);
    await transport.send('bucket', request, never);
    // What it makes of the reply does not matter.
    await client.send(command as HeadObjectCommand).catch(() => undefined);
    const [own, bySdk] = received.map(({ method, url, headers, body }) => ({
      method,
      path: new URL(url, endpoint).pathname,
      query: [...new URL(url, endpoint).searchParams].filter(([field]) => field !== 'x-id').sort(),
      body: body.toString(),
      headers: Object.fromEntries(Object.entries(headers).filter(([field]) => !ofTheSdk.test(field))),
    }));
    t.is(own?.path, path);
    // Node's client says nothing of a body that is not there, but for PUT and POST.
    t.deepEqual(own, bySdk);
    t.is(received.length, 2);
  });
}

test('any byte from 80 to FF goes out and comes back in any header', async (t) => {
  const bytes = Array.from({ length: 128 }, (_, index) => String.fromCharCode(0x80 + index)).join('');
  const value = `${bytes}\xa0`;
  const { endpoint, received } = await startFakeServer(t, (_, response) => {
    const stored = { 'content-type': value, 'x-amz-meta-a': value, 'content-length': 0 };
    response.writeHead(200, { ...objectHeaders('e'), ...stored }).end();
  });
  const { transport } = makeAccess(t, endpoint);
  const headers = storedHeaders({
    metadata: { a: value },
    contentType: value,
    kept: { 'content-disposition': value, expires: value },
  });
  await transport.send('bucket', putObject(key, headers, bodyOf('body')), never);
  await transport.send('bucket', createUpload(key, headers), never);
  for (const request of received) {
    t.like(request.headers, {
      'content-type': value,
      'x-amz-meta-a': value,
      'content-disposition': value,
      expires: value,
    });
  }
  const reply = await transport.send('bucket', headObject(key, undefined), never);
  const info = infoOf({ operation: 'head', key }, reply, undefined, undefined);
  t.like(info, { contentType: value, metadata: { a: value } });
});

test('a reply without content, and without a length, is whole, and another request follows on its connection', async (t) => {
  const { endpoint, received } = await startFakeServer(t, (_, response) => {
    response.writeHead(204).end();
  });
  const { transport } = makeAccess(t, endpoint);
  for (let count = 0; count < 3; count += 1) {
    t.is((await transport.send('bucket', deleteObject(key), never)).status, 204);
  }
  t.deepEqual(
    received.map(({ method }) => method),
    ['DELETE', 'DELETE', 'DELETE'],
  );
});

test('a refusal says what the server says', async (t) => {
  const xml =
    '<Error><Code>QuotaExceeded</Code><Message>Jo &amp; Ann&#39;s &#x22;quota&#34;</Message></Error>';
  const { endpoint } = await startFakeServer(t, (_, response) => {
    response.writeHead(403, { 'x-amz-request-id': 'test-request' }).end(xml);
  });
  const sending = makeAccess(t, endpoint).transport.send(
    'bucket',
    getObject({ key, ...whole }, undefined),
    never,
  );
  const error = await t.throwsAsync(sending, { instanceOf: RefusedReply });
  t.like(error, {
    serverCode: 'QuotaExceeded',
    said: 'Jo & Ann\'s "quota"',
    status: 403,
    requestId: 'test-request',
  });
});

test('a server that works for long may say 200 before it fails', async (t) => {
  const { endpoint } = await startFakeServer(t, (_, response) => {
    response.writeHead(200);
    response.write('<?xml version="1.0"?>\n   ');
    response.end('<Error><Code>InternalError</Code></Error>');
  });
  const { transport } = makeAccess(t, endpoint);
  for (const name of ['CopyObject', 'UploadPartCopy', 'CompleteMultipartUpload']) {
    const [request] = operations[name]!;
    const error = await t.throwsAsync(transport.send('bucket', request, never), { instanceOf: RefusedReply });
    t.is(error.serverCode, 'InternalError', name);
  }
});

test('a server that takes no connection is given up', async (t) => {
  // It takes the bytes and never speaks TLS.
  const server = net.createServer((socket) => {
    t.teardown(() => socket.destroy());
    socket.on('error', () => undefined);
  });
  const { transport } = makeAccess(t, await listen(t, server, 'https'), { connectTimeoutMs: 100 });
  const error = await t.throwsAsync(transport.send('bucket', headObject(key, undefined), never));
  t.is(toStoreError(error, { operation: 'head', key }, undefined).code, 'Timeout');
});

test('a reply whose body stands still is given up', async (t) => {
  const { endpoint } = await startFakeServer(t, (_, response) => {
    response.writeHead(200, { ...objectHeaders('e'), 'content-length': '10' });
    response.write('half');
  });
  const { transport } = makeAccess(t, endpoint, { idleTimeoutMs: 100 });
  const request = getObject({ key, ...whole }, undefined);
  await t.throwsAsync(transport.send('bucket', request, never), { name: 'TimeoutError' });
});

test('where the server works, it may be silent for longer', async (t) => {
  const answer: Answer = (_, response) => void setTimeout(() => response.writeHead(200).end(), 300);
  const { endpoint } = await startFakeServer(t, answer);
  const { transport } = makeAccess(t, endpoint, { idleTimeoutMs: 100, workTimeoutMs: 60_000 });
  await t.throwsAsync(transport.send('bucket', deleteObject(key), never), { name: 'TimeoutError' });
  for (const name of ['CopyObject', 'UploadPartCopy', 'CompleteMultipartUpload']) {
    await t.notThrowsAsync(transport.send('bucket', operations[name]![0], never), name);
  }
});

const streamed = (content: Readable) => putObject(key, [], { content, length: 10, md5: undefined });

test('a body that fails fails the request', async (t) => {
  const { endpoint } = await startFakeServer(t, () => undefined);
  const content = Readable.from(
    (async function* () {
      yield Buffer.from('half');
      await Promise.resolve();
      throw new Error('no more');
    })(),
    { objectMode: true },
  );
  const sending = makeAccess(t, endpoint).transport.send('bucket', streamed(content), never);
  await t.throwsAsync(sending, { message: 'no more' });
});

test('a body that the server does not want is not read to its end', async (t) => {
  const certificate = await makeCertificate(t);
  const server = https.createServer(certificate, (_, response) => refuse(response, 403, 'AccessDenied'));
  const endpoint = await listen(t, server, 'https');
  const { transport } = makeAccess(t, endpoint, { ca: certificate.authority, idleTimeoutMs: 500 });
  const content = new Readable({ read: () => undefined });
  content.push(Buffer.from('half'));
  const closed = once(content, 'close');
  const error = await t.throwsAsync(transport.send('bucket', streamed(content), never), {
    instanceOf: RefusedReply,
  });
  t.is(error.serverCode, 'AccessDenied');
  await closed;
  t.true(content.destroyed);
});

test('a session token is sent and signed', async (t) => {
  const { endpoint, received } = await startFakeServer(t, (_, response) => {
    response.writeHead(200, objectHeaders('e')).end();
  });
  const { transport } = makeAccess(t, endpoint, { sessionToken: 'session' });
  await transport.send('bucket', headObject(key, undefined), never);
  t.is(received[0]?.headers['x-amz-security-token'], 'session');
  t.regex(received[0]?.headers.authorization ?? '', /SignedHeaders=[^,]*x-amz-security-token/);
});

/** One for a server whose buckets may be in another region than `here`. */
function makeRegional(
  t: ExecutionContext,
  { origin }: URL,
  onAddress: (region: string) => void = () => undefined,
): Transport {
  const transport = new Transport({
    addressOf: (bucket, region) => {
      onAddress(region);
      return new URL(`${origin}/${bucket}`);
    },
    region: 'here',
    followsRegions: true,
    credentials: () => Promise.resolve({ accessKeyId: 'A', secretAccessKey: 'B' }),
    serverClock: { offsetMs: 0, learn: () => undefined },
    http: makePoolOptions(),
  });
  t.teardown(() => transport.close());
  return transport;
}

test('a bucket that is in another region is asked there from then on, and a body that cannot be sent again fails once', async (t) => {
  const { endpoint, received } = await startFakeServer(t, ({ headers }, response) => {
    if (String(headers.authorization).includes('/there/s3/'))
      response.writeHead(200, objectHeaders('e')).end();
    else response.writeHead(301, { 'x-amz-bucket-region': 'there' }).end();
  });
  const asked: string[] = [];
  const transport = makeRegional(t, endpoint, (region) => asked.push(region));
  const body = Readable.from([Buffer.alloc(10)], { objectMode: true });
  await t.throwsAsync(transport.send('first', streamed(body), never), { instanceOf: RefusedReply });
  await transport.send('first', headObject(key, undefined), never);
  await transport.send('second', headObject(key, undefined), never);
  await transport.send('second', deleteObject(key), never);
  t.deepEqual(asked, ['here', 'there', 'here', 'there']);
  t.is(received.length, 5);
});

test('servers that send each other a bucket are asked twice', async (t) => {
  const { endpoint, received } = await startFakeServer(t, ({ headers }, response) => {
    const isHere = String(headers.authorization).includes('/here/s3/');
    response.writeHead(301, { 'x-amz-bucket-region': isHere ? 'there' : 'here' }).end();
  });
  const transport = makeRegional(t, endpoint);
  await t.throwsAsync(transport.send('bucket', headObject(key, undefined), never), {
    instanceOf: RefusedReply,
  });
  t.is(received.length, 2);
});

test('AWS is addressed as the SDK addresses it', async (t) => {
  const client = makeS3Client({
    endpoint: undefined,
    region: 'eu-west-3',
    credentials: { accessKeyId: 'A', secretAccessKey: 'B' },
    requestHandler: new PatientHttpHandler({
      allowedServers: { kind: 'aws' },
      httpAgent: new http.Agent(),
      httpsAgent: new https.Agent(),
      ...makePoolOptions(),
      workTimeoutMs: 1_000,
    }),
  });
  t.teardown(() => client.destroy());
  const { addressOf, followsRegions } = settingsOf(client, { endpoint: undefined, region: 'eu-west-3' });
  t.true(followsRegions);
  const addresses = [];
  for (const bucket of ['photos', 'my.dotted.bucket'])
    addresses.push((await addressOf(bucket, 'eu-west-1')).href);
  t.deepEqual(addresses, [
    'https://photos.s3.eu-west-1.amazonaws.com/',
    'https://s3.eu-west-1.amazonaws.com/my.dotted.bucket',
  ]);
});

test('of a bucket with a host of its own nothing is kept when its connections are closed', async (t) => {
  const reused = new CountingConnections();
  const addresses = new Map<string, URL>();
  const transport = new Transport({
    addressOf: (bucket) => addresses.get(bucket)!,
    region: 'here',
    followsRegions: true,
    credentials: () => Promise.resolve({ accessKeyId: 'A', secretAccessKey: 'B' }),
    serverClock: { offsetMs: 0, learn: () => undefined },
    http: { ...makePoolOptions(), reused },
  });
  t.teardown(() => transport.close());
  for (const bucket of ['one', 'two', 'three']) {
    const { endpoint } = await startFakeServer(t, (_, response) => {
      response.writeHead(200, { ...objectHeaders('e'), connection: 'close' }).end();
    });
    addresses.set(bucket, endpoint);
    await transport.send(bucket, headObject(key, undefined), never);
    await turnsUntil('its connection is closed', () => reused.told === 0);
  }
  t.is(transport.serverCount, 1);
});
