import { stat, writeFile } from 'node:fs/promises';
import { createConnection, createServer, type Socket } from 'node:net';
import { once } from 'node:events';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { askServingProcess } from '../../../src/cli/serving/control-client.js';
import {
  maxControlLineBytes,
  maxWaitingPaths,
  parseReply,
  parseControlRequest,
} from '../../../src/cli/serving/control-protocol.js';
import { type Controlled, startControlServer } from '../../../src/cli/serving/control-server.js';
import { CommandError } from '../../../src/cli/command-errors.js';
import { MountError } from '../../../src/fuse/driver.js';
import type { Log } from '../../../src/log.js';
import type { Pending } from '../../../src/mount-statistics.js';
import { makeDirectory } from '../../mount/temporary.js';

const ignore = (): void => undefined;
const log: Log = { trace: ignore, debug: ignore, info: ignore, warn: ignore, error: ignore };

const status = {
  pid: 1,
  mountpoint: '/mnt',
  source: 'bucket',
  startedAt: '2026-01-01T00:00:00.000Z',
  pending: ['a'],
  pendingCount: 1,
};

const idle: Controlled = {
  unmount: () => Promise.resolve(),
  giveUp: () => Promise.resolve(),
  pending: () => [],
  status: () => status,
};

function untried(path: string): Pending {
  return { path, reason: undefined };
}

async function serve(t: ExecutionContext, controlled: Partial<Controlled>): Promise<string> {
  const socketPath = path.join(await makeDirectory(t), 'control.sock');
  const server = await startControlServer(socketPath, { ...idle, ...controlled }, log);
  t.teardown(() => server.close());
  return socketPath;
}

test('a request reaches whoever serves, and its outcome comes back', async (t) => {
  const asked: unknown[] = [];
  const socketPath = await serve(t, {
    unmount: (options) => {
      asked.push(options);
      return Promise.resolve();
    },
  });
  t.deepEqual(await askServingProcess(socketPath, { command: 'umount', lazy: true }, ignore), { done: true });
  t.deepEqual(await askServingProcess(socketPath, { command: 'umount', lazy: false }, ignore), {
    done: true,
  });
  t.deepEqual(asked, [{ lazy: true }, { lazy: false }]);
});

test('a status is told, and a process that falls silent before it is an error', async (t) => {
  const socketPath = await serve(t, {});
  t.deepEqual(await askServingProcess(socketPath, { command: 'status' }), { status });
  const deaf = path.join(await makeDirectory(t), 'deaf.sock');
  const sockets: Socket[] = [];
  const server = createServer((socket) => sockets.push(socket));
  t.teardown(() => sockets.forEach((socket) => socket.destroy()));
  server.listen(deaf);
  await once(server, 'listening');
  t.teardown(() => void server.close());
  await t.throwsAsync(askServingProcess(deaf, { command: 'status' }, undefined, 50), {
    instanceOf: CommandError,
    message: 'the serving process has not answered for 0.05 s; see its log',
  });
});

test('a directory in use is told from other failures', async (t) => {
  let failure: Error = new MountError('Busy', '/mnt is in use');
  const socketPath = await serve(t, { unmount: () => Promise.reject(failure) });
  const ask = () => askServingProcess(socketPath, { command: 'umount', lazy: false }, ignore);
  t.deepEqual(await ask(), { error: '/mnt is in use', busy: true });
  failure = new MountError('MountRefused', 'no\nway');
  t.deepEqual(await ask(), { error: 'no; way', busy: false });
});

test('while it takes time, what is waited for is told', async (t) => {
  let finish: () => void = ignore;
  const paths = Array.from({ length: 30 }, (_, index) => `file ${index}`);
  const socketPath = await serve(t, {
    unmount: () => new Promise((resolve) => (finish = resolve)),
    pending: () => paths.map(untried),
  });
  const told: [number, number][] = [];
  const outcome = await askServingProcess(
    socketPath,
    { command: 'umount', lazy: false },
    ({ waiting, count }) => {
      told.push([waiting.length, count]);
      finish();
    },
  );
  t.deepEqual(told[0], [maxWaitingPaths, 30]);
  t.deepEqual(outcome, { done: true });
});

