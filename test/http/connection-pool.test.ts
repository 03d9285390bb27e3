import net from 'node:net';
import test, { type ExecutionContext } from 'ava';
import type { HttpRequest } from '../../src/http/connection.js';
import { QuickAckAgent } from '../../src/http/quick-ack-agent.js';
import { ReusedConnections } from '../../src/http/reused-connections.js';
import { codeOf, listen, makeCertificate, never, startFakeServer } from '../s3/fake-server.js';
import { turnsUntil } from '../patience.js';
import { CountingConnections, get, makePool } from './test-pool.js';

/** A server that answers each request on a connection with the next of these texts; '' closes the connection. */
async function startRawServer(t: ExecutionContext, answers: readonly string[]) {
  let connections = 0;
  let asked = 0;
  const server = net.createServer((socket) => {
    connections += 1;
    t.teardown(() => socket.destroy());
    socket.on('error', () => undefined);
    socket.on('data', () => {
      const answer = answers[asked++] ?? '';
      if (answer === '') socket.end();
      else socket.write(answer, 'latin1');
    });
  });
  return {
    endpoint: await listen(t, server),
    connections: () => connections,
    asked: () => asked,
  };
}

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

test('nothing is sent to a server that is not allowed', async (t) => {
  const { endpoint, connections } = await startRawServer(t, [ok]);
  const asked: string[] = [];
  const requireAllowed = ({ origin }: URL): never => {
    asked.push(origin);
    throw new Error('not there');
  };
  await t.throwsAsync(makePool(t, endpoint, { requireAllowed }).send(get, never), { message: 'not there' });
  t.deepEqual(asked, [endpoint.origin]);
  t.is(connections(), 0);
});

test('a connection is used again, by one request at a time', async (t) => {
  const { endpoint, connections } = await startRawServer(t, Array<string>(6).fill(ok));
  const pool = makePool(t, endpoint);
  for (let count = 0; count < 3; count += 1) t.is((await pool.send(get, never)).body.toString(), 'ok');
  t.is(connections(), 1);
  await Promise.all([1, 2, 3].map(() => pool.send(get, never)));
  t.is(connections(), 3);
});

test('a connection that the server closed, or is about to close, is not used again', async (t) => {
  const closing = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok';
  const { endpoint, connections } = await startRawServer(t, [closing, ok, '', ok]);
  const pool = makePool(t, endpoint);
  await pool.send(get, never);
  await pool.send(get, never);
  t.is(connections(), 2);
  await t.throwsAsync(pool.send(get, never), { code: 'ECONNRESET' });
  await pool.send(get, never);
  t.is(connections(), 3);
});

test('a reply comes in pieces of memory of their own, if asked for', async (t) => {
  const content = Buffer.from(Array.from({ length: 1000 }, (_, at) => at % 251));
  const { endpoint } = await startFakeServer(t, (_, response) => {
    response.writeHead(200, { 'content-length': content.length });
    response.write(content.subarray(0, 333));
    setImmediate(() => response.end(content.subarray(333)));
  });
  const pool = makePool(t, endpoint);
  const { pieces } = (
    await pool.send({ ...get, memory: { bytes: 300, take: (length) => Buffer.alloc(length) } }, never)
  ).body;
  t.deepEqual(
    pieces.map(({ length }) => length),
    [300, 300, 300, 100],
  );
  t.true(Buffer.concat(pieces).equals(content));
  t.true(pieces.every((piece) => piece.buffer.byteLength === piece.length));
  t.is((await pool.send(get, never)).body.pieces.length, 1);
});

test('bodies in chunks, and those that end with the connection, are read to their end', async (t) => {
  const chunked =
    'HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n<Cod\r\n9\r\ne>x</Code\r\n1\r\n>\r\n0\r\n\r\n';
  const { endpoint, connections } = await startRawServer(t, [chunked, ok]);
  const pool = makePool(t, endpoint);
  const reply = await pool.send(get, never);
  t.is(reply.status, 404);
  t.is(reply.body.toString(), '<Code>x</Code>');
  await pool.send(get, never);
  t.is(connections(), 1);

  const unbounded = net.createServer((socket) => {
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\n\r\nall of it'));
  });
  const other = makePool(t, await listen(t, unbounded));
  t.is((await other.send(get, never)).body.toString(), 'all of it');
});

