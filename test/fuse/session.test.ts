import { constants } from 'node:os';
import test from 'ava';
import type { Attributes, Call, Entry } from '../../src/file-system.js';
import { FsError } from '../../src/errors.js';
import { Session } from '../../src/fuse/session.js';
import type { Log } from '../../src/log.js';
import { FakeChannel, initRequest, request, writeRequest } from './fake-channel.js';
import { MemoryFileSystem } from './memory-file-system.js';

const { EIO, EINTR, ENOSYS, EAGAIN, EPROTO, ENOENT } = constants.errno;

// Each session listens for the end of the process, and these tests do not end them all.
process.setMaxListeners(100);

function collectLog(): Log & { readonly errors: string[] } {
  const errors: string[] = [];
  const ignore = () => undefined;
  return {
    errors,
    trace: ignore,
    debug: ignore,
    info: ignore,
    warn: ignore,
    error: (_fields, message) => errors.push(message),
  };
}

/** Lets promises that are ready settle. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

async function startSession(fileSystem = new MemoryFileSystem()) {
  const channel = new FakeChannel();
  const log = collectLog();
  const session = new Session(channel, fileSystem, log);
  const serving = session.serve();
  channel.deliver(initRequest(2));
  await serving;
  return { channel, session, fileSystem, log };
}

function name(text: string): Buffer {
  return Buffer.from(`${text}\0`);
}

/** `fuse_read_in` */
function readBody(handle: number, length: number): Buffer {
  const body = Buffer.alloc(40);
  body.writeBigUInt64LE(BigInt(handle), 0);
  body.writeUInt32LE(length, 16);
  return body;
}

function interruptBody(unique: number): Buffer {
  const body = Buffer.alloc(8);
  body.writeBigUInt64LE(BigInt(unique));
  return body;
}

test('INIT starts the file system and is answered once', async (t) => {
  const { channel, session, fileSystem } = await startSession();
  t.not(fileSystem.kernel, undefined);
  t.true(session.hasStarted);
  t.deepEqual(
    channel.answers.map(({ unique, errno }) => [unique, errno]),
    [[2, 0]],
  );
});

test('a kernel that is too old is refused before the file system starts', async (t) => {
  const channel = new FakeChannel();
  const session = new Session(channel, new MemoryFileSystem(), collectLog());
  const serving = session.serve();
  const init = initRequest(2);
  init.writeUInt32LE(20, 44);
  channel.deliver(init);
  await t.throwsAsync(serving, { code: 'ProtocolError' });
  t.is(channel.answers[0]?.errno, EPROTO);
  t.false(session.hasStarted);
});

test('a request that nobody knows is ENOSYS', async (t) => {
  const { channel } = await startSession();
  channel.deliver(request(39, 4, 1, Buffer.alloc(32)), request(4000, 6, 1, Buffer.alloc(0)));
  t.is(channel.answerTo(4)?.errno, ENOSYS);
  t.is(channel.answerTo(6)?.errno, ENOSYS);
});

test('a request that is cut short is EIO, logged, and the next one is served', async (t) => {
  const { channel, log } = await startSession();
  channel.deliver(request(15, 4, 1, Buffer.alloc(3)), request(17, 6, 1, Buffer.alloc(0)));
  await settle();
  t.is(channel.answerTo(4)?.errno, EIO);
  t.is(channel.answerTo(6)?.errno, 0);
  t.is(log.errors.length, 1);
});

test('an operation that throws at once or rejects is EIO, and logged once for each kind', async (t) => {
  class Failing extends MemoryFileSystem {
    override access(): Promise<void> {
      throw new TypeError('at once');
    }
    override statistics(): Promise<never> {
      return Promise.reject(new RangeError('later'));
    }
  }
  const { channel, log } = await startSession(new Failing());
  for (let unique = 4; unique < 24; unique += 4) {
    channel.deliver(request(34, unique, 1, Buffer.alloc(8)), request(17, unique + 2, 1, Buffer.alloc(0)));
  }
  await settle();
  t.deepEqual(
    channel.answers.slice(1).map(({ errno }) => errno),
    new Array(10).fill(EIO),
  );
  t.is(log.errors.length, 2);
});

test('an error of the file system is its errno, and not logged', async (t) => {
  const { channel, log } = await startSession();
  channel.deliver(request(1, 4, 1, name('missing')));
  await settle();
  t.is(channel.answerTo(4)?.errno, ENOENT);
  t.is(channel.answerTo(4)?.body.length, 0);
  t.deepEqual(log.errors, []);
});

test('more data than was asked for is EIO instead of a broken answer', async (t) => {
  class Generous extends MemoryFileSystem {
    override read(): Promise<readonly Uint8Array[]> {
      return Promise.resolve([Buffer.alloc(10)]);
    }
  }
  const { channel } = await startSession(new Generous());
  channel.deliver(request(15, 4, 1, readBody(1, 9)), request(15, 6, 1, readBody(1, 10)));
  await settle();
  t.is(channel.answerTo(4)?.errno, EIO);
  t.is(channel.answerTo(6)?.body.length, 10);
});

