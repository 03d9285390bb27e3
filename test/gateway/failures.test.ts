// What must not go wrong when something does: changed files, a full disk, a kill, clients that leave.
import { randomBytes } from 'node:crypto';
import { appendFile, open, readFile, rename, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import tls from 'node:tls';
import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  UploadPartCommand,
  type S3Client,
} from '@aws-sdk/client-s3';
import test, { type ExecutionContext } from 'ava';
import { startGateway } from '../../src/gateway/gateway.js';
import { S3ObjectStore } from '../../src/s3/s3-object-store.js';
import { start, waitUntil } from '../mount/child.js';
import { makeDirectory } from '../mount/temporary.js';
import { projectRoot } from '../mount/user.js';
import { hostileRequests, sendRaw } from '../cli/status/hostile-requests.js';
import { patienceMs } from '../patience.js';
import {
  connectToGateway,
  filesBelow,
  md5Of,
  newCustomerKey,
  readAll,
  runGateway,
  silentLog,
  sseC,
  startGatewayProcess,
} from './running-gateway.js';
import { whole } from '../object-store/whole.js';
import { joinPieces } from '../../src/object-store.js';

const Bucket = 'failures';
const key = sseC(newCustomerKey());
const mebibyte = 1024 * 1024;

async function makeClient(): Promise<S3Client> {
  const { client } = await connectToGateway();
  await client.send(new CreateBucketCommand({ Bucket }));
  return client;
}

async function read(client: S3Client, Key: string, fields: object = key): Promise<Buffer> {
  const { Body } = await client.send(new GetObjectCommand({ Bucket, Key, ...fields }));
  return Buffer.from(await Body!.transformToByteArray());
}

/** Whether reading gives an error, be it by the status or by a connection that breaks before the last byte. */
async function failsToRead(t: ExecutionContext, client: S3Client, Key: string, why: string): Promise<void> {
  await t.throwsAsync(read(client, Key), undefined, why);
}

test.serial(
  'neither bytes nor customer key are in the files, and what is needed to read them again is',
  async (t) => {
    const first = await runGateway(t, 'rgw');
    const client = await makeClient();
    const Body = Buffer.from('measured at East Lansing '.repeat(20_000));
    await client.send(new PutObjectCommand({ Bucket, Key: 'file', Body, ...key }));
    await client.send(new PutObjectCommand({ Bucket, Key: 'plain', Body: Buffer.from('in the clear') }));
    const stored = await readAll(await filesBelow(first.directory, '.'));
    t.false(stored.includes('East Lansing'));
    t.true(stored.includes('in the clear'));
    t.false(stored.includes(key.SSECustomerKey));
    t.false(stored.includes(Buffer.from(key.SSECustomerKey, 'base64')));
    t.false(stored.includes(Buffer.from(key.SSECustomerKey, 'base64').toString('hex')));
    await first.stop(1_000);
    await runGateway(t, 'rgw', { directory: first.directory });
    t.true((await read((await connectToGateway()).client, 'file')).equals(Body));
  },
);

test.serial('equal objects under one key are stored as different bytes', async (t) => {
  const { directory } = await runGateway(t, 'rgw');
  const client = await makeClient();
  const Body = Buffer.alloc(70_000, 'x');
  for (const Key of ['a', 'b']) await client.send(new PutObjectCommand({ Bucket, Key, Body, ...key }));
  const [a, b] = await Promise.all((await filesBelow(directory, 'data')).map((file) => readFile(file)));
  for (let at = 0; at + 16 <= a!.length; at += 16) t.false(b!.includes(a!.subarray(at, at + 16)));
});

