import test from 'ava';
import type { Log } from '../../src/log.js';
import type { WriteCondition } from '../../src/object-store.js';
import { noHeaders, rejects } from './fake-replies.js';
import {
  type Answer,
  answerXml,
  makeFakeStore,
  never,
  objectHeaders,
  refuse,
  silentLog,
} from './fake-server.js';

/**
 * One bucket as Ceph keeps it while versioning is Enabled: a condition is held against the version that is about to be written.
 * ETags are `v1`, `v2`, ...
 */
function versionedServer(options: { readonly namesVersions?: boolean; readonly isSuspended?: boolean } = {}) {
  const etags = new Map<string, string>();
  let count = 0;
  const keyOf = (url: string) => url.split('?')[0]?.split('/')[2] ?? '';
  const store = (key: string) => {
    const etag = `v${++count}`;
    etags.set(key, etag);
    return etag;
  };
  const answer: Answer = ({ method, url, headers }, response) => {
    const key = keyOf(url);
    if (method === 'POST') {
      answerXml(response, `<R><ETag>"${store(key)}"</ETag></R>`);
      return;
    }
    if (method === 'PUT') {
      const isNoneRefused = headers['if-none-match'] !== undefined && options.isSuspended;
      if (headers['if-match'] !== undefined || isNoneRefused) {
        refuse(response, 412, 'PreconditionFailed');
        return;
      }
      response.writeHead(200, {
        ...objectHeaders(store(key)),
        ...(options.namesVersions && { 'x-amz-version-id': `id-${count}` }),
      });
      response.end();
      return;
    }
    const etag = etags.get(key);
    if (etag === undefined) refuse(response, 404);
    else response.writeHead(200, { ...objectHeaders(etag), 'content-length': 0 }).end();
  };
  return { answer, etags, store };
}

function countingLog(): { readonly log: Log; readonly warnings: string[] } {
  const warnings: string[] = [];
  return { log: { ...silentLog, warn: (_, message) => warnings.push(message) }, warnings };
}

const body = [Buffer.from('x')];

test('a server that refuses the right ETag in either form is asked by HEAD from then on, and that is told once', async (t) => {
  const { answer, etags, store: storeElsewhere } = versionedServer();
  const { log, warnings } = countingLog();
  const { store, received } = await makeFakeStore(t, answer, { log });
  const requests = async (work: Promise<unknown>) => {
    received.length = 0;
    await work;
    return received.map(({ method, headers }) => `${method} ${headers['if-match'] ?? ''}`.trim());
  };
  const put = (ifMatch: string) =>
    store.put({ key: 'k', body, headers: noHeaders, condition: { ifMatch } }, never);
  const { etag } = await store.put(
    { key: 'k', body, headers: noHeaders, condition: { ifNoneMatch: '*' } },
    never,
  );
  t.deepEqual(await requests(put(etag)), [`PUT ${etag}`, 'HEAD', `PUT "${etag}"`, 'HEAD', 'PUT']);
  t.deepEqual(await requests(put('v2')), ['HEAD', 'PUT']);
  t.is(etags.get('k'), 'v3');

  storeElsewhere('k');
  await rejects(t, 'PreconditionFailed', put('v3'));
  await rejects(
    t,
    'PreconditionFailed',
    store.put({ key: 'k', body, headers: noHeaders, condition: { ifNoneMatch: '*' } }, never),
  );
  const complete = (ifMatch: string) =>
    store.completeUpload(
      { key: 'k', uploadId: 'u', parts: [{ partNumber: 1, etag: 'e' }], condition: { ifMatch } },
      never,
    );
  await rejects(t, 'PreconditionFailed', complete('v3'));
  t.is(etags.get('k'), 'v4');
  t.deepEqual(await requests(complete('v4')), ['HEAD', 'POST']);
  t.is(warnings.length, 1);
  t.regex(warnings[0] ?? '', /keeps versions/);
});