/** Calls that wait until their signal aborts, with whatever error. */
class Waiting extends MemoryFileSystem {
  readonly signals: AbortSignal[] = [];
  error: Error = new FsError('EINTR', 'interrupted');

  override access(_inode?: number, _mask?: number, call?: Call): Promise<void> {
    const signal = call!.signal;
    this.signals.push(signal);
    return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(this.error)));
  }
}

for (const error of [new FsError('EINTR', 'interrupted'), new DOMException('aborted', 'AbortError')]) {
  test(`an interrupt aborts the call, and its ${error.name} is EINTR`, async (t) => {
    const fileSystem = new Waiting();
    fileSystem.error = error;
    const { channel, log } = await startSession(fileSystem);
    channel.deliver(request(34, 4, 1, Buffer.alloc(8)), request(36, 5, 0, interruptBody(4)));
    await settle();
    t.true(fileSystem.signals[0]?.aborted);
    t.is(channel.answerTo(4)?.errno, EINTR);
    t.is(channel.answerTo(5), undefined);
    t.deepEqual(log.errors, []);
  });
}

test('an interrupt of a request that is not known is to be sent again', async (t) => {
  const { channel } = await startSession();
  channel.deliver(request(36, 5, 0, interruptBody(4)));
  t.is(channel.answerTo(5)?.errno, EAGAIN);
});

const attributes: Attributes = {
  ino: 9n,
  mode: 0o100644,
  linkCount: 1,
  uid: 0,
  gid: 0,
  size: 0,
  blocks: 0,
  atimeNs: 0n,
  mtimeNs: 0n,
  ctimeNs: 0n,
};

test('what an answer hands out is taken back when the kernel does not want it', async (t) => {
  const { channel, fileSystem } = await startSession();
  fileSystem.fill('file', 3);
  channel.deliver(request(27, 4, 1, Buffer.alloc(8)));
  await settle();
  const directory = Number(channel.answerTo(4)?.body.readBigUInt64LE(0));
  t.is(fileSystem.openHandles.size, 1);

  channel.outcome = 'unwanted';
  const create = Buffer.alloc(16);
  create.writeUInt32LE(0o100644, 4);
  channel.deliver(
    request(1, 6, 1, name('file0')), // LOOKUP
    request(35, 8, 1, Buffer.concat([create, name('new')])), // CREATE
    request(44, 10, 1, readBody(directory, 4096)), // READDIRPLUS
    request(27, 12, 1, Buffer.alloc(8)), // OPENDIR
    request(9, 14, 1, Buffer.concat([Buffer.alloc(8), name('made')])), // MKDIR
  );
  await settle();
  await settle();
  t.is(fileSystem.knownCount, 0);
  t.deepEqual([...fileSystem.openHandles], [directory]);
});

test('an opened file is released when the kernel does not want it', async (t) => {
  const { channel, fileSystem } = await startSession();
  fileSystem.fill('file', 1);
  channel.deliver(request(1, 4, 1, name('file0')));
  await settle();
  channel.outcome = 'unwanted';
  channel.deliver(request(14, 6, fileSystem.inodeOf('file0')!, Buffer.alloc(8)));
  await settle();
  await settle();
  t.is(fileSystem.openHandles.size, 0);
  t.is(fileSystem.knownCount, 1);
});

test('an answer that the kernel rejects becomes EIO and is taken back', async (t) => {
  const { channel, fileSystem, log } = await startSession();
  fileSystem.fill('file', 1);
  const send = channel.send.bind(channel);
  let sends = 0;
  channel.send = (head, pieces) => (sends++ === 0 ? { error: new Error('EINVAL') } : send(head, pieces));
  channel.deliver(request(1, 4, 1, name('file0')));
  await settle();
  t.is(channel.answerTo(4)?.errno, EIO);
  t.is(fileSystem.knownCount, 0);
  t.is(log.errors.length, 1);
});

test('a listing that fails in the middle takes back what it handed out', async (t) => {
  class HalfListing extends MemoryFileSystem {
    override readDirectoryPlus(
      ...[, , , add]: Parameters<MemoryFileSystem['readDirectoryPlus']>
    ): Promise<void> {
      const full: Entry = { inode: 7, attributes, entryTtlMs: 0, attributesTtlMs: 0 };
      add({ name: 'a', ino: 9n, type: 0o100000, nextOffset: 1 }, full);
      return Promise.reject(new FsError('EIO', 'half'));
    }
    readonly forgotten: number[][] = [];
    override forget(inode: number, count: number): void {
      this.forgotten.push([inode, count]);
    }
  }
  const fileSystem = new HalfListing();
  const { channel } = await startSession(fileSystem);
  channel.deliver(request(44, 4, 1, readBody(1, 4096)));
  await settle();
  t.is(channel.answerTo(4)?.errno, EIO);
  t.deepEqual(fileSystem.forgotten, [[7, 1]]);
});

/** Keeps the data of writes without copying it, and lets them end when told. */
class SlowWriting extends MemoryFileSystem {
  readonly writes: { data: Uint8Array; finish: () => void }[] = [];

