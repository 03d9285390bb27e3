import type http from 'node:http';
import test from 'ava';
import type { ObjectInfo } from '../../src/object-store.js';
import {
  type Answer,
  answerXml,
  encryptedHeaders,
  makeFakeStore,
  never,
  objectHeaders,
  type Received,
  refuse,
} from './fake-server.js';

const mebibyte = 1024 * 1024;
const headers = { metadata: { mode: '33188' } };

/** A server with one source object of a given size, that can do what `abilities` say. */
function copyServer(
  size: number,
  abilities: {
    readonly copyObject?: 'encrypted' | 'plain';
    readonly copyParts?: boolean;
    readonly failPart?: number;
  },
): { readonly answer: Answer; readonly operations: string[] } {
  const operations: string[] = [];
  let targetIsEncrypted = true;
  const answer: Answer = (request, response) => {
    const query = new URL(request.url, 'http://x').searchParams;
    const key = request.url.split('?')[0]?.split('/')[2] ?? '';
    const isCopy = request.headers['x-amz-copy-source'] !== undefined;
    const isPart = query.has('partNumber');
    const number = Number(query.get('partNumber'));
    const range = String(request.headers['x-amz-copy-source-range']);
    const note = (operation: string) => operations.push(operation);
    if (query.has('uploads')) {
      note('create');
      answerXml(response, '<R><UploadId>u</UploadId></R>', encryptedHeaders);
    } else if (request.method === 'POST') {
      note('complete');
      targetIsEncrypted = true;
      answerXml(response, '<R><ETag>"whole-1"</ETag></R>');
    } else if (request.method === 'DELETE') {
      note('abort');
      answerHead(response, 204);
    } else if (isPart) {
      note(isCopy ? `copy part ${number} ${range}` : `part ${number} ${request.body.length}`);
      if (number === abilities.failPart) refuse(response, 403, 'AccessDenied');
      else if (!isCopy) answerHead(response, 200, objectHeaders('part'));
      else if (abilities.copyParts === false) refuse(response, 501, 'NotImplemented');
      else answerXml(response, '<R><ETag>"part"</ETag></R>');
    } else if (isCopy) {
      note('copy object');
      targetIsEncrypted = abilities.copyObject !== 'plain';
      if (abilities.copyObject === undefined) refuse(response, 501, 'NotImplemented');
      else answerXml(response, '<R><ETag>"copied"</ETag></R>');
    } else if (request.method === 'PUT') {
      note(`put ${request.body.length}`);
      answerHead(response, 200, objectHeaders('put'));
    } else {
      note(`${request.method.toLowerCase()} ${key}`);
      answerRead(request, response, key === 'source' || targetIsEncrypted);
    }
  };
  const answerRead = (request: Received, response: http.ServerResponse, encrypted: boolean) => {
    const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
    const length = first === undefined ? size : Number(last) + 1 - Number(first);
    response.writeHead(first === undefined ? 200 : 206, {
      ...objectHeaders('source', encrypted),
      'content-length': length,
      ...(first !== undefined && { 'content-range': `bytes ${first}-${String(last)}/${size}` }),
    });
    response.end(request.method === 'HEAD' ? undefined : Buffer.alloc(length));
  };
  return { answer, operations };
}

function answerHead(
  response: http.ServerResponse,
  status: number,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, headers);
  response.end();
}

function infoOf(size: number): ObjectInfo {
  return {
    key: 'source',
    size,
    etag: 'source',
    lastModifiedMs: 0,
    metadata: {},
    contentType: undefined,
    isEncrypted: true,
  };
}

test('CopyObject is used where it works, and what it made is looked at', async (t) => {
  const { answer, operations } = copyServer(mebibyte, { copyObject: 'encrypted' });
  const { store, received } = await makeFakeStore(t, answer);
  t.deepEqual(
    await store.copy({ source: infoOf(mebibyte), targetKey: 'target', headers, condition: {} }, never),
    { etag: 'copied' },
  );
  t.deepEqual(operations, ['copy object', 'head target']);
  t.like(received[0]!.headers, {
    'x-amz-copy-source': 'bucket/source',
    'x-amz-copy-source-if-match': '"source"',
    'x-amz-metadata-directive': 'REPLACE',
    'x-amz-meta-mode': '33188',
  });
});

test('a server that has no CopyObject is asked for it once', async (t) => {
  const { answer, operations } = copyServer(mebibyte, {});
  const { store } = await makeFakeStore(t, answer);
  await store.copy({ source: infoOf(mebibyte), targetKey: 'target', headers, condition: {} }, never);
  await store.copy({ source: infoOf(mebibyte), targetKey: 'target', headers, condition: {} }, never);
  const byParts = ['create', `copy part 1 bytes=0-${mebibyte - 1}`, 'head source', 'complete'];
  t.deepEqual(operations, ['copy object', ...byParts, ...byParts]);
});

