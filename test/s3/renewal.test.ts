// What a connection was made with is looked at again when the server refuses it, and then the request is sent once more.
import { writeFile } from 'node:fs/promises';
import https from 'node:https';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { StoreError } from '../../src/errors.js';
import { connect } from '../../src/s3/connect.js';
import { toStoreError } from '../../src/s3/error-codes.js';
import { Renewal } from '../../src/s3/renewal.js';
import { S3ObjectStore } from '../../src/s3/s3-object-store.js';
import { answerObject, rejects } from './fake-replies.js';
import {
  type Answer,
  listen,
  makeCertificate,
  makeFakeStore,
  never,
  objectHeaders,
  refuse,
  silentLog,
  startFakeServer,
  temporaryDirectory,
  testKey,
} from './fake-server.js';

const emptyPage = '<ListBucketResult><Name>b</Name></ListBucketResult>';

/** What the server refuses with. */
function refusal(name: string, status: number): StoreError {
  const error = Object.assign(new Error(name), { name, $metadata: { httpStatusCode: status } });
  return toStoreError(error, { operation: 'head', key: 'k' }, undefined);
}

function begin(answers: readonly boolean[]) {
  let nowMs = 0;
  const looks: string[] = [];
  const rest = [...answers];
  const look = (subject: string) => () => {
    looks.push(subject);
    return Promise.resolve(rest.shift() ?? false);
  };
  const renewal = new Renewal({
    renewCredentials: look('credentials'),
    reloadAuthorities: look('authorities'),
    now: () => nowMs,
    log: silentLog,
  });
  /** Sends a request that is refused so until something has changed; resolves with how often it was sent. */
  const send = async (error: StoreError) => {
    let sent = 0;
    await renewal
      .run(() => {
        sent += 1;
        return sent === 1 ? Promise.reject(error) : Promise.resolve();
      })
      .catch(() => undefined);
    return sent;
  };
  return { send, looks, wait: (ms: number) => (nowMs += ms) };
}

for (const code of ['ExpiredToken', 'InvalidAccessKeyId', 'InvalidToken', 'SignatureDoesNotMatch']) {
  test(`after ${code} a request is sent again if there are other credentials`, async (t) => {
    const { send, looks, wait } = begin([true, false]);
    t.is(await send(refusal(code, 403)), 2);
    wait(10_000);
    t.is(await send(refusal(code, 403)), 1);
    t.deepEqual(looks, ['credentials', 'credentials']);
  });
}

test('what is not allowed is not sent again, and nothing is looked at', async (t) => {
  const { send, looks } = begin([true]);
  t.is(await send(refusal('AccessDenied', 403)), 1);
  t.is(await send(refusal('NoSuchKey', 404)), 1);
  t.is(await send(refusal('InternalError', 500)), 1);
  t.deepEqual(looks, []);
});

test('a refusal without a reason makes it look, once a minute', async (t) => {
  const { send, looks, wait } = begin([false, false, true]);
  t.is(await send(refusal('Unknown', 403)), 1);
  wait(59_000);
  t.is(await send(refusal('Unknown', 403)), 1);
  t.is(looks.length, 1);
  wait(1000);
  t.is(await send(refusal('Unknown', 403)), 1);
  wait(60_000);
  t.is(await send(refusal('Unknown', 403)), 2);
});

test('many that are refused at once look once, and are all sent again', async (t) => {
  const { send, looks } = begin([true]);
  const sent = await Promise.all(Array.from({ length: 10 }, () => send(refusal('ExpiredToken', 400))));
  t.deepEqual(new Set(sent), new Set([2]));
  t.deepEqual(looks, ['credentials']);
});

test('a certificate that is not trusted makes it look at the authorities', async (t) => {
  const { send, looks } = begin([true]);
  t.is(await send(new StoreError('CertificateRejected', 'head k')), 2);
  t.deepEqual(looks, ['authorities']);
});

