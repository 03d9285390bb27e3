import { once } from 'node:events';
// Requests and their answers, also when the operation fails or the kernel does not want the answer.
import { constants as openConstants } from 'node:fs';
import { constants } from 'node:os';
import test from 'ava';
import type {
  Attributes,
  Entry,
  CopyFileRangeRequest,
  HandleRequest,
  ReadDirectoryPlusRequest,
  WriteRequest,
} from '../../src/file-system.js';
import { FsError } from '../../src/errors.js';
import { makeDeferred } from '../../src/concurrency/deferred.js';
import { encodeInvalidateInode } from '../../src/fuse/kernel-cache-dropper.js';
import { openFlagsOf } from '../../src/fuse/request-decoding.js';
import {
  interruptBody,
  name,
  readBody,
  request,
  settle,
  startSession,
  Waiting,
  writeRequest,
} from './fake-channel.js';
import { MemoryFileSystem } from './memory-file-system.js';
import { defaultCall } from '../vfs/file-system-client.js';

const { EBADF, EIO, EINTR, ENOENT } = constants.errno;

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

for (const error of [new FsError('EINTR', 'interrupted'), new DOMException('aborted', 'AbortError')]) {
  test(`an interrupt aborts the call, and its ${error.name} is EINTR`, async (t) => {
    const fileSystem = new Waiting();
    fileSystem.error = error;
    const { channel, log } = await startSession(fileSystem);
    channel.deliver(request(34, 4, 1, Buffer.alloc(8)), request(36, 5, 0, interruptBody(4)));
    await settle();
    const [signal] = fileSystem.signals;
    t.false(signal?.aborted, 'its caller cannot be seen, and is given some seconds');
    await once(signal!, 'abort');
    await settle();
    t.is(channel.answerTo(4)?.errno, EINTR);
    t.is(channel.answerTo(5), undefined);
    t.deepEqual(log.errors, []);
  });
}