test.serial('an object whose bytes were changed, cut or exchanged on the disk cannot be read', async (t) => {
  const { directory } = await runGateway(t, 'rgw');
  const client = await makeClient();
  const contents = [randomBytes(200_000), randomBytes(200_000)] as const;
  const put = async () => {
    const files: string[] = [];
    for (const [number, Body] of contents.entries()) {
      const before = new Set(await filesBelow(directory, 'data'));
      await client.send(new PutObjectCommand({ Bucket, Key: `file${number}`, Body, ...key }));
      files.push(...(await filesBelow(directory, 'data')).filter((file) => !before.has(file)));
    }
    return files as [string, string];
  };
  for (const at of [0, 65_536, 199_999]) {
    const [file] = await put();
    const handle = await open(file, 'r+');
    const byte = Buffer.alloc(1);
    await handle.read(byte, 0, 1, at);
    await handle.write(Buffer.from([byte[0]! ^ 1]), 0, 1, at);
    await handle.close();
    await failsToRead(t, client, 'file0', `byte ${at}`);
    t.true((await read(client, 'file1')).equals(contents[1]));
  }
  const [short] = await put();
  await truncate(short, 2 * 65_552);
  await failsToRead(t, client, 'file0', 'cut at the end of a chunk');
  const [long] = await put();
  await appendFile(long, randomBytes(65_552));
  await failsToRead(t, client, 'file0', 'longer');
  const [one, other] = await put();
  await rename(one, `${one}.aside`);
  await rename(other, one);
  await rename(`${one}.aside`, other);
  await failsToRead(t, client, 'file0', 'exchanged');
  await failsToRead(t, client, 'file1', 'exchanged');
});

test.serial('an object whose record was changed is an error, to read and to ask about', async (t) => {
  const { directory } = await runGateway(t, 'rgw');
  const client = await makeClient();
  await client.send(
    new PutObjectCommand({ Bucket, Key: 'file', Body: 'x', Metadata: { note: 'right' }, ...key }),
  );
  const [record] = await filesBelow(directory, `buckets/${Bucket}/objects`);
  const text = await readFile(record!, 'utf8');
  for (const changed of [
    text.replace('"right"', '"wrong"'),
    text.replace('"size":1', '"size":0'),
    text.slice(0, 40),
  ]) {
    await writeFile(record!, changed);
    await t.throwsAsync(client.send(new HeadObjectCommand({ Bucket, Key: 'file', ...key })));
    await failsToRead(t, client, 'file', changed);
  }
  await writeFile(record!, text);
  t.is((await read(client, 'file')).toString(), 'x');
});

test.serial('a full disk is a failure of the server that leaves the old object and no files', async (t) => {
  const directory = path.join(await makeDirectory(t), 'gateway');
  // A limit on the size of files stands for the disk's end: write(2) fails in the middle in the same way.
  const main = path.join(projectRoot, 'dist/src/main.cjs');
  const script = 'trap "" XFSZ; ulimit -f 2048; exec "$@"';
  const args = [
    '-c',
    script,
    'bash',
    process.execPath,
    main,
    'gateway',
    directory,
    '--listen',
    '127.0.0.1:0',
  ];
  const child = await start('bash', args);
  t.teardown(async () => {
    child.kill('SIGTERM');
    await child.waitForEnd(patienceMs);
  });
  await waitUntil('the gateway listens', patienceMs, () => child.output().includes('--print-env'));
  const [, endpoint] = /(https:\S+)/.exec(child.output()) ?? [];
  const access = JSON.parse(await readFile(path.join(directory, 'access-key.json'), 'utf8')) as Record<
    string,
    string
  >;
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: endpoint?.replace(/,$/, ''),
    AWS_ACCESS_KEY_ID: access['accessKeyId'],
    AWS_SECRET_ACCESS_KEY: access['secretAccessKey'],
    AWS_CA_BUNDLE: path.join(directory, 'tls/ca.crt'),
  });
  const client = await makeClient();
  await client.send(new PutObjectCommand({ Bucket, Key: 'file', Body: 'old', ...key }));
  const files = await filesBelow(directory, 'data');
  const put = client.send(
    new PutObjectCommand({ Bucket, Key: 'file', Body: Buffer.alloc(4 * mebibyte), ...key }),
  );
  const error = await t.throwsAsync(put, { name: 'InsufficientStorage' });
  t.is((error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode, 507);
  t.deepEqual(await filesBelow(directory, 'data'), files);
  t.is((await read(client, 'file')).toString(), 'old');
});