/** A store as a command or a mount makes it, with credentials and authorities in files. */
async function connectByFiles(t: ExecutionContext, endpoint: URL, caBundle?: string) {
  const credentialsFile = path.join(await temporaryDirectory(t), 'credentials');
  const write = (accessKeyId: string) =>
    writeFile(
      credentialsFile,
      `[default]\naws_access_key_id = ${accessKeyId}\naws_secret_access_key = secret\n`,
      { mode: 0o600 },
    );
  await write('FIRST');
  process.env['AWS_SHARED_CREDENTIALS_FILE'] = credentialsFile;
  process.env['AWS_CONFIG_FILE'] = `${credentialsFile}.none`;
  process.env['AWS_EC2_METADATA_DISABLED'] = 'true';
  for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_PROFILE']) {
    Reflect.deleteProperty(process.env, name);
  }
  const connection = await connect({
    endpoint: endpoint.href,
    ...(caBundle !== undefined && { caBundle }),
    allowPlainHttp: true,
    requestTimeoutMs: 20_000,
    connectTimeoutMs: 10_000,
    maxSockets: 4,
    log: silentLog,
  });
  t.teardown(() => connection.close());
  const store = new S3ObjectStore({
    access: connection,
    endpoint: connection.endpoint,
    bucket: 'bucket',
    customerKey: testKey,
    plaintext: 'read',
    log: silentLog,
  });
  return { store, writeCredentials: write };
}

test.serial(
  'credentials that were changed in their file are used when the old ones are refused',
  async (t) => {
    const answer: Answer = (request, response) => {
      const { method, url } = request;
      if (!String(request.headers.authorization).includes('Credential=SECOND/'))
        refuse(response, 403, method === 'HEAD' ? undefined : 'InvalidAccessKeyId');
      else if (url.includes('list-type'))
        response.writeHead(200, { 'content-type': 'application/xml' }).end(emptyPage);
      else answerObject(request, response, Buffer.from('x'));
    };
    const { endpoint } = await startFakeServer(t, answer);
    for (const use of [
      (store: S3ObjectStore) => store.head('k', never),
      (store: S3ObjectStore) => store.get({ key: 'k', maxBytes: 1 }, never),
      (store: S3ObjectStore) => store.list({ prefix: '' }, never), // by the SDK
    ]) {
      const { store, writeCredentials } = await connectByFiles(t, endpoint);
      await writeCredentials('SECOND');
      await t.notThrowsAsync(use(store));
    }
  },
);

for (const [way, use] of [
  ['our own requests', (store: S3ObjectStore) => store.head('k', never)],
  ["the SDK's", (store: S3ObjectStore) => store.list({ prefix: '' }, never)],
] as const) {
  test.serial(`a certificate of an authority that the file has by now is believed, by ${way}`, async (t) => {
    const [first, second] = [await makeCertificate(t), await makeCertificate(t)];
    const server = https.createServer(first, (request, response) => {
      const body = request.method === 'GET' ? emptyPage : '';
      const headers = { ...objectHeaders('etag'), 'content-type': 'application/xml' };
      response.writeHead(200, { ...headers, 'content-length': body.length, connection: 'close' });
      response.end(body);
    });
    const endpoint = await listen(t, server, 'https');
    const { store } = await connectByFiles(t, endpoint, first.authorityPath);
    await use(store);
    server.setSecureContext(second);
    await writeFile(first.authorityPath, second.authority);
    await t.notThrowsAsync(use(store));
  });
}

test('a refusal that does not say that the clock is wrong, but has the time, is signed again', async (t) => {
  const serverTime = new Date(Date.now() + 3_600_000);
  const { store, received } = await makeFakeStore(t, (request, response) => {
    response.setHeader('date', serverTime.toUTCString());
    const sent = String(request.headers['x-amz-date']).replace(
      /^(....)(..)(..T..)(..)(..)Z$/,
      '$1-$2-$3:$4:$5Z',
    );
    const isRight = Math.abs(Date.parse(sent) - serverTime.getTime()) < 900_000;
    if (isRight) answerObject(request, response, Buffer.from('x'));
    else refuse(response, 403);
  });
  await store.head('k', never);
  t.is(received.length, 2);
  await store.head('k', never);
  t.is(received.length, 3);
});

test('a refusal with the right time is what it says', async (t) => {
  const { store, received } = await makeFakeStore(t, (_, response) => {
    response.setHeader('date', new Date().toUTCString());
    refuse(response, 403);
  });
  const error = await rejects(t, 'AccessDenied', store.head('k', never));
  t.not(error.code, 'ClockSkewed');
  t.true(received.length >= 1);
});
