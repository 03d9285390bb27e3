import test from 'ava';
import type { Log } from '../../src/log.js';
import { answerObject, noHeaders, rejects } from './fake-replies.js';
import { makeFakeStore, never, refuse, silentLog } from './fake-server.js';
import { whole } from '../object-store/whole.js';
import { joinPieces } from '../../src/object-store.js';

test('a server that does not answer is a Timeout', async (t) => {
  const { store } = await makeFakeStore(t, () => undefined, { idleTimeoutMs: 100, workTimeoutMs: 100 });
  await rejects(t, 'Timeout', store.head('k', never));
  await rejects(
    t,
    'Timeout',
    store.put({ key: 'k', body: [Buffer.from('x')], headers: noHeaders, condition: {} }, never),
  );
  await rejects(
    t,
    'Timeout',
    store.uploadPartCopy(
      { key: 'k', uploadId: 'u', partNumber: 1, source: { key: 's', ifMatch: 'e' } },
      never,
    ),
  );
});

test('an aborted request closes its connection, so that the server stops too', async (t) => {
  const controller = new AbortController();
  let closed: () => void = () => undefined;
  const closing = new Promise<void>((resolve) => (closed = resolve));
  const { store } = await makeFakeStore(t, (_, response) => {
    response.once('close', closed);
    controller.abort();
  });
  await rejects(t, 'Aborted', store.head('k', controller.signal));
  await t.notThrowsAsync(closing);
});

test('a request refused for the clock is signed again with the time of the server', async (t) => {
  const warnings: string[] = [];
  const log: Log = { ...silentLog, warn: (_, message) => warnings.push(message) };
  const serverTime = new Date(Date.now() + 3_600_000);
  const { store, received } = await makeFakeStore(
    t,
    (request, response) => {
      response.setHeader('date', serverTime.toUTCString());
      const sent = String(request.headers['x-amz-date']).replace(
        /^(....)(..)(..T..)(..)(..)Z$/,
        '$1-$2-$3:$4:$5Z',
      );
      const isSkewed = Math.abs(new Date(sent).getTime() - serverTime.getTime()) > 900_000;
      if (isSkewed) refuse(response, 403, 'RequestTimeTooSkewed');
      else answerObject(request, response, Buffer.from('content'));
    },
    { log },
  );
  t.is(joinPieces((await store.get({ key: 'k', ...whole }, never)).pieces).length, 7);
  t.is(received.length, 2);
  t.is(warnings.length, 1);
  await store.get({ key: 'k', ...whole }, never);
  t.is(received.length, 3);
});

test('a server that insists on a wrong clock is ClockSkewed', async (t) => {
  const { store } = await makeFakeStore(t, (_, response) => refuse(response, 403, 'RequestTimeTooSkewed'));
  await rejects(t, 'ClockSkewed', store.get({ key: 'k', ...whole }, never));
});

test('at most so many requests are under way at once', async (t) => {
  let pending: (() => void)[] = [];
  let most = 0;
  const { store, received } = await makeFakeStore(
    t,
    (request, response) => {
      pending.push(() => answerObject(request, response, Buffer.alloc(0)));
      most = Math.max(most, pending.length);
      if (pending.length < 3 && received.length < 10) return;
      setTimeout(() => {
        for (const reply of pending) reply();
        pending = [];
      }, 50);
    },
    { maxConcurrentRequests: 3 },
  );
  await Promise.all(Array.from({ length: 10 }, () => store.head('k', never)));
  t.is(most, 3);
});