test('an EINTR that nobody asked for is EIO, and logged', async (t) => {
  class Hasty extends MemoryFileSystem {
    override access(): Promise<void> {
      return Promise.reject(new FsError('EINTR', 'a time limit of our own'));
    }
  }
  const { channel, log } = await startSession(new Hasty());
  channel.deliver(request(34, 4, 1, Buffer.alloc(8)));
  await settle();
  t.is(channel.answerTo(4)?.errno, EIO);
  t.is(log.errors.length, 1);
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
    override readDirectoryPlus({ add }: ReadDirectoryPlusRequest): Promise<void> {
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

/** Writes of even inodes are done at once. */
class Direct extends MemoryFileSystem {
  readonly written: string[] = [];

  tryWrite({ inode, handle, offset, data }: WriteRequest): boolean {
    if (handle === 9) throw new FsError('EBADF', 'no such handle');
    if (inode % 2 === 1) return false;
    this.written.push(`at once ${inode} ${handle} ${offset} ${Buffer.from(data).toString()}`);
    return true;
  }

  override write({ inode, data }: WriteRequest): Promise<void> {
    return settle().then(() => void this.written.push(`later ${inode} ${Buffer.from(data).toString()}`));
  }
}

test('a write that need not wait is answered before the next request is looked at, and any other has its data kept', async (t) => {
  const fileSystem = new Direct();
  const { channel } = await startSession(fileSystem);
  const ofUnprivileged = writeRequest(4, 2, 3, Buffer.from('one'));
  ofUnprivileged.writeUInt32LE(1 << 2, 40 + 20);
  channel.deliver(ofUnprivileged);
  t.is(channel.answerTo(4)?.body.readUInt32LE(0), 3);
  channel.deliver(
    writeRequest(6, 5, 1, Buffer.from('slow')),
    writeRequest(8, 2, 1, Buffer.from('quick')),
    writeRequest(10, 2, 9, Buffer.from('wrong')),
  );
  t.is(channel.answerTo(6), undefined);
  t.is(channel.answerTo(8)?.errno, 0);
  t.is(channel.answerTo(10)?.errno, EBADF);
  await settle();
  await settle();
  t.is(channel.answerTo(6)?.body.readUInt32LE(0), 4);
  t.deepEqual(fileSystem.written, ['at once 2 3 0 one', 'at once 2 1 0 quick', 'later 5 slow']);
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
  t.is((await fileSystem.getAttributes({ inode })).attributes.mode & 0o7777, 0o777);
});

test('set-id bits are dropped when the unprivileged change a file by fallocate or copy_file_range', async (t) => {
  const { channel, fileSystem } = await startSession();
  fileSystem.fill('file', 1);
  channel.deliver(request(1, 4, 1, name('file0')));
  await settle();
  const inode = fileSystem.inodeOf('file0')!;
  channel.deliver(request(14, 6, inode, Buffer.from([2, 0, 0, 0, 0, 0, 0, 0])));
  await settle();
  const handle = channel.answerTo(6)?.body.readBigUInt64LE(0) ?? 0n;
  const setMode = Buffer.alloc(88);
  setMode.writeUInt32LE(1, 0);
  setMode.writeUInt32LE(0o6777, 68);
  const fallocate = Buffer.alloc(32);
  fallocate.writeBigUInt64LE(handle, 0);
  fallocate.writeBigUInt64LE(10n, 16);
  const copy = Buffer.alloc(56);
  copy.writeBigUInt64LE(handle, 0);
  copy.writeBigUInt64LE(BigInt(inode), 16);
  copy.writeBigUInt64LE(handle, 24);
  copy.writeBigUInt64LE(20n, 32);
  copy.writeBigUInt64LE(1n, 40);
  const modeAfter = async (unique: number, opcode: number, body: Buffer, uid: number) => {
    channel.deliver(request(4, unique, inode, setMode));
    await settle();
    const changing = request(opcode, unique + 2, inode, body);
    changing.writeUInt32LE(uid, 24);
    channel.deliver(changing);
    await settle();
    return (await fileSystem.getAttributes({ inode })).attributes.mode & 0o7777;
  };
  t.is(await modeAfter(20, 43, fallocate, 1000), 0o777);
  t.is(await modeAfter(30, 47, copy, 1000), 0o777);
  t.is(await modeAfter(40, 43, fallocate, 0), 0o6777);
});

test('of a copy of more bytes than the answer can count, a part is done and counted', async (t) => {
  class Copying extends MemoryFileSystem {
    override copyFileRange({ length }: CopyFileRangeRequest) {
      return Promise.resolve(length);
    }
  }
  const { channel } = await startSession(new Copying());
  for (const [unique, length] of [
    [4, 2n ** 62n],
    [6, 5n * 2n ** 30n],
    [8, 2n ** 31n],
    [10, 1000n],
  ] as const) {
    const body = Buffer.alloc(56);
    body.writeBigUInt64LE(length, 40);
    channel.deliver(request(47, unique, 1, body));
  }
  await settle();
  t.deepEqual(
    [4, 6, 8, 10].map((unique) => channel.answerTo(unique)?.body.readUInt32LE(0)),
    [2 ** 31, 2 ** 31, 2 ** 31, 1000],
  );
});

test('the changes that are under way are waited for, not those that come later, and nothing that only looks', async (t) => {
  const flushed = [makeDeferred<undefined>(), makeDeferred<undefined>()];
  class Slow extends MemoryFileSystem {
    override async flush({ handle }: HandleRequest): Promise<void> {
      await flushed[handle]?.promise;
    }
    override access(): Promise<void> {
      return new Promise(() => undefined);
    }
  }
  const flush = (unique: number, handle: number) => {
    const body = Buffer.alloc(24);
    body.writeBigUInt64LE(BigInt(handle), 0);
    return request(25, unique, 1, body);
  };
  const { channel, session } = await startSession(new Slow());
  channel.deliver(request(34, 4, 1, Buffer.alloc(8)), flush(6, 0));
  await settle();
  let isSettled = false;
  const settled = session.settled().then(() => (isSettled = true));
  channel.deliver(flush(8, 1));
  await settle();
  t.false(isSettled);
  flushed[0]?.resolve(undefined);
  await settled;
  t.is(channel.answerTo(6)?.errno, 0);
  t.is(channel.answerTo(8), undefined);
});

test('before a direct write is answered, the kernel drops what others may have read meanwhile, and nothing else', async (t) => {
  const { channel, fileSystem } = await startSession();
  const dropped: Buffer[] = [];
  let letGo: () => void = () => undefined;
  channel.notify = (message) => {
    dropped.push(message);
    return new Promise<void>((resolve) => (letGo = resolve));
  };
  const created = await fileSystem.create(
    { parent: 1, name: 'f', mode: 0o100644, flags: openFlagsOf(openConstants.O_RDWR) },
    defaultCall,
  );
  const { inode } = created.entry;
  const { handle } = created.open;
  const directWrite = (unique: number) => {
    const message = writeRequest(unique, inode, handle, Buffer.alloc(512));
    message.writeBigUInt64LE(4096n, 40 + 8);
    message.writeUInt32LE(openConstants.O_DIRECT, 40 + 32);
    return message;
  };
  channel.deliver(directWrite(4));
  await settle();
  t.is(channel.answerTo(4)?.errno, 0);
  t.is(dropped.length, 0, 'nothing was cached');
  channel.deliver(request(15, 6, inode, readBody(handle, 4096)), directWrite(8));
  await settle();
  t.is(channel.answerTo(6)?.errno, 0);
  t.is(channel.answerTo(8), undefined);
  t.deepEqual(dropped, [encodeInvalidateInode(inode, 4096, 512)]);
  letGo();
  await settle();
  t.is(channel.answerTo(8)?.errno, 0);
});