test.serial(
  'after a kill in the middle of uploads every object is old or new, whole, and nothing else is left',
  async (t) => {
    const directory = path.join(await makeDirectory(t), 'gateway');
    const keys = Array.from({ length: 6 }, (_, number) => `file${number}`);
    const versions = new Map<string, Set<string>>(keys.map((name) => [name, new Set<string>()]));
    for (let round = 0; round < 3; round += 1) {
      const { child, env } = await startGatewayProcess(t, directory);
      Object.assign(process.env, env);
      const { client } = await connectToGateway();
      if (round === 0) await client.send(new CreateBucketCommand({ Bucket }));
      let done = 0;
      const writers = keys.map(async (Key, number) => {
        for (;;) {
          const Body = randomBytes(number % 2 === 0 ? 300_000 : 2 * mebibyte);
          versions.get(Key)!.add(md5Of(Body));
          if (number === 5) await uploadInParts(client, Key, Body);
          else await client.send(new PutObjectCommand({ Bucket, Key, Body, ...key }));
          done += 1;
        }
      });
      const ended = Promise.allSettled(writers);
      await waitUntil('some uploads are done', patienceMs, () => done >= 8);
      child.kill('SIGKILL');
      await child.waitForEnd(patienceMs);
      await ended;
    }
    const gateway = await startGateway({
      directory,
      flavor: 'rgw',
      https: { host: '127.0.0.1', port: 0 },
      log: silentLog,
    });
    t.teardown(() => gateway.stop(1_000));
    process.env['AWS_ENDPOINT_URL'] = gateway.endpoint;
    const { client } = await connectToGateway();
    const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket }));
    t.true(Contents.length > 0);
    for (const { Key, Size } of Contents) {
      const bytes = await read(client, Key!);
      t.is(bytes.length, Size!);
      t.true(versions.get(Key!)!.has(md5Of(bytes)), `${Key} has bytes that nobody wrote`);
    }
    const unfinished = await filesBelow(directory, `buckets/${Bucket}/uploads`);
    const parts = unfinished.filter((file) => path.basename(file).startsWith('part-'));
    const objectFiles = await filesBelow(directory, `buckets/${Bucket}/objects`);
    const segments = await Promise.all(
      objectFiles.map(async (file) => {
        const record = JSON.parse((await readFile(file, 'utf8')).split('\n')[0]!) as { segments: unknown[] };
        return record.segments.length;
      }),
    );
    const named = parts.length + segments.reduce((sum, count) => sum + count, 0);
    t.is((await filesBelow(directory, 'data')).length, named);
    t.deepEqual(
      (await filesBelow(directory, '.')).filter((file) => file.endsWith('.tmp')),
      [],
    );
  },
);

async function uploadInParts(client: S3Client, Key: string, Body: Buffer): Promise<void> {
  const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key, ...key }));
  const part = { Bucket, Key, UploadId, PartNumber: 1, Body, ...key };
  const { ETag } = await client.send(new UploadPartCommand(part));
  const MultipartUpload = { Parts: [{ PartNumber: 1, ETag }] };
  await client.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload }));
}

test.serial('a client that leaves in the middle of an upload leaves nothing', async (t) => {
  const { directory } = await runGateway(t, 'rgw');
  const client = await makeClient();
  const controller = new AbortController();
  async function* body() {
    yield Buffer.alloc(mebibyte);
    await waitUntil(
      'the first bytes are stored',
      patienceMs,
      async () => (await filesBelow(directory, 'data')).length > 0,
    );
    controller.abort();
    yield Buffer.alloc(mebibyte);
  }
  const { Readable } = await import('node:stream');
  const put = new PutObjectCommand({
    Bucket,
    Key: 'file',
    Body: Readable.from(body()),
    ContentLength: 2 * mebibyte,
    ...key,
  });
  await t.throwsAsync(client.send(put, { abortSignal: controller.signal }));
  await waitUntil(
    'nothing is left',
    patienceMs,
    async () => (await filesBelow(directory, 'data')).length === 0,
  );
  await t.throwsAsync(client.send(new HeadObjectCommand({ Bucket, Key: 'file', ...key })), {
    name: 'NotFound',
  });
});