test('why something is waited for is told, and a caller who has had enough of it ends the wait', async (t) => {
  const socketPath = await serve(t, {
    unmount: () => new Promise(ignore),
    pending: () => [
      { path: 'a', reason: { text: 'access denied', isRefused: true } },
      { path: 'b', reason: { text: 'the server failed', isRefused: false } },
      untried('c'),
    ],
  });
  const enough = new CommandError('enough');
  const asked = askServingProcess(socketPath, { command: 'umount', lazy: false }, (waiting) => {
    t.deepEqual(waiting, {
      waiting: ['a', 'b', 'c'],
      count: 3,
      reasons: { a: 'access denied', b: 'the server failed' },
      refusedCount: 1,
    });
    throw enough;
  });
  t.is(await t.throwsAsync(asked), enough);
});

test('who asks to give up hears before what is lost', async (t) => {
  let isGivenUp = false;
  const socketPath = await serve(t, {
    giveUp: () => {
      isGivenUp = true;
      return Promise.resolve();
    },
    pending: () => [untried('a')],
  });
  const lost: string[] = [];
  const outcome = await askServingProcess(socketPath, { command: 'give up' }, ({ waiting }) => {
    lost.push(...waiting);
  });
  t.deepEqual(outcome, { done: true });
  t.true(isGivenUp);
  t.deepEqual(lost, ['a']);
});

test('a directory that was unmounted before is told from one in use', async (t) => {
  const socketPath = await serve(t, {
    unmount: () => Promise.reject(new MountError('NotMounted', 'nothing is mounted')),
  });
  t.deepEqual(await askServingProcess(socketPath, { command: 'umount', lazy: false }), {
    error: 'nothing is mounted',
    busy: false,
    isNotMounted: true,
  });
});

test('a socket that nobody listens at, or that is gone, means that there is no process', async (t) => {
  const directory = await makeDirectory(t);
  const stale = path.join(directory, 'stale.sock');
  await writeFile(stale, '');
  for (const socketPath of [stale, path.join(directory, 'none.sock')]) {
    t.deepEqual(await askServingProcess(socketPath, { command: 'umount', lazy: false }, ignore), {
      noProcess: true,
    });
  }
});

test('a process that dies or talks nonsense is an error', async (t) => {
  const socketPath = path.join(await makeDirectory(t), 'control.sock');
  let answer = '';
  const server = createServer((socket) => socket.on('error', ignore).end(answer));
  server.listen(socketPath);
  await once(server, 'listening');
  t.teardown(() => server.close());
  const ask = () => askServingProcess(socketPath, { command: 'umount', lazy: false }, ignore);
  await t.throwsAsync(ask(), {
    instanceOf: CommandError,
    message: /ended before everything was in the bucket/,
  });
  answer = 'hello\n';
  await t.throwsAsync(ask(), { instanceOf: CommandError, message: /an answer that is not understood/ });
});

test('what is no request is refused without touching the mount', async (t) => {
  let count = 0;
  const socketPath = await serve(t, {
    unmount: () => {
      count += 1;
      return Promise.resolve();
    },
  });
  const socket = createConnection(socketPath);
  socket.write('{"command":"explode"}\n');
  const [data] = (await once(socket, 'data')) as [Buffer];
  t.deepEqual(parseReply(data.toString()), { error: 'the request is not understood', busy: false });
  t.is(count, 0);
});

test('the socket is its owner’s alone, and is gone after the end', async (t) => {
  const socketPath = path.join(await makeDirectory(t), 'control.sock');
  const server = await startControlServer(socketPath, idle, log);
  t.is((await stat(socketPath)).mode & 0o777, 0o600);
  await server.close();
  await t.throwsAsync(stat(socketPath), { code: 'ENOENT' });
});