test('a small object is read and written again', async (t) => {
  const { answer, operations } = copyServer(1000, {});
  const { store } = await makeFakeStore(t, answer);
  t.deepEqual(
    await store.copy({ source: infoOf(1000), targetKey: 'target', headers, condition: {} }, never),
    { etag: 'put' },
  );
  t.deepEqual(operations, ['copy object', 'get source', 'put 1000']);
});

test('a copy that CopyObject left unencrypted is made again, and CopyObject not used any more', async (t) => {
  const { answer, operations } = copyServer(mebibyte, { copyObject: 'plain' });
  const { store } = await makeFakeStore(t, answer);
  t.deepEqual(
    await store.copy({ source: infoOf(mebibyte), targetKey: 'target', headers, condition: {} }, never),
    { etag: 'whole-1' },
  );
  t.deepEqual(
    operations.filter((name) => !name.startsWith('head')),
    ['copy object', 'create', `copy part 1 bytes=0-${mebibyte - 1}`, 'complete'],
  );
  await store.copy({ source: infoOf(mebibyte), targetKey: 'target', headers, condition: {} }, never);
  t.is(operations.filter((name) => name === 'copy object').length, 1);
});

test('an unencrypted object is never copied by CopyObject', async (t) => {
  const { answer, operations } = copyServer(mebibyte, { copyObject: 'encrypted' });
  const { store } = await makeFakeStore(t, answer);
  await store.copy(
    { source: { ...infoOf(mebibyte), isEncrypted: false }, targetKey: 'target', headers, condition: {} },
    never,
  );
  t.false(operations.includes('copy object'));
});

test('a large object is copied in parts that cover it exactly', async (t) => {
  const size = 200 * mebibyte + 5;
  const { answer, operations } = copyServer(size, {});
  const { store } = await makeFakeStore(t, answer);
  await store.copy({ source: infoOf(size), targetKey: 'target', headers, condition: {} }, never);
  const part = 64 * mebibyte;
  t.deepEqual(operations.filter((name) => name.startsWith('copy part')).sort(), [
    `copy part 1 bytes=0-${part - 1}`,
    `copy part 2 bytes=${part}-${2 * part - 1}`,
    `copy part 3 bytes=${2 * part}-${3 * part - 1}`,
    `copy part 4 bytes=${3 * part}-${size - 1}`,
  ]);
});

test('a copy that fails aborts its upload', async (t) => {
  const size = 200 * mebibyte;
  const { answer, operations } = copyServer(size, { failPart: 2 });
  const { store } = await makeFakeStore(t, answer);
  await t.throwsAsync(
    store.copy({ source: infoOf(size), targetKey: 'target', headers, condition: {} }, never),
    { message: /access denied/ },
  );
  t.true(operations.includes('abort'));
  t.false(operations.includes('complete'));
});

test('where the server can do neither, the bytes pass through the client', async (t) => {
  const size = 40 * mebibyte;
  const { answer, operations } = copyServer(size, { copyParts: false });
  const { store } = await makeFakeStore(t, answer);
  t.deepEqual(
    await store.copy({ source: infoOf(size), targetKey: 'target', headers, condition: {} }, never),
    { etag: 'whole-1' },
  );
  t.deepEqual(operations.filter((name) => name.startsWith('part')).sort(), [
    `part 1 ${16 * mebibyte}`,
    `part 2 ${16 * mebibyte}`,
    `part 3 ${8 * mebibyte}`,
  ]);
  operations.length = 0;
  await store.copy({ source: infoOf(size), targetKey: 'target', headers, condition: {} }, never);
  t.false(operations.some((name) => name.startsWith('copy')));
});

test('an object whose key the server could misread is never named as a source', async (t) => {
  for (const name of ['a%20b', '95% CI', 'x?versionId=null', '50%/x']) {
    const { answer, operations } = copyServer(mebibyte, { copyObject: 'encrypted', copyParts: true });
    const { store, received } = await makeFakeStore(t, answer);
    const copied = await store.copy(
      { source: { ...infoOf(mebibyte), key: name }, targetKey: 'target', headers, condition: {} },
      never,
    );
    t.deepEqual(copied, { etag: 'whole-1' });
    t.is(operations.filter((operation) => operation.startsWith('part')).length, 1);
    t.false(operations.some((operation) => operation.startsWith('copy')));
    const reads = received.filter(({ method }) => method === 'GET');
    t.deepEqual([...new Set(reads.map((request) => request.headers['if-match']))], ['"source"']);
  }
});
