// Connections that a NAT or a VPN has forgotten: what the SDK sends and what is sent directly find new ones soon.
import type { Socket } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { RetryPolicy } from '../../src/s3/retry-policy.js';
import { RetryingObjectStore } from '../../src/s3/retrying-object-store.js';
import { answerObject, noHeaders, rejects } from './fake-replies.js';
import { answerXml, makeFakeStore, never, objectHeaders, silentLog } from './fake-server.js';
import { whole } from '../object-store/whole.js';

const patienceMs = 60_000;

/** A store on a server whose sockets so far go silent at `freeze`. */
async function makeFreezingStore(t: ExecutionContext) {
  t.timeout(patienceMs);
  const sockets = new Set<Socket | null>();
  const frozen = new Set<Socket | null>();
  const { store } = await makeFakeStore(
    t,
    (request, response) => {
      sockets.add(response.socket);
      if (frozen.has(response.socket)) return;
      const { method, url } = request;
      if (method === 'PUT') response.writeHead(200, objectHeaders('e')).end();
      else if (method === 'POST' && url.includes('uploads'))
        answerXml(
          response,
          '<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>',
          objectHeaders('e'),
        );
      else if (method === 'GET' && url.includes('list-type'))
        answerXml(response, '<ListBucketResult><Name>bucket</Name></ListBucketResult>');
      else answerObject(request, response, Buffer.from('content'));
    },
    // Without the limit for the first byte, nothing would end the wait.
    { firstByteTimeoutMs: 50, idleTimeoutMs: 3_600_000, workTimeoutMs: 3_600_000 },
  );
  return {
    store,
    sockets,
    freeze: () => {
      for (const socket of sockets) frozen.add(socket);
    },
  };
}

const list = { prefix: '' };

test('a listing on a connection that went silent is given up, and asked again on a new one', async (t) => {
  const { store, sockets, freeze } = await makeFreezingStore(t);
  await store.list(list, never);
  freeze();
  await rejects(t, 'Timeout', store.list(list, never));
  await t.notThrowsAsync(store.list(list, never));
  t.is(sockets.size, 2);
});

test('silence of one connection is news of all, whoever keeps them', async (t) => {
  const { store, sockets, freeze } = await makeFreezingStore(t);
  await store.list(list, never);
  await store.head('k', never);
  t.is(sockets.size, 2);
  freeze();
  await rejects(t, 'Timeout', store.list(list, never));
  await t.notThrowsAsync(store.head('k', never));
  freeze();
  await store.list(list, never);
  await rejects(t, 'Timeout', store.head('k', never));
  await t.notThrowsAsync(store.list({ prefix: 'other' }, never));
});

test('below the retries, no operation fails because idle connections went silent', async (t) => {
  const { store: plain, freeze } = await makeFreezingStore(t);
  const store = new RetryingObjectStore(
    plain,
    new RetryPolicy({ maxElapsedMs: 60_000, log: silentLog, baseDelayMs: 1 }),
  );
  const operations = [
    () => store.list(list, never),
    () => store.head('k', never),
    () => store.get({ key: 'k', ...whole }, never),
    () => store.put({ key: 'k', body: [Buffer.from('x')], headers: noHeaders, condition: {} }, never),
    () => store.createUpload({ key: 'k', headers: noHeaders }, never),
    () => store.delete('k', never),
  ];
  for (const operation of operations) await operation();
  for (const operation of operations) {
    freeze();
    await t.notThrowsAsync(operation());
  }
});
