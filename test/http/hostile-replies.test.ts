// Whatever a server sends: a request settles, the process goes on, what is kept of a reply has a limit, and the next is answered.
import net from 'node:net';
import test, { type ExecutionContext } from 'ava';
import type { ConnectionPool } from '../../src/http/connection-pool.js';
import type { HttpReply, HttpRequest } from '../../src/http/connection.js';
import { patienceMs } from '../patience.js';
import { fc } from '../seed.js';
import { codeOf, listen, never } from '../s3/fake-server.js';
import { get as anyGet, makePool } from './test-pool.js';

const get: HttpRequest = { ...anyGet, maxContentBytes: 1000 };
const put: HttpRequest = { ...get, method: 'PUT', headers: [...get.headers, ['content-length', '0']] };

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** A server that sends the next of these on each connection, when it has a request; then it ends the connection, or is silent. */
async function startServer(t: Pick<ExecutionContext, 'teardown'>, answers: readonly Answer[]) {
  let connections = 0;
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    const answer = answers[connections++] ?? { pieces: [ok], isEnded: true };
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    socket.once('data', () => {
      for (const piece of answer.pieces) socket.write(piece, 'latin1');
      if (answer.isEnded) socket.end();
    });
  });
  const endpoint = await listen(t, server);
  const pool = makePool(t, endpoint, { timeoutMs: patienceMs });
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
  });
  return { pool, connections: () => connections };
}

interface Answer {
  readonly pieces: readonly string[];
  readonly isEnded: boolean;
}

const refused: Readonly<Record<string, string>> = {
  'a length below zero': 'HTTP/1.1 200 OK\r\nContent-Length: -100000\r\n\r\nx',
  'a length below zero, of an interim reply': `HTTP/1.1 102 Processing\r\nContent-Length: -7\r\n\r\n${ok}`,
  'a length in hexadecimal': 'HTTP/1.1 200 OK\r\nContent-Length: 0x2\r\n\r\nok',
  'a length with an exponent': 'HTTP/1.1 200 OK\r\nContent-Length: 1e3\r\n\r\nok',
  'no length where one is told': 'HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\nok',
  'a length twice': 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok',
  'a length and chunks':
    'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
  'a coding that nobody asked for': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n',
  'a chunk of a size below zero': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nokokok',
  'a chunk without a size': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nok\r\n',
  'more than can be': 'HTTP/1.1 200 OK\r\nContent-Length: 5000000000\r\n\r\nx',
  'one byte more than was asked for': 'HTTP/1.1 206 OK\r\nContent-Length: 1001\r\n\r\nx',
  'interim replies without end': 'HTTP/1.1 102 Processing\r\n\r\n'.repeat(100),
  'another protocol': 'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n',
  'content without end': `HTTP/1.1 200 OK\r\n\r\n${'x'.repeat(100_000)}`,
  'a header without end': `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(1_000_000)}`,
  'headers without end': `HTTP/1.1 200 OK\r\n${'X: y\r\n'.repeat(200_000)}`,
  'a chunk size without end': `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${'0'.repeat(1_000_000)}`,
  'trailers without end': `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n${'X: y\r\n'.repeat(200_000)}`,
};

for (const [what, reply] of Object.entries(refused)) {
  test(`${what} fails the request at once, and its connection alone`, async (t) => {
    const { pool, connections } = await startServer(t, [{ pieces: [reply], isEnded: false }]);
    t.regex(await codeOf(pool.send(get, never)), /^HPE_/);
    t.is((await pool.send(get, never)).body.toString(), 'ok');
    t.is(connections(), 2);
  });
}

const documents: Readonly<Record<string, string>> = {
  'a document of 5 GB': 'HTTP/1.1 503 Slow Down\r\nContent-Length: 5000000000\r\n\r\nx',
  'a document without end': `HTTP/1.1 503 Slow Down\r\n\r\n${'x'.repeat(1_000_000)}`,
  'a document of chunks without end': `HTTP/1.1 503 Slow Down\r\nTransfer-Encoding: chunked\r\n\r\n${'4\r\nabcd\r\n'.repeat(100_000)}`,
};

for (const [what, reply] of Object.entries(documents)) {
  test(`${what} is not waited for: the status says enough`, async (t) => {
    const { pool, connections } = await startServer(t, [{ pieces: [reply], isEnded: false }]);
    const { status, body } = await pool.send(put, never);
    t.is(status, 503);
    t.true(body.length <= 64 * 1024);
    t.is((await pool.send(put, never)).status, 200);
    t.is(connections(), 2);
  });
}

test('what comes after a reply is not taken for the next one', async (t) => {
  const forged = 'HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged';
  for (const head of [
    'HTTP/1.1 204 No Content\r\n\r\n',
    'HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
    ok,
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n',
  ]) {
    for (const more of [forged, 'HTTP/1.1 200 OK\r\n', 'x']) {
      const { pool } = await startServer(t, [{ pieces: [head + more], isEnded: false }]);
      await pool.send(get, never);
      t.is((await pool.send(get, never)).body.toString(), 'ok', `${head}${more}`);
    }
  }
});