test('interim replies are passed over, and replies to HEAD have no body', async (t) => {
  const { endpoint, connections } = await startRawServer(t, [
    `HTTP/1.1 100 Continue\r\n\r\n${ok}`,
    'HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\nX-Amz-Meta-A: b\r\n\r\n',
    ok,
  ]);
  const pool = makePool(t, endpoint);
  t.is((await pool.send(get, never)).body.toString(), 'ok');
  const head = await pool.send({ ...get, method: 'HEAD' }, never);
  t.is(head.headers.get('content-length'), '1000000');
  t.is(head.headers.get('x-amz-meta-a'), 'b');
  t.is(head.body.length, 0);
  t.is((await pool.send(get, never)).body.toString(), 'ok');
  t.is(connections(), 1);
});

test('what is no HTTP, or ends too early, is an error of that kind', async (t) => {
  const broken = ['220 mail ready\r\n', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n'];
  for (const answer of broken) {
    const { endpoint } = await startRawServer(t, [answer]);
    t.regex(await codeOf(makePool(t, endpoint).send(get, never)), /^HPE_/);
  }
  const server = net.createServer((socket) => {
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf'));
  });
  const pool = makePool(t, await listen(t, server));
  t.regex(await codeOf(pool.send(get, never)), /^HPE_/);
});

test('a reply with more than it announces is taken, and its connection not used again', async (t) => {
  const { endpoint, connections } = await startRawServer(t, [`${ok}${ok}`, ok]);
  const pool = makePool(t, endpoint);
  t.is((await pool.send(get, never)).body.toString(), 'ok');
  t.is((await pool.send(get, never)).body.toString(), 'ok');
  t.is(connections(), 2);
});

test('a body in many pieces is whole, however it arrives', async (t) => {
  const bytes = Buffer.from(Array.from({ length: 1000 }, (_, at) => at % 251));
  const cuts = [
    [0, 10],
    [10, 500],
    [500, 1000],
  ] as const;
  const server = net.createServer((socket) => {
    socket.on('error', () => undefined);
    const sendPiece = (at: number) => {
      const cut = cuts[at];
      if (!cut) return;
      socket.write(bytes.subarray(...cut));
      setTimeout(() => sendPiece(at + 1), 10); // timers of their own would fire in any order
    };
    socket.on('data', () => {
      socket.write('HTTP/1.1 206 Partial Content\r\nContent-Length: 1000\r\n\r\n');
      sendPiece(0);
    });
  });
  const pool = makePool(t, await listen(t, server));
  const memory = { bytes: 64, take: (length: number) => new Uint8Array(length) };
  for (let reuse = 0; reuse < 2; reuse += 1) {
    const { body } = await pool.send({ ...get, memory }, never);
    t.is(body.pieces.length, 16);
    t.is(body.pieces.at(-1)?.length, 1000 % 64);
    t.deepEqual(Buffer.concat(body.pieces), bytes);
  }
});

test('an aborted request closes its connection; later ones have another', async (t) => {
  const { endpoint, connections, asked } = await startRawServer(t, [
    'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhal',
    ok,
  ]);
  const pool = makePool(t, endpoint);
  const controller = new AbortController();
  const sending = pool.send(get, controller.signal);
  const abortOnceAsked = setInterval(() => {
    if (asked() > 0) controller.abort();
  }, 10);
  await t.throwsAsync(sending, { name: 'AbortError' });
  clearInterval(abortOnceAsked);
  await t.throwsAsync(pool.send(get, controller.signal), { any: true });
  await pool.send(get, never);
  t.is(connections(), 2);
});

test('values that would begin another header are refused before anything is sent', async (t) => {
  const { endpoint, connections } = await startRawServer(t, [ok, ok]);
  const pool = makePool(t, endpoint);
  await pool.send(get, never);
  const headers = [...get.headers, ['x-amz-meta-a', 'b\r\nx-injected: c']] as const;
  await t.throwsAsync(pool.send({ ...get, headers }, never), { code: 'ERR_INVALID_CHAR' });
  await pool.send(get, never);
  t.true(connections() <= 2);
});

/** A server whose connections so far go silent at `freeze`; new ones are answered. */
async function startFreezingServer(t: ExecutionContext) {
  let connections = 0;
  let frozen = 0;
  const server = net.createServer((socket) => {
    const number = connections++;
    t.teardown(() => socket.destroy());
    socket.on('error', () => undefined);
    socket.on('data', () => {
      if (number >= frozen) socket.write(ok);
    });
  });
  return {
    endpoint: await listen(t, server),
    connections: () => connections,
    freeze: () => {
      frozen = connections;
    },
  };
}

test('a connection that is silent when it is used again is given up, and the other idle ones with it', async (t) => {
  const { endpoint, connections, freeze } = await startFreezingServer(t);
  const pool = makePool(t, endpoint, { reused: new ReusedConnections({ firstByteTimeoutMs: 50 }) });
  await Promise.all([1, 2, 3].map(() => pool.send(get, never)));
  t.is(connections(), 3);
  freeze();
  await t.throwsAsync(pool.send(get, never), { name: 'TimeoutError', code: 'ETIMEDOUT' });
  t.is((await pool.send({ ...get, path: '/other' }, never)).body.toString(), 'ok');
  t.is(connections(), 4);
  t.is((await pool.send(get, never)).body.toString(), 'ok');
});

test('what was not answered by an idle connection is asked again on a new one, whatever is idle by then', async (t) => {
  const { endpoint, connections, freeze } = await startFreezingServer(t);
  const pool = makePool(t, endpoint, { reused: new ReusedConnections({ firstByteTimeoutMs: 50 }) });
  await pool.send(get, never);
  freeze();
  await t.throwsAsync(pool.send(get, never), { name: 'TimeoutError' });
  await pool.send({ ...get, path: '/other' }, never);
  t.is(connections(), 2);
  await pool.send(get, never);
  t.is(connections(), 3);
  await pool.send(get, never);
  t.is(connections(), 3, 'once');
});

test('a pool is told of silence only while it has connections', async (t) => {
  const { endpoint } = await startRawServer(t, [ok, ok, '', ok]);
  const reused = new CountingConnections({ firstByteTimeoutMs: 60_000 });
  const pool = makePool(t, endpoint, { reused });
  t.is(reused.told, 0);
  await Promise.all([pool.send(get, never), pool.send(get, never)]);
  t.is(reused.told, 1);
  await t.throwsAsync(pool.send(get, never), { code: 'ECONNRESET' });
  t.is(reused.told, 1, 'one connection is left');
  pool.close();
  await turnsUntil('all connections are closed', () => reused.told === 0);
  await pool.send(get, never);
  t.is(reused.told, 1);
});

test('a new connection, and a request at which the server works, have all the time that requests have', async (t) => {
  const held: (() => void)[] = [];
  const server = net.createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (data) => {
      const [, path] = /^[A-Z]+ (\S+) HTTP/.exec(data.toString('latin1')) ?? [];
      if (path?.startsWith('/held')) held.push(() => socket.write(ok));
      else if (path === '/') socket.write(ok);
    });
  });
  const pool = makePool(t, await listen(t, server), {
    reused: new ReusedConnections({ firstByteTimeoutMs: 50 }),
  });
  const large: HttpRequest = {
    ...get,
    method: 'PUT',
    path: '/held/large',
    headers: [...get.headers, ['content-length', String(2 ** 21)]],
    body: Buffer.alloc(2 ** 21),
  };
  // A new connection holds one request, one that was used before the other.
  const onNew = pool.send({ ...get, path: '/held/new' }, never);
  await pool.send(get, never);
  const onReused = pool.send(large, never);
  // Longer than the limit: a request that is sent later has met it.
  await pool.send(get, never);
  await t.throwsAsync(pool.send({ ...get, path: '/silent' }, never), { name: 'TimeoutError' });
  while (held.length < 2) await new Promise((resolve) => setImmediate(resolve));
  for (const answer of held) answer();
  t.is((await onNew).body.toString(), 'ok');
  t.is((await onReused).body.toString(), 'ok');
});

test('over TLS the authority is checked, and each request has its reply acknowledged at once', async (t) => {
  const certificate = await makeCertificate(t);
  const { endpoint } = await startFakeServer(t, (_, response) => response.end('reply'), certificate);
  const fds: number[] = [];
  const agent = new QuickAckAgent({ setQuickAck: (fd) => fds.push(fd), onUnavailable: () => t.fail() });
  const options = {
    ca: certificate.authority,
    acknowledgeAtOnce: (socket: net.Socket) => agent.acknowledgeAtOnce(socket),
  };
  const pool = makePool(t, endpoint, options);
  for (let count = 0; count < 3; count += 1) t.is((await pool.send(get, never)).body.toString(), 'reply');
  t.is(fds.length, 3);
  t.is(new Set(fds).size, 1);
  t.true(fds[0]! > 2);
  t.regex(await codeOf(makePool(t, endpoint).send(get, never)), /SELF_SIGNED|UNABLE_TO_(GET|VERIFY)/);
  const named = new URL(endpoint.href.replace('127.0.0.1', 'localhost'));
  t.is((await makePool(t, named, options).send(get, never)).status, 200);
});
