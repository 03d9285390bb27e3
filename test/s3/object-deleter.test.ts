import test from 'ava';
import type { StoreErrorCode } from '../../src/errors.js';
import {} from './fake-replies.js';
import { answerXml, makeFakeStore, never, refuse } from './fake-server.js';

test('keys that XML cannot hold are deleted one by one, the others together', async (t) => {
  const { store, received } = await makeFakeStore(t, (request, response) => {
    if (request.method === 'POST') answerXml(response, '<DeleteResult/>');
    else response.writeHead(204).end();
  });
  t.deepEqual(await store.deleteMany(['plain', 'a\u0001', 'b\rc', 'ü&<>'], never), []);
  const batches = received.filter(({ method }) => method === 'POST');
  t.is(batches.length, 1);
  t.regex(batches[0]!.body.toString(), /<Key>plain<\/Key>.*<Key>ü&amp;&lt;&gt;<\/Key>/);
  t.deepEqual(
    received
      .filter(({ method }) => method === 'DELETE')
      .map(({ url }) => url.split('?')[0])
      .sort(),
    ['/bucket/a%01', '/bucket/b%0Dc'],
  );
});

test('keys that could not be deleted are reported with their reasons', async (t) => {
  const { store } = await makeFakeStore(t, (request, response) => {
    if (request.method === 'DELETE') {
      refuse(response, 403, 'AccessDenied');
      return;
    }
    const errors = [
      ['denied', 'AccessDenied'],
      ['gone', 'NoSuchKey'],
      ['odd', 'SomethingElse'],
    ].map(([key, code]) => `<Error><Key>${key}</Key><Code>${code}</Code></Error>`);
    answerXml(response, `<DeleteResult>${errors.join('')}</DeleteResult>`);
  });
  const failures = await store.deleteMany(['denied', 'gone', 'odd', 'fine', '\u0001'], never);
  t.deepEqual(
    new Map(failures.map(({ key, error }) => [key, error.code])),
    new Map<string, StoreErrorCode>([
      ['\u0001', 'AccessDenied'],
      ['denied', 'AccessDenied'],
      ['odd', 'ServerError'],
    ]),
  );
});