test('a reply to HEAD has no body, whatever it says', async (t) => {
  const { pool } = await startServer(t, [{ pieces: [ok], isEnded: false }]);
  t.is((await pool.send({ ...get, method: 'HEAD' }, never)).body.length, 0);
  t.is((await pool.send(get, never)).body.toString(), 'ok');
});

test('names that no header can have are refused before anything is sent', async (t) => {
  const { pool } = await startServer(t, []);
  for (const name of ['x-amz-meta-a\r\nx-injected', 'x-amz-meta-ü', 'x-amz-meta-a b', '']) {
    const headers = [...get.headers, [name, 'value']] as const;
    await t.throwsAsync(pool.send({ ...get, headers }, never), { code: 'ERR_INVALID_CHAR' });
  }
});

const line = fc.oneof(
  fc.constantFrom(
    'HTTP/1.1 200 OK',
    'HTTP/1.1 206 Partial Content',
    'HTTP/1.0 200 OK',
    'HTTP/1.1 100 Continue',
    'HTTP/1.1 204 No Content',
    'HTTP/1.1 503 Slow Down',
    'Content-Length: 0',
    'Content-Length: 10',
    'Content-Length: -10',
    'Content-Length: 99999999999999999999',
    'Transfer-Encoding: chunked',
    'Transfer-Encoding: identity',
    'Connection: close',
    'Connection: keep-alive, upgrade',
    'Upgrade: h2c',
    'ETag: "e"',
    ' folded',
    '5',
    '-1',
    'ffffffff',
    '0',
    '',
    '',
    '',
  ),
  fc.integer({ min: -20, max: 3000 }).map((length) => `Content-Length: ${length}`),
  fc.string({ unit: 'binary', maxLength: 20 }),
);
const end = fc.constantFrom('\r\n', '\r\n', '\r\n', '\n', '\r', '');
const lines = fc
  .array(fc.tuple(line, end), { maxLength: 25 })
  .map((all) => all.map(([text, how]) => text + how).join(''));
const status = fc.constantFrom('200 OK', '204 No Content', '404 Not Found', '102 Processing');
const wellFormed = fc
  .tuple(status, fc.array(fc.constantFrom('ETag: "e"', 'Connection: close', 'X: y'), { maxLength: 3 }), lines)
  .map(([first, headers, body]) =>
    [`HTTP/1.1 ${first}`, ...headers, `Content-Length: ${body.length}`, '', body].join('\r\n'),
  );
const reply = fc.oneof(
  lines,
  fc.tuple(status, lines).map(([first, rest]) => `HTTP/1.1 ${first}\r\n${rest}`),
  wellFormed,
  fc.tuple(wellFormed, lines).map((parts) => parts.join('')),
);
const answer = fc.record({
  pieces: fc.array(reply, { minLength: 1, maxLength: 4 }),
  isEnded: fc.constant(true),
});

test('any bytes: every request settles, and keeps no more than was asked for', async (t) => {
  let answered = 0;
  await fc.assert(
    fc.asyncProperty(answer, fc.constantFrom('GET', 'PUT', 'HEAD'), async (bytes, method) => {
      const teardowns: (() => unknown)[] = [];
      const { pool } = await startServer({ teardown: (action) => void teardowns.push(action) }, [bytes]);
      try {
        const request: HttpRequest = { ...(method === 'PUT' ? put : get), method };
        const received = await pool.send(request, never).catch((error: unknown) => error as Error);
        if (received instanceof Error) return;
        checkReply(received, method);
        answered += 1;
        t.is(await sendAgain(pool), 'ok');
      } finally {
        for (const action of teardowns) action();
      }
    }),
    { numRuns: 500 },
  );
  t.true(answered > 20, `only ${answered} were replies`);
});

function checkReply({ status, headers, body }: HttpReply, method: string): void {
  const isAnnounced = headers.has('content-length');
  const most = method === 'HEAD' ? 0 : method === 'GET' && status < 300 && isAnnounced ? 1000 : 64 * 1024;
  if (body.length > most) throw new Error(`${body.length} bytes of a reply to ${method}`);
  if (status < 200) throw new Error(`an interim reply, ${status}, is no reply`);
}

/** On a connection that ended when it was taken, a request fails; whoever sends it tries again. */
async function sendAgain(pool: ConnectionPool): Promise<string> {
  try {
    return (await pool.send(get, never)).body.toString();
  } catch (error) {
    if (Reflect.get(error as Error, 'code') !== 'ECONNRESET') throw error;
    return (await pool.send(get, never)).body.toString();
  }
}