test.serial(
  'a reader goes on with the object that it began with while it is replaced, and it is freed then',
  async (t) => {
    const { directory } = await runGateway(t, 'rgw');
    const client = await makeClient();
    const content = randomBytes(8 * mebibyte);
    await client.send(new PutObjectCommand({ Bucket, Key: 'file', Body: content, ...key }));
    const { Body } = await client.send(new GetObjectCommand({ Bucket, Key: 'file', ...key }));
    await client.send(new PutObjectCommand({ Bucket, Key: 'file', Body: 'new', ...key }));
    t.true(Buffer.from(await Body!.transformToByteArray()).equals(content));
    t.is((await read(client, 'file')).toString(), 'new');
    await waitUntil(
      'the old bytes are gone',
      patienceMs,
      async () => (await filesBelow(directory, 'data')).length === 1,
    );
  },
);

test.serial('a request may follow a long reply at once on the same connection', async (t) => {
  const { env } = await startGatewayProcess(t, path.join(await makeDirectory(t), 'gateway'));
  Object.assign(process.env, env);
  const access = await connectToGateway();
  const { client, endpoint } = access;
  await client.send(new CreateBucketCommand({ Bucket }));
  const options = { access, endpoint, bucket: Bucket, customerKey: newCustomerKey(), log: silentLog };
  const store = new S3ObjectStore({ ...options, plaintext: 'read' }); // which tries nothing again
  const signal = AbortSignal.timeout(60_000);
  const bytes = randomBytes(500_000);
  const body = {
    length: bytes.length,
    needsRequests: false,
    pieces: () => Readable.from([bytes], { objectMode: true }),
  };
  await store.put({ key: 'file', body: [bytes], headers: { metadata: {} }, condition: {} }, signal);
  for (let round = 0; round < 100; round += 1) {
    t.is(joinPieces((await store.get({ key: 'file', ...whole }, signal)).pieces).length, bytes.length);
    const put = store.put(
      { key: 'file', body, headers: { metadata: {} }, condition: { ifNoneMatch: '*' } },
      signal,
    );
    await t.throwsAsync(put, { code: 'PreconditionFailed' });
  }
});

test.serial('a client that stands still is let go, with its connection', async (t) => {
  const gateway = await runGateway(t, 'rgw', { limits: { idleTimeoutMs: 200 } });
  const { hostname, port } = new URL(gateway.endpoint);
  const ca = await readFile(gateway.authorityFile);
  const socket = tls.connect({ host: hostname, port: Number(port), ca });
  t.teardown(() => void socket.destroy());
  let isClosed = false;
  socket
    .on('error', () => undefined)
    .on('close', () => {
      isClosed = true;
    });
  socket.write('PUT /bucket/key HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n');
  // Less than the 20 s after which headers that are not complete close it anyway.
  await waitUntil('the connection is closed', 15_000, () => isClosed);
  t.true(isClosed);
});

test.serial('requests that are none, or odd ones, are refused and hurt nobody else', async (t) => {
  const { httpEndpoint } = await runGateway(t, 'rgw');
  const client = await makeClient();
  await client.send(new PutObjectCommand({ Bucket, Key: 'kept', Body: 'kept', ...key }));
  for (const [what, text] of Object.entries(hostileRequests)) {
    t.regex(await sendRaw(Number(new URL(httpEndpoint!).port), text), /^(HTTP\/1\.1 [45]\d\d |$)/, what);
    t.is((await read(client, 'kept')).toString(), 'kept', what);
  }
});
