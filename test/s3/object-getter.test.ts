import test from 'ava';
import type { Log } from '../../src/log.js';
import { answerObject, noHeaders, operationOf, rejects } from './fake-replies.js';
import {
  type Answer,
  hasCustomerKey,
  makeFakeStore,
  never,
  objectHeaders,
  refuse,
  silentLog,
  testKey,
} from './fake-server.js';
import { whole } from '../object-store/whole.js';
import { joinPieces } from '../../src/object-store.js';

test('a body that ends early is a CorruptReply', async (t) => {
  const { store } = await makeFakeStore(t, (_, response) => {
    response.writeHead(200, { ...objectHeaders('etag'), 'content-length': 1000 });
    response.write(Buffer.alloc(500), () => response.destroy());
  });
  await rejects(t, 'CorruptReply', store.get({ key: 'k', ...whole }, never));
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
  await rejects(t, 'Timeout', store.get({ key: 'k', ...whole }, never));
});

test('a request is aborted while its body comes in', async (t) => {
  const controller = new AbortController();
  const { store } = await makeFakeStore(t, (_, response) => {
    response.writeHead(200, { ...objectHeaders('etag'), 'content-length': 1000 });
    response.write(Buffer.alloc(500), () => controller.abort());
  });
  await rejects(t, 'Aborted', store.get({ key: 'k', ...whole }, controller.signal));
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
    await rejects(t, 'CorruptReply', store.get({ key: 'k', range: { offset: 0, length: 10 } }, never));
  }
});

test('a reply of another version than was asked for is a CorruptReply', async (t) => {
  const { store } = await makeFakeStore(t, (_, response) => {
    response.writeHead(200, { ...objectHeaders('other'), 'content-length': 10 });
    response.end(Buffer.alloc(10));
  });
  await rejects(t, 'CorruptReply', store.get({ key: 'k', ...whole, ifMatch: 'etag' }, never));
});

test('a reply of the whole object where a range was asked for is a CorruptReply', async (t) => {
  const { store } = await makeFakeStore(t, (_, response) => {
    response.writeHead(200, { ...objectHeaders('etag'), 'content-length': 100 });
    response.end(Buffer.alloc(100));
  });
  await rejects(t, 'CorruptReply', store.get({ key: 'k', range: { offset: 0, length: 10 } }, never));
});

test('a reply without ETag or time is a CorruptReply', async (t) => {
  const { store } = await makeFakeStore(t, (_, response) => {
    response.writeHead(200, { 'content-length': 0 });
    response.end();
  });
  await rejects(t, 'CorruptReply', store.head('k', never));
  await rejects(t, 'CorruptReply', store.get({ key: 'k', ...whole }, never));
  await rejects(t, 'CorruptReply', store.list({ prefix: '' }, never));
});

test('an empty range is answered by a HEAD', async (t) => {
  const { store, received } = await makeFakeStore(t, (request, response) =>
    answerObject(request, response, Buffer.from('content')),
  );
  const { info, pieces } = await store.get(
    { key: 'k', range: { offset: 3, length: 0 }, ifMatch: 'etag' },
    never,
  );
  const bytes = joinPieces(pieces);
  t.is(bytes.length, 0);
  t.is(info.size, 7);
  t.deepEqual(received.map(operationOf), ['HEAD']);
  const stale = store.get({ key: 'k', range: { offset: 3, length: 0 }, ifMatch: 'old' }, never);
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
    await rejects(t, 'WrongCustomerKey', store.get({ key: 'k', ...whole }, never));
  });
}

test('a denial is not taken for a wrong key', async (t) => {
  const { store } = await makeFakeStore(t, (request, response) =>
    refuse(response, 403, request.method === 'HEAD' ? undefined : 'AccessDenied'),
  );
  await rejects(t, 'AccessDenied', store.head('k', never));
  await rejects(t, 'AccessDenied', store.get({ key: 'k', ...whole }, never));
});

test('an unencrypted object that AWS refuses with a key is read without one, and remembered', async (t) => {
  let encrypted = false;
  const { store, received } = await makeFakeStore(t, (request, response) => {
    if (hasCustomerKey(request) !== encrypted)
      refuse(response, 400, request.method === 'HEAD' ? undefined : 'InvalidRequest');
    else answerObject(request, response, Buffer.from('content'), encrypted);
  });
  const { info, pieces } = await store.get({ key: 'k', ...whole }, never);
  const bytes = joinPieces(pieces);
  t.is(Buffer.from(bytes).toString(), 'content');
  t.false(info.isEncrypted);
  const before = received.length;
  t.false((await store.head('k', never)).isEncrypted);
  t.is(received.length, before + 1);
  encrypted = true; // replaced by somebody
  t.true((await store.get({ key: 'k', ...whole }, never)).info.isEncrypted);
});

test('plaintext is read with one warning', async (t) => {
  const warnings: string[] = [];
  const log: Log = { ...silentLog, warn: (_, message) => warnings.push(message) };
  const answer: Answer = (request, response) =>
    answerObject(request, response, Buffer.from('content'), false);
  const { store } = await makeFakeStore(t, answer, { log });
  for (const key of ['a', 'b'])
    t.is(Buffer.from(joinPieces((await store.get({ key, ...whole }, never)).pieces)).toString(), 'content');
  t.is(warnings.length, 1);
});

test('plaintext is read with a warning for each version, if the policy says so', async (t) => {
  const warnings: unknown[] = [];
  const log: Log = { ...silentLog, warn: (fields) => warnings.push(fields) };
  let etag = 'first';
  const content = Buffer.from('content');
  const answer: Answer = (_, response) =>
    response.writeHead(200, { ...objectHeaders(etag, false), 'content-length': content.length }).end(content);
  const { store } = await makeFakeStore(t, answer, { log, plaintext: 'warn' });
  for (const key of ['a', 'b', 'a']) await store.get({ key, ...whole }, never);
  t.deepEqual(warnings, [{ key: 'a' }, { key: 'b' }]);
  etag = 'second'; // replaced by somebody
  for (const key of ['a', 'a']) await store.get({ key, ...whole }, never);
  t.deepEqual(warnings.slice(2), [{ key: 'a' }]);
});

test('plaintext is refused if the policy says so, but shown', async (t) => {
  const answer: Answer = (request, response) =>
    answerObject(request, response, Buffer.from('content'), false);
  const { store } = await makeFakeStore(t, answer, { plaintext: 'refuse' });
  const info = await store.head('k', never);
  t.false(info.isEncrypted);
  await rejects(t, 'PlaintextRefused', store.get({ key: 'k', ...whole }, never));
  await rejects(t, 'PlaintextRefused', store.get({ key: 'k', range: { offset: 0, length: 0 } }, never));
  await rejects(
    t,
    'PlaintextRefused',
    store.copy({ source: info, targetKey: 'copy', headers: noHeaders, condition: {} }, never),
  );
});