test('closing lets the last reply out, and does not wait for those who say nothing', async (t) => {
  const socketPath = path.join(await makeDirectory(t), 'control.sock');
  let finish: () => void = ignore;
  const server = await startControlServer(
    socketPath,
    {
      ...idle,
      unmount: () => new Promise((resolve) => (finish = resolve)),
      pending: () => [untried('a')],
    },
    log,
  );
  const silent = createConnection(socketPath).on('error', ignore);
  await once(silent, 'connect');
  const asked = askServingProcess(socketPath, { command: 'umount', lazy: false }, () => {
    finish();
    void server.close();
  });
  t.deepEqual(await asked, { done: true });
});

test('lines of other forms are neither request nor reply', (t) => {
  for (const line of ['', 'x', 'null', '1', '{}', '{"command":"umount"}', '{"command":"umount","lazy":1}']) {
    t.is(parseControlRequest(line), undefined, line);
  }
  for (const line of ['', '{}', '{"done":false}', '{"error":"x"}', '{"waiting":[]}', '[]']) {
    t.is(parseReply(line), undefined, line);
  }
});

test('garbage at the socket ends its own connection only', async (t) => {
  const socketPath = await serve(t, {});
  const refusal = '{"error":"the request is not understood","busy":false}\n';
  for (const [what, bytes, answer] of [
    ['bytes that are no text', Buffer.from([0, 255, 254, 128, 10]), refusal],
    ['JSON of another kind', Buffer.from('[[[[{}]]]]\n'), refusal],
    ['deep JSON', Buffer.from(`${'['.repeat(30_000)}\n`), refusal],
    ['a line without an end', Buffer.alloc(maxControlLineBytes + 1, 'x'), refusal],
    ['no line', Buffer.from('{"command"'), ''],
    ['nothing', Buffer.alloc(0), ''],
  ] as const) {
    const socket = createConnection(socketPath).on('error', ignore);
    let received = '';
    socket.setEncoding('utf8').on('data', (text: string) => (received += text));
    socket.end(bytes);
    await once(socket, 'close');
    t.is(received, answer, what);
    t.deepEqual(await askServingProcess(socketPath, { command: 'status' }), { status }, what);
  }
});

test('a request in pieces is one request', async (t) => {
  const socketPath = await serve(t, {});
  const socket = createConnection(socketPath).on('error', ignore);
  for (const piece of ['{"comm', 'and":"sta', 'tus"}\nmore', ' and more\n']) {
    await new Promise((resolve) => socket.write(piece, resolve));
  }
  const [data] = (await once(socket, 'data')) as [Buffer];
  t.deepEqual(parseReply(data.toString()), { status });
});

test('a client that goes without its answer is no error of the mount', async (t) => {
  let finish: () => void = ignore;
  let tell: () => void = ignore;
  const asked = new Promise<void>((resolve) => (tell = resolve));
  const socketPath = await serve(t, {
    unmount: () => {
      tell();
      return new Promise((resolve) => (finish = resolve));
    },
    pending: () => [untried('a')],
  });
  // Unread data at its end make the kernel reset the connection: the server's next read fails.
  const rude = createConnection(socketPath).on('error', ignore);
  rude.write('{"command":"umount","lazy":false}\n');
  await asked;
  rude.once('readable', () => rude.destroy()); // a heartbeat
  await once(rude, 'close');
  finish();
  t.deepEqual(await askServingProcess(socketPath, { command: 'status' }), { status });
});

test('a failure inside an answer ends its own connection only', async (t) => {
  let isBroken = true;
  const socketPath = await serve(t, {
    status: () => {
      if (isBroken) throw new Error('a bug');
      return status;
    },
  });
  await t.throwsAsync(askServingProcess(socketPath, { command: 'status' }), { instanceOf: CommandError });
  isBroken = false;
  t.deepEqual(await askServingProcess(socketPath, { command: 'status' }), { status });
});