test('a write that loses to another one is refused, whoever learns at that moment how the server judges', async (t) => {
  const { answer, etags, store: storeElsewhere } = versionedServer();
  storeElsewhere('k');
  let refusals = 0;
  const { store } = await makeFakeStore(t, (request, response) => {
    // Between the two forms of the ETag another client stores the object.
    if (request.headers['if-match'] !== undefined && ++refusals === 2) storeElsewhere('k');
    answer(request, response);
  });
  await rejects(
    t,
    'PreconditionFailed',
    store.put({ key: 'k', body, headers: noHeaders, condition: { ifMatch: 'v1' } }, never),
  );
  t.is(etags.get('k'), 'v2');
});

test('writes that learn it at the same time are all stored, and it is told once', async (t) => {
  const { answer, etags, store: storeElsewhere } = versionedServer();
  const { log, warnings } = countingLog();
  const { store } = await makeFakeStore(t, answer, { log });
  const keys = Array.from({ length: 8 }, (_, index) => `k${index}`);
  for (const key of keys) storeElsewhere(key);
  const before = new Map(etags);
  await Promise.all(
    keys.map((key) =>
      store.put({ key, body, headers: noHeaders, condition: { ifMatch: before.get(key) ?? '' } }, never),
    ),
  );
  t.true(keys.every((key) => etags.get(key) !== before.get(key)));
  t.is(warnings.length, 1);
});

test('where nothing is known to be wrong, a write is one request', async (t) => {
  const { store, received } = await makeFakeStore(t, (_, response) => {
    response.writeHead(200, objectHeaders('etag')).end();
  });
  const conditions: WriteCondition[] = [{}, { ifMatch: 'etag' }, { ifNoneMatch: '*' }];
  for (const condition of conditions)
    await store.put({ key: 'k', body, headers: noHeaders, condition }, never);
  t.deepEqual(
    received.map(({ method }) => method),
    ['PUT', 'PUT', 'PUT'],
  );
});

for (const isKnown of [true, false]) {
  const how = isKnown ? 'known before' : 'seen from the reply to a write';
  test(`in a bucket that keeps versions, ${how}, a present object is not taken for a new one`, async (t) => {
    const { answer, etags, store: storeElsewhere } = versionedServer({ namesVersions: true });
    storeElsewhere('theirs');
    const { store, received } = await makeFakeStore(t, answer, { keepsVersions: isKnown });
    if (!isKnown)
      await store.put({ key: 'other', body, headers: noHeaders, condition: { ifNoneMatch: '*' } }, never);
    await rejects(
      t,
      'PreconditionFailed',
      store.put({ key: 'theirs', body, headers: noHeaders, condition: { ifNoneMatch: '*' } }, never),
    );
    t.is(etags.get('theirs'), 'v1');
    received.length = 0;
    await store.put({ key: 'new', body, headers: noHeaders, condition: { ifNoneMatch: '*' } }, never);
    // The header stays: another server may heed it.
    t.deepEqual(
      received.map(({ method, headers }) => [method, headers['if-none-match']]),
      [
        ['HEAD', undefined],
        ['PUT', '*'],
      ],
    );
  });
}

test('a new object is stored also where the server takes a deleted one for present', async (t) => {
  const { answer, etags } = versionedServer({ isSuspended: true });
  const { store } = await makeFakeStore(t, answer);
  await store.put({ key: 'k', body, headers: noHeaders, condition: { ifNoneMatch: '*' } }, never);
  t.is(etags.get('k'), 'v1');
  await rejects(
    t,
    'PreconditionFailed',
    store.put({ key: 'k', body, headers: noHeaders, condition: { ifNoneMatch: '*' } }, never),
  );
});

test('AWS is not asked by HEAD, whether its buckets keep versions or not', async (t) => {
  const { store, received } = await makeFakeStore(
    t,
    (_, response) => {
      response.writeHead(200, { ...objectHeaders('etag'), 'x-amz-version-id': 'id' }).end();
    },
    { endpoint: undefined },
  );
  for (let count = 0; count < 2; count += 1) {
    await store.put({ key: 'k', body, headers: noHeaders, condition: { ifNoneMatch: '*' } }, never);
    await store.put({ key: 'k', body, headers: noHeaders, condition: { ifMatch: 'etag' } }, never);
  }
  t.true(received.every(({ method }) => method === 'PUT'));
});
