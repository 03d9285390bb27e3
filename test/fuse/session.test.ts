// The order in which a session receives requests, and how it begins and ends.
import { constants } from 'node:os';
import test from 'ava';
import type { WriteRequest } from '../../src/file-system.js';
import { Session } from '../../src/fuse/session.js';
import {
  collectLog,
  FakeChannel,
  initRequest,
  interruptBody,
  name,
  request,
  settle,
  startSession,
  Waiting,
  writeRequest,
} from './fake-channel.js';
import { turnsUntil } from '../patience.js';
import { MemoryFileSystem } from './memory-file-system.js';

const { EIO, ENOENT, ENOMEM, ENOSYS, EAGAIN, EPROTO } = constants.errno;

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

test('an interrupt of a request that is not known is to be sent again', async (t) => {
  const { channel } = await startSession();
  channel.deliver(request(36, 5, 0, interruptBody(4)));
  t.is(channel.answerTo(5)?.errno, EAGAIN);
});

/** Keeps the data of writes without copying it, and lets them end when told. */
class SlowWriting extends MemoryFileSystem {
  readonly writes: { data: Uint8Array; finish: () => void }[] = [];

  override write({ data }: WriteRequest): Promise<void> {
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

test('while many large writes wait, what needs no server is answered, interrupts are read, and no data is mixed', async (t) => {
  class Writers extends Waiting {
    readonly writes: { data: Uint8Array; finish: () => void }[] = [];
    override write({ data }: WriteRequest): Promise<void> {
      return new Promise((resolve) => this.writes.push({ data, finish: resolve }));
    }
  }
  const fileSystem = new Writers();
  const { channel } = await startSession(fileSystem);
  const count = 200;
  for (let index = 0; index < count; index++) {
    channel.deliver(writeRequest(1000 + 2 * index, 2, 1, Buffer.alloc(100_000, index)));
  }
  channel.deliver(request(17, 5000, 1, Buffer.alloc(0)), request(34, 5002, 1, Buffer.alloc(8)));
  channel.deliver(request(36, 5003, 0, interruptBody(5002)), request(1, 5004, 1, name('missing')));
  await turnsUntil('the interrupted request is told to stop', () => fileSystem.signals[0]?.aborted === true);
  await settle();
  t.is(channel.answerTo(5000)?.errno, 0);
  t.is(channel.answerTo(5004)?.errno, ENOENT);
  t.is(fileSystem.writes.length, count);
  t.true(
    fileSystem.writes.every(({ data }, index) => Buffer.alloc(100_000, index).equals(Buffer.from(data))),
  );
  for (const { finish } of fileSystem.writes) finish();
  await settle();
  t.is(
    channel.answers.filter(({ unique, errno }) => unique >= 1000 && unique < 5000 && errno === 0).length,
    count,
  );
});

test('writes beyond what may wait are refused, and let in again when there is room', async (t) => {
  const fileSystem = new SlowWriting();
  const { channel } = await startSession(fileSystem, { requests: 1000, writeBytes: 1_000_000 });
  const data = Buffer.alloc(100_000);
  const small = Buffer.alloc(50_000);
  for (let index = 0; index < 9; index++) channel.deliver(writeRequest(4 + 2 * index, 2, 1, data));
  channel.deliver(
    writeRequest(100, 2, 1, small),
    writeRequest(102, 2, 1, small),
    writeRequest(104, 2, 1, data),
  );
  t.is(fileSystem.writes.length, 10);
  t.is(channel.answerTo(102)?.errno, ENOMEM);
  t.is(channel.answerTo(104)?.errno, ENOMEM);
  for (const { finish } of fileSystem.writes.splice(0, 2)) finish();
  await settle();
  channel.deliver(writeRequest(106, 2, 1, data));
  t.is(fileSystem.writes.length, 9);
  for (const { finish } of fileSystem.writes) finish();
  await settle();
  t.is(channel.answerTo(106)?.errno, 0);
});

test('requests beyond those that may wait are refused, but for what needs no server or gives something back', async (t) => {
  const fileSystem = new Waiting();
  const { channel } = await startSession(fileSystem, { requests: 3, writeBytes: 1_000_000 });
  for (const unique of [4, 6, 8, 10]) channel.deliver(request(34, unique, 1, Buffer.alloc(8)));
  t.is(channel.answerTo(10)?.errno, ENOMEM);
  channel.deliver(request(17, 12, 1, Buffer.alloc(0)), request(36, 5, 0, interruptBody(4)));
  await turnsUntil('the interrupted request is answered', () => channel.answerTo(4) !== undefined);
  t.is(channel.answerTo(12)?.errno, 0);
  channel.deliver(request(34, 14, 1, Buffer.alloc(8)));
  t.is(fileSystem.signals.length, 4);
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