  override write(_inode: number, _handle: number, _offset: number, data: Uint8Array): Promise<void> {
    return new Promise((resolve) => this.writes.push({ data, finish: resolve }));
  }
}

for (const size of [100, 64 << 10, 100_000, 1 << 20]) {
  test(`the data of a write of ${size} bytes stays as it is until the write is done`, async (t) => {
    const fileSystem = new SlowWriting();
    const { channel } = await startSession(fileSystem);
    const contents = [1, 2, 3].map((value) => Buffer.alloc(size, value));
    contents.forEach((data, index) => channel.deliver(writeRequest(4 + 2 * index, 2, 1, data)));
    channel.deliver(request(1, 20, 1, name('x'.repeat(200))));
    t.deepEqual(
      fileSystem.writes.map(({ data }) =>
        Buffer.compare(data, contents[(data[0] ?? 0) - 1] ?? Buffer.alloc(0)),
      ),
      [0, 0, 0],
    );
    for (const { finish } of fileSystem.writes) finish();
    await settle();
    t.is(channel.answerTo(8)?.body.readUInt32LE(0), size);
  });
}

test('large writes being worked on are bounded, and the others come when there is room', async (t) => {
  const fileSystem = new SlowWriting();
  const { channel } = await startSession(fileSystem);
  const data = Buffer.alloc(100_000);
  for (let index = 0; index < 70; index++) channel.deliver(writeRequest(4 + 2 * index, 2, 1, data));
  t.is(fileSystem.writes.length, 64);
  t.is(channel.waitingCount, 6);
  t.false(channel.isListening);
  for (const { finish } of fileSystem.writes.splice(0, 3)) finish();
  await settle();
  channel.turn();
  t.is(channel.waitingCount, 3);
  for (const { finish } of fileSystem.writes.splice(0)) finish();
  await settle();
  channel.turn();
  for (const { finish } of fileSystem.writes.splice(0)) finish();
  await settle();
  t.is(channel.answers.length, 71);
});

test('many small writes do not keep others from being served', async (t) => {
  const fileSystem = new SlowWriting();
  const { channel } = await startSession(fileSystem);
  for (let index = 0; index < 1000; index++) {
    channel.deliver(writeRequest(4 + 2 * index, 2, 1, Buffer.alloc(100)));
  }
  channel.deliver(request(17, 5000, 1, Buffer.alloc(0)));
  await settle();
  t.is(channel.answerTo(5000)?.errno, 0);
});

test('at the end, calls that only look are aborted and those that change something are waited for', async (t) => {
  class Both extends Waiting {
    finishWrite: () => void = () => undefined;
    override write(): Promise<void> {
      return new Promise((resolve) => (this.finishWrite = resolve));
    }
  }
  const fileSystem = new Both();
  const { channel, session } = await startSession(fileSystem);
  channel.deliver(request(34, 4, 1, Buffer.alloc(8)), writeRequest(6, 2, 1, Buffer.alloc(10)));
  channel.isOver = true;
  channel.turn();
  t.is(await session.disconnected, undefined);
  const closed = session.close();
  await settle();
  t.true(fileSystem.signals[0]?.aborted);
  t.false(channel.isClosed);
  fileSystem.finishWrite();
  await closed;
  t.true(channel.isClosed);
});

test('a device that fails ends the session with its error', async (t) => {
  const { channel, session, log } = await startSession();
  channel.receive = () => {
    throw new Error('reading /dev/fuse failed with errno 5');
  };
  channel.deliver(request(17, 4, 1, Buffer.alloc(0)));
  t.regex((await session.disconnected)?.message ?? '', /errno 5/);
  t.is(log.errors.length, 1);
  await session.close();
});

test('set-id bits are dropped before a write of the unprivileged, and only where there are some', async (t) => {
  const { channel, fileSystem } = await startSession();
  fileSystem.fill('file', 1);
  channel.deliver(request(1, 4, 1, name('file0')));
  await settle();
  const inode = fileSystem.inodeOf('file0')!;
  channel.deliver(request(14, 6, inode, Buffer.from([2, 0, 0, 0, 0, 0, 0, 0])));
  await settle();
  const handle = Number(channel.answerTo(6)?.body.readBigUInt64LE(0));
  const killing = (unique: number) => {
    const write = writeRequest(unique, inode, handle, Buffer.from('x'));
    write.writeUInt32LE(1 << 2, 40 + 20);
    return write;
  };
  channel.deliver(killing(8));
  await settle();
  t.is(fileSystem.calls.get('setAttributes'), undefined);

  const setMode = Buffer.alloc(88);
  setMode.writeUInt32LE(1, 0);
  setMode.writeUInt32LE(0o6777, 68);
  channel.deliver(request(4, 10, inode, setMode));
  await settle();
  channel.deliver(killing(12));
  await settle();
  t.is(channel.answerTo(12)?.errno, 0);
  t.is((await fileSystem.getAttributes(inode)).attributes.mode & 0o7777, 0o777);
});
