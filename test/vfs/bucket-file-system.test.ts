import test from 'ava';
import { rootInode, type DirectoryEntry, type Entry } from '../../src/file-system.js';
import { manyTurns, turnsUntil } from '../patience.js';
import { readFlags, writeFlags, type OpenFile } from './file-system-client.js';
import { HeldClock } from '../clock.js';
import { Fixture, metadataTtlMs } from './file-system-fixture.js';

const big = Buffer.alloc(5000, 'osirisfs ');

test('what is written is one object of the same name when close returns', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  await client.makeDirectory('d');
  await client.writeFile('d/file', 'hello');
  t.is(fixture.store.contentOf('d/file')?.toString(), 'hello');
  t.is((await client.readFile('d/file')).toString(), 'hello');
});

test('before close other clients see the old object, whole', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  await client.writeFile('f', 'old');
  const file = await client.create('f', { truncate: true });
  await file.write(0, big);
  t.is(fixture.store.contentOf('f')?.toString(), 'old');
  await file.close();
  t.deepEqual(fixture.store.contentOf('f'), big);
});

test('every handle of one mount sees every write at once', async (t) => {
  const { client } = new Fixture(t).mount();
  await client.writeFile('f', 'aaaa');
  const writer = await client.open('f', writeFlags);
  const reader = await client.open('f');
  await writer.write(1, 'bb');
  t.is((await reader.read(0, 10)).toString(), 'abba');
  t.is((await client.stat('f')).size, 4);
  await writer.close();
  await reader.close();
});

test('an empty file is stored, and a file of zeros by truncate', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  await (await client.create('empty')).close();
  t.is(fixture.store.contentOf('empty')?.length, 0);
  const file = await client.create('zeros');
  await file.truncate(300);
  await file.close();
  t.deepEqual(fixture.store.contentOf('zeros'), Buffer.alloc(300));
});

test('a change in the middle of an object keeps the rest', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  fixture.store.putForeign('f', big);
  const file = await client.open('f', writeFlags);
  await file.write(2000, 'X');
  await file.close();
  const expected = Buffer.from(big);
  expected.write('X', 2000);
  t.deepEqual(fixture.store.contentOf('f'), expected);
  t.is(fixture.store.uploads.size, 0);
});

test('truncate by path is stored when it returns', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  await client.writeFile('f', 'hello');
  await client.setAttributes('f', { size: 2 });
  t.is(fixture.store.contentOf('f')?.toString(), 'he');
});

test('a close that only read changes nothing in the bucket', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  const writer = await client.create('f');
  await writer.write(0, 'unfinished');
  t.is((await client.readFile('f')).toString(), 'unfinished');
  t.is(fixture.store.contentOf('f'), undefined);
  await writer.close();
  t.is(fixture.store.contentOf('f')?.toString(), 'unfinished');
});

test('a failed upload is reported by close, kept, and stored by the next one', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  const file = await client.create('f');
  await file.write(0, 'precious');
  fixture.store.failNext('put', 'ServerError');
  await t.throwsAsync(file.flush(), { code: 'EIO' } as never);
  t.is((await client.readFile('f')).toString(), 'precious');
  await file.close();
  t.is(fixture.store.contentOf('f')?.toString(), 'precious');
});

test('what a failed close left is stored in the background, at the latest at the end', async (t) => {
  const fixture = new Fixture(t);
  const { client, fs } = fixture.mount();
  const file = await client.create('f');
  await file.write(0, 'precious');
  fixture.store.failNext('put', 'Unreachable');
  await t.throwsAsync(file.close(), { code: 'EIO' } as never);
  await fs.stop();
  t.is(fixture.store.contentOf('f')?.toString(), 'precious');
  t.deepEqual(fs.pendingKeys(), []);
});

test('attributes set before the first close cost one request in all', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  await client.list('');
  fixture.store.resetCounters();
  const file = await client.create('f', { truncate: true });
  await file.write(0, 'x');
  await client.setAttributes('f', { mode: 0o600, uid: 7, gid: 8, mtime: 5n, atime: 6n });
  await file.close();
  t.is(fixture.store.requestCount(), 1);
  const metadata = fixture.store.objects.get('f')?.info.metadata;
  t.like(metadata, {
    mode: String(0o100600),
    uid: '7',
    gid: '8',
    mtime: '0.000000005',
    atime: '0.000000006',
  });
});

test('the kernel may keep the entries of a directory until this mount changes it or they get old', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  await client.makeDirectory('d');
  for (const name of ['a', 'b', 'c']) await client.writeFile(`d/${name}`, name);
  await client.withInode('d', async (directory) => {
    const mayKeep = async () => {
      const { handle, keepCache } = await client.fs.openDirectory({ inode: directory }, client.call);
      client.fs.releaseDirectory({ inode: directory, handle });
      return keepCache;
    };
    t.false(await mayKeep());
    await client.list('d', 1);
    t.true(await mayKeep());
    await client.writeFile('d/new', 'x');
    t.false(await mayKeep());
    await client.list('d');
    t.true(await mayKeep());
    await client.unlink('d/new');
    t.false(await mayKeep());
    await client.list('d');
    fixture.clock.advance(metadataTtlMs);
    t.false(await mayKeep());
  });
});

test('a rename over a file lets an open of it finish that has begun, and keeps its content', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  await client.writeFile('f', 'old');
  await client.writeFile('g', 'new');
  await client.stat('f'); // after that only the open asks
  let letGo: () => void = () => undefined;
  const asked = new Promise<void>((resolve) => {
    fixture.store.beforeRequest = async (method, key) => {
      if (key !== 'f' || (method !== 'head' && method !== 'get')) return;
      fixture.store.beforeRequest = () => undefined;
      resolve();
      await new Promise<void>((go) => (letGo = go));
    };
  });
  const opening = client.open('f');
  await asked;
  const renaming = client.rename('g', 'f');
  await manyTurns();
  t.is(fixture.store.contentOf('f')?.toString(), 'old');
  letGo();
  const file = await opening;
  await renaming;
  t.is((await file.read(0, 10)).toString(), 'old');
  await file.close();
  t.is((await client.readFile('f')).toString(), 'new');
  t.deepEqual(await client.list(''), ['f']);
});

/** More than fits in one PUT, so that it is sent while it is written. */
async function writeLarge(file: OpenFile): Promise<Buffer> {
  const content = Buffer.alloc(20 * 1024 * 1024, 'large');
  const step = 1024 * 1024;
  for (let at = 0; at < content.length; at += step) await file.write(at, content.subarray(at, at + step));
  return content;
}

test('a large new file costs no copy, and shows the time at which it was stored', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  const file = await client.create('f', { exclusive: true });
  const content = await writeLarge(file);
  await file.close();
  t.is(fixture.store.requestCount('copy'), 0);
  t.true(fixture.store.requestCount('uploadPart') > 1);
  t.deepEqual(fixture.store.contentOf('f')?.equals(content), true);
  const { info } = fixture.store.objects.get('f')!;
  t.is(info.metadata['mtime'], undefined);
  t.is(info.metadata['mode'], String(0o100644));
  const secondNs = BigInt(Math.floor(info.lastModifiedMs / 1000)) * 1_000_000_000n;
  const { mtimeNs, ctimeNs } = await client.stat('f');
  t.true(mtimeNs > secondNs && mtimeNs < secondNs + 1_000_000_000n, 'that of the last write');
  t.is(ctimeNs, mtimeNs);
  t.is((await fixture.mount().client.stat('f')).mtimeNs, secondNs);
});

test('the time of a large new file does not go back, whatever the bucket is asked later', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  const times: bigint[] = [];
  const look = async () => times.push((await client.stat('f')).mtimeNs);
  const file = await client.create('f', { exclusive: true });
  await writeLarge(file);
  await look();
  await file.close();
  await look();
  await client.writeFile('later', 'made of it');
  fixture.clock.advance(metadataTtlMs + 1000); // asked anew
  await look();
  await client.list('');
  await look();
  await (await client.open('f')).close();
  await look();
  t.is(new Set(times).size, 1, times.join(', '));
  const [first = 0n] = times;
  t.true((await client.stat('later')).mtimeNs > first);
  await client.rename('f', 'g');
  t.is((await client.stat('g')).mtimeNs, first);
  const other = fixture.mount();
  t.is((await other.client.stat('g')).mtimeNs, first, 'stored by the copy');
});

test('a large file that somebody else stored again shows the time of that', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  const file = await client.create('f', { exclusive: true });
  const content = await writeLarge(file);
  await file.close();
  fixture.clock.advance(metadataTtlMs + 5000);
  fixture.store.putForeign('f', content);
  const { lastModifiedMs } = fixture.store.objects.get('f')!.info;
  t.is((await client.stat('f')).mtimeNs, BigInt(lastModifiedMs) * 1_000_000n);
});

test('a time that was set while a large file was written is kept to the nanosecond', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  const file = await client.create('f', { exclusive: true });
  await writeLarge(file);
  await client.setAttributes('f', { mtime: 1_000_000_001n });
  await file.close();
  t.is((await client.stat('f')).mtimeNs, 1_000_000_001n);
  t.is(fixture.store.objects.get('f')?.info.metadata['mtime'], '1.000000001');
  t.is(fixture.store.requestCount('copy'), 1);
});

test('several changes of the attributes of a stored file cost one copy and move no data', async (t) => {
  const fixture = new Fixture(t);
  const { client, fs } = fixture.mount({ attributeDelayMs: 1_000_000 });
  fixture.store.putForeign('f', big);
  await client.stat('f');
  fixture.store.resetCounters();
  await client.setAttributes('f', { mode: 0o640 });
  await client.setAttributes('f', { uid: 3 });
  await client.setAttributes('f', { mtime: 1_000_000_001n });
  t.like(await client.stat('f'), { mode: 0o100640, uid: 3, mtimeNs: 1_000_000_001n });
  await fs.stop();
  t.is(fixture.store.requestCount('copy'), 1);
  t.is(fixture.store.bytesSent + fixture.store.bytesReceived, 0);
  t.like(fixture.store.objects.get('f')?.info.metadata, { mode: String(0o100640), mtime: '1.000000001' });
  t.deepEqual(fixture.store.contentOf('f'), big);
});

test('a small object is sent again with its new attributes, which costs one request if it was read before', async (t) => {
  const fixture = new Fixture(t);
  const { client, fs } = fixture.mount({ attributeDelayMs: 1_000_000, rewriteBytes: 100 });
  await client.writeFile('f', 'small');
  fixture.store.resetCounters();
  await client.setAttributes('f', { mode: 0o600 });
  await fs.synchronizeAll('what is closed');
  t.is(fixture.store.requestCount('put', 'get', 'copy'), 1);
  t.is(fixture.store.contentOf('f')?.toString(), 'small');
  t.is(fixture.store.objects.get('f')?.info.metadata['mode'], String(0o100600));
  await client.rename('f', 'g');
  t.is(fixture.store.contentOf('g')?.toString(), 'small');
  t.is(fixture.store.requestCount('copy'), 0);
});

test('attributes that the server refuses to store are the former ones again', async (t) => {
  const fixture = new Fixture(t);
  const { client, fs, lines } = fixture.mount();
  fixture.store.putForeign('f', 'x');
  fixture.store.failNext('copy', 'AccessDenied');
  await client.setAttributes('f', { mode: 0o600 });
  await turnsUntil('the refusal is logged', () => lines.some(({ level }) => level === 'error'));
  t.is((await client.stat('f')).mode, 0o100644);
  t.deepEqual(fs.pendingKeys(), []);
});

test('other clients’ files and directories are found, with and without markers', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  fixture.store.putForeign('a/b/c', 'deep');
  fixture.store.putForeign('m/', '', { metadata: { mode: String(0o40700), uid: '5' } });
  t.is((await client.readFile('a/b/c')).toString(), 'deep');
  t.is((await client.stat('a')).mode, 0o40755);
  t.like(await client.stat('m'), { mode: 0o40700, uid: 5 });
  t.deepEqual(await client.list(''), ['a', 'm']);
});

test('what others change is noticed when the metadata have expired, and at once by open', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  await client.writeFile('f', 'one');
  fixture.store.putForeign('f', 'another');
  t.is((await client.readFile('f')).toString(), 'another');
  fixture.store.putForeign('f', 'third one');
  fixture.clock.advance(metadataTtlMs);
  t.is((await client.stat('f')).size, 9);
  fixture.store.objects.delete('f');
  fixture.clock.advance(metadataTtlMs);
  await t.throwsAsync(client.stat('f'), { code: 'ENOENT' } as never);
});

test('an object replaced under an open handle gives ESTALE, never mixed bytes', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  fixture.store.putForeign('f', Buffer.alloc(20_000, 'a'));
  const file = await client.open('f');
  t.is((await file.read(0, 10)).toString(), 'aaaaaaaaaa');
  fixture.store.putForeign('f', Buffer.alloc(3_000_000, 'b'));
  t.is((await client.readFile('f'))[0], 'b'.charCodeAt(0));
  await t.throwsAsync(file.read(0, 10), { code: 'ESTALE' } as never);
  await file.close();
});

test('a replaced file that is open keeps its inode, and the name leads to another', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  fixture.store.putForeign('f', 'the first');
  const file = await client.open('f');
  fixture.store.putForeign('f', 'second');
  fixture.clock.advance(metadataTtlMs);
  const inodeNow = await client.withInode('f', (inode) => Promise.resolve(inode));
  t.not(inodeNow, file.inode, 'the kernel cannot take the size or the pages of one for those of the other');
  t.is((await client.stat('f')).size, 6);
  for (const use of [
    file.stat(),
    file.read(0, 3),
    client.fs.open({ inode: file.inode, flags: readFlags }, client.call),
  ]) {
    await t.throwsAsync(use, { code: 'ESTALE' } as never);
  }
  await file.close();
});

test('a file that is open and was deleted elsewhere gives ESTALE, its name ENOENT', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  fixture.store.putForeign('f', 'content');
  const file = await client.open('f');
  fixture.store.objects.delete('f');
  fixture.clock.advance(metadataTtlMs);
  await t.throwsAsync(client.stat('f'), { code: 'ENOENT' } as never);
  await t.throwsAsync(file.stat(), { code: 'ESTALE' } as never);
  await file.close();
});

test('before an open of a version that the kernel does not know resolves, the kernel drops the attributes it knew', async (t) => {
  const fixture = new Fixture(t);
  const { fs, client } = fixture.mount();
  const dropped: string[] = [];
  fs.start({
    dropInode: (inode, offset) => Promise.resolve(void dropped.push(`${inode} ${offset}`)),
    dropEntry: () => Promise.resolve(),
  });
  fixture.store.putForeign('f', 'short');
  await client.withInode('f', async (inode) => {
    fixture.store.putForeign('f', 'other', { metadata: { mtime: '1.000000000' } });
    const { handle } = await fs.open({ inode, flags: readFlags }, client.call);
    t.deepEqual(dropped, [`${inode} -1`]);
    t.is((await fs.getAttributes({ inode, handle }, client.call)).attributes.mtimeNs, 1_000_000_000n);
    await fs.release({ inode, handle });
  });
});

for (const [what, flags, before, after, isOtherInode] of [
  ['read, longer by now', readFlags, 'short', 'longer', true],
  ['read, shorter by now', readFlags, 'longer', 'short', true],
  ['written, longer by now', writeFlags, 'short', 'longer', true],
  ['written, shorter by now', writeFlags, 'longer', 'short', true],
  ['written anew, shorter by now', { ...writeFlags, truncate: true }, 'longer', 'short', false],
  ['written, of the same size', writeFlags, 'same 1', 'same 2', false],
] as const) {
  test(`a file that nobody has open, to be ${what}, is ${isOtherInode ? 'another inode' : 'opened'}`, async (t) => {
    const fixture = new Fixture(t);
    const { fs, client } = fixture.mount();
    fixture.store.putForeign('f', before);
    await client.withInode('f', async (inode) => {
      fixture.store.putForeign('f', after);
      const opening = fs.open({ inode, flags }, client.call);
      if (isOtherInode) await t.throwsAsync(opening, { code: 'ESTALE' } as never);
      else await fs.release({ inode, handle: (await opening).handle });
    });
    // The system call goes on as Linux does, with the name looked up anew.
    const file = await client.open('f', flags);
    t.is((await file.stat()).size, flags.truncate ? 0 : after.length);
    await file.close();
  });
}

test('a name that was opened as a replaced file is asked for at its next look-up, whatever a listing says', async (t) => {
  const fixture = new Fixture(t);
  const { fs, client } = fixture.mount();
  fixture.store.putForeign('f', 'the first');
  await client.list('');
  const held = await client.open('f');
  fixture.store.putForeign('f', 'the second');
  await (await client.open('f')).close(); // the listing learns of it
  fixture.store.putForeign('f', '3rd');
  await t.throwsAsync(fs.open({ inode: held.inode, flags: readFlags }, client.call), {
    code: 'ESTALE',
  } as never);
  const found = await client.fs.lookup({ parent: rootInode, name: 'f' }, client.call);
  t.is(found.attributes.size, 3);
  fixture.store.resetCounters();
  await client.stat('f');
  t.is(fixture.store.requestCount('head', 'list'), 0, 'only once');
  client.fs.forget(found.inode, 1);
  await held.close();
});

test('an open that a rename has ended is let through before the next rename of the same name', async (t) => {
  const fixture = new Fixture(t, undefined, new HeldClock());
  const { fs, client } = fixture.mount();
  for (const name of ['f', 'second', 'third']) await client.writeFile(name, name);
  await client.withInode('f', async (inode) => {
    let opening: Promise<unknown> | undefined;
    fixture.store.beforeRequest = (method) => {
      // While the file is being replaced; the kernel then tries again, once.
      if (method === 'copy')
        opening ??= t.throwsAsync(fs.open({ inode, flags: readFlags }, client.call), {
          code: 'ESTALE',
        } as never);
    };
    await client.rename('second', 'f');
    await opening;
  });
  const renaming = client.rename('third', 'f');
  await manyTurns();
  const { inode } = await fs.lookup({ parent: rootInode, name: 'f' }, client.call);
  const { handle } = await fs.open({ inode, flags: readFlags }, client.call);
  await renaming;
  t.is(
    Buffer.concat(await fs.read({ inode, handle, offset: 0, length: 10 }, client.call)).toString(),
    'second',
  );
  await fs.release({ inode, handle });
  fs.forget(inode, 1);
  t.is((await client.readFile('f')).toString(), 'third');
});

test('a read goes on with the copy that a rename of the open file has just made', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  fixture.store.putForeign('f', big);
  const file = await client.open('f');
  let read: Promise<Buffer> | undefined;
  // The old object goes while nobody knows of the new one yet: as late as a read can come.
  fixture.store.afterRequest = async (method, key) => {
    if (method !== 'copy') return;
    fixture.store.objects.delete('f');
    read = file.read(0, 10);
    await new Promise((resolve) => setImmediate(resolve));
    t.is(key, 'g');
  };
  await client.rename('f', 'g');
  t.deepEqual(await read, big.subarray(0, 10));
  await file.close();
});

test('of two writers the second to close is told, and its data are kept under another key', async (t) => {
  const fixture = new Fixture(t);
  const { client, lines } = fixture.mount();
  const other = fixture.mount().client;
  await client.writeFile('f', 'base');
  const mine = await client.open('f', writeFlags);
  const theirs = await other.open('f', writeFlags);
  await mine.write(0, 'mine');
  await theirs.write(0, 'them');
  await theirs.close();
  await t.throwsAsync(mine.flush(), { code: 'ESTALE' } as never);
  t.is(fixture.store.contentOf('f')?.toString(), 'them');
  const kept = [...fixture.store.objects.keys()].find((key) => key.startsWith('f.conflict-'));
  t.is(fixture.store.contentOf(kept ?? '')?.toString(), 'mine');
  t.true(
    lines.some(({ level, fields }) => level === 'error' && JSON.stringify(fields).includes(kept ?? '?')),
  );
  await t.throwsAsync(mine.close(), { code: 'ESTALE' } as never);
  t.is((await client.readFile('f')).toString(), 'them');
});

test('a file created over one that the listing did not know yet replaces it, as open with truncation does', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  await client.list('');
  fixture.store.putForeign('f', 'made elsewhere');
  fixture.clock.advance(5000);
  await client.writeFile('f', 'mine');
  t.is(fixture.store.contentOf('f')?.toString(), 'mine');
  t.is(fixture.store.objects.size, 1);
});

test('a file opened to append sees what others stored though the listing did not know it yet', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  await client.list('');
  fixture.store.putForeign('log', 'one\n');
  const file = await client.create('log');
  t.is((await file.stat()).size, 4);
  await file.write(4, 'two\n');
  await file.close();
  t.is(fixture.store.contentOf('log')?.toString(), 'one\ntwo\n');
});

test('creating tells whether the file is new, or was there in the bucket already', async (t) => {
  const fixture = new Fixture(t);
  const { client, fs } = fixture.mount();
  await client.list('');
  fixture.store.putForeign('theirs', 'x');
  for (const [name, isNew] of [
    ['ours', true],
    ['ours', false],
    ['theirs', false],
  ] as const) {
    const reply = await fs.create(
      { parent: rootInode, name, mode: 0o100644, flags: writeFlags },
      client.call,
    );
    t.is(reply.isNew, isNew, name);
    await fs.release({ inode: reply.entry.inode, handle: reply.open.handle });
    fs.forget(reply.entry.inode, 1);
  }
});

test('a name that exists is not created exclusively', async (t) => {
  const { client } = new Fixture(t).mount();
  await client.writeFile('f', '');
  await client.makeDirectory('d');
  await t.throwsAsync(client.create('f', { exclusive: true }), { code: 'EEXIST' } as never);
  await t.throwsAsync(client.makeDirectory('f'), { code: 'EEXIST' } as never);
  await t.throwsAsync(client.makeDirectory('d'), { code: 'EEXIST' } as never);
  await t.throwsAsync(client.create('d'), { code: 'EISDIR' } as never);
});

test('a file that is unlinked while open can still be read, written, and is gone at the end', async (t) => {
  const fixture = new Fixture(t);
  const { client, fs } = fixture.mount();
  fixture.store.putForeign('f', big);
  const file = await client.open('f', writeFlags);
  await client.unlink('f');
  t.false(fixture.store.objects.has('f'));
  t.deepEqual(await file.read(0, 5000), big);
  await file.write(0, 'X');
  t.is((await file.read(0, 1)).toString(), 'X');
  t.is((await file.stat()).linkCount, 0);
  await file.close();
  await fs.stop();
  t.is(fixture.store.objects.size, 0);
});

test('a new file that is unlinked before its close is never stored', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  const file = await client.create('f');
  await file.write(0, 'x');
  await client.unlink('f');
  await file.close();
  t.is(fixture.store.objects.size, 0);
  await t.throwsAsync(client.stat('f'), { code: 'ENOENT' } as never);
});

test('a directory that only its entries made visible stays when the last one goes', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  fixture.store.putForeign('d/only', 'x');
  await client.unlink('d/only');
  t.is((await client.stat('d')).mode, 0o40755);
  t.deepEqual(await client.list('d'), []);
  await client.removeDirectory('d');
  t.is(fixture.store.objects.size, 0);
});

test('a directory with entries is not removed, hidden keys and unfinished files included', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  await client.makeDirectory('d');
  const file = await client.create('d/unfinished');
  await t.throwsAsync(client.removeDirectory('d'), { code: 'ENOTEMPTY' } as never);
  await client.unlink('d/unfinished');
  await file.close();
  fixture.store.putForeign('d//hidden', 'x');
  await t.throwsAsync(client.removeDirectory('d'), { code: 'ENOTEMPTY' } as never);
});

test('a renamed file keeps its content and attributes and moves no data', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  fixture.store.putForeign('a', big, { metadata: { mode: String(0o100600), other: 'kept' } });
  await client.makeDirectory('d');
  fixture.store.resetCounters();
  await client.rename('a', 'd/b');
  t.is(fixture.store.bytesSent + fixture.store.bytesReceived, 0);
  t.false(fixture.store.objects.has('a'));
  t.like(fixture.store.objects.get('d/b')?.info.metadata, { mode: String(0o100600), other: 'kept' });
  t.deepEqual(await client.readFile('d/b'), big);
  await t.throwsAsync(client.stat('a'), { code: 'ENOENT' } as never);
});

test('rename replaces a file that is open, whose handles keep the old content', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  await client.writeFile('old', 'old content');
  await client.writeFile('new', 'new content');
  const file = await client.open('old');
  await client.rename('new', 'old');
  t.is((await file.read(0, 100)).toString(), 'old content');
  await file.close();
  t.is((await client.readFile('old')).toString(), 'new content');
  t.deepEqual(await client.list(''), ['old']);
});

test('an open file that is renamed goes on under its new name, written data included', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  const file = await client.create('a');
  await file.write(0, 'one');
  await client.rename('a', 'b');
  await file.write(3, 'two');
  await file.close();
  t.is(fixture.store.contentOf('b')?.toString(), 'onetwo');
  t.deepEqual([...fixture.store.objects.keys()], ['b']);
});

test('rename refuses what POSIX refuses', async (t) => {
  const { client } = new Fixture(t).mount();
  await client.makeDirectory('d');
  await client.makeDirectory('d/sub');
  await client.makeDirectory('full');
  await client.writeFile('full/x', '');
  await client.writeFile('f', '');
  const refused = async (
    from: string,
    to: string,
    code: string,
    flags?: { noReplace: boolean; exchange: boolean },
  ) => await t.throwsAsync(client.rename(from, to, flags), { code } as never, `${from} ${to}`);
  await refused('d', 'd/sub/x', 'EINVAL');
  await refused('f', 'd', 'EISDIR');
  await refused('d', 'f', 'ENOTDIR');
  await refused('d', 'full', 'ENOTEMPTY');
  await refused('missing', 'x', 'ENOENT');
  await refused('f', 'full/x', 'EEXIST', { noReplace: true, exchange: false });
  await refused('f', 'full/x', 'EINVAL', { noReplace: false, exchange: true });
});

test('a renamed directory takes everything below along, open and unfinished files too', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  await client.makeDirectory('d');
  for (let i = 0; i < 50; i += 1) fixture.store.putForeign(`d/s${i % 5}/f${i}`, `content ${i}`);
  fixture.store.putForeign('d/big', big);
  const open = await client.open('d/big', writeFlags);
  const unfinished = await client.create('d/s1/new');
  await unfinished.write(0, 'unfinished');
  await client.rename('d', 'e');
  await open.write(0, 'X');
  await open.close();
  await unfinished.close();
  t.is((await client.readFile('e/s3/f13')).toString(), 'content 13');
  t.is(fixture.store.contentOf('e/s1/new')?.toString(), 'unfinished');
  t.is(fixture.store.contentOf('e/big')?.[0], 'X'.charCodeAt(0));
  t.deepEqual(
    [...fixture.store.objects.keys()].filter((key) => !key.startsWith('e/')),
    [],
  );
  t.is((await client.list('e/s0')).length, 10);
});

test('a directory rename that fails leaves the source whole and can be run again', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  for (let i = 0; i < 40; i += 1) fixture.store.putForeign(`d/f${i}`, `content ${i}`);
  let copies = 0;
  fixture.store.beforeRequest = (method) => {
    if (method === 'copy' && (copies += 1) === 20) fixture.store.failNext('copy', 'ServerError');
  };
  await t.throwsAsync(client.rename('d', 'e'), { code: 'EIO' } as never);
  t.is([...fixture.store.objects.keys()].filter((key) => key.startsWith('d/f')).length, 40);
  await client.rename('d', 'e');
  t.is((await client.list('e')).length, 40);
  t.is([...fixture.store.objects.keys()].filter((key) => key.startsWith('d/')).length, 0);
});

test('symlinks are objects with the target as content, as s3fs makes them', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  await client.makeSymlink('target/Ziel-ü', 'link');
  t.is(fixture.store.contentOf('link')?.toString(), 'target/Ziel-ü');
  t.is(fixture.store.objects.get('link')?.info.metadata['mode'], String(0o120777));
  t.is(await client.readLink('link'), 'target/Ziel-ü');
  const other = fixture.mount().client;
  t.is(await other.readLink('link'), 'target/Ziel-ü');
  t.is((await other.stat('link')).mode, 0o120777);
});

/** As another client makes it. */
function putForeignLink({ store }: Fixture, key: string, target: string): void {
  store.putForeign(key, target, { metadata: { mode: String(0o120777) } });
}

test('what is too long for a symlink has no target, and is not fetched', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  putForeignLink(fixture, 'longest', 'x'.repeat(4095));
  putForeignLink(fixture, 'longer', 'x'.repeat(4096));
  t.is((await client.readLink('longest')).length, 4095);
  fixture.store.beforeRequest = (method) => {
    if (method === 'get') t.fail('nothing of it is needed');
  };
  await t.throwsAsync(client.readLink('longer'), { code: 'EIO' } as never);
});

test('a symlink that another client replaced after it was read is another inode, whose target the kernel asks for', async (t) => {
  const fixture = new Fixture(t);
  const { fs, client } = fixture.mount();
  putForeignLink(fixture, 'link', 'v1');
  await client.withInode('link', async (first) => {
    t.is(await fs.readLink({ inode: first }, client.call), 'v1');
    putForeignLink(fixture, 'link', 'version 2');
    fixture.clock.advance(metadataTtlMs);
    await t.throwsAsync(fs.getAttributes({ inode: first }, client.call), { code: 'ESTALE' } as never);
    await client.withInode('link', async (second) => {
      t.not(second, first);
      t.is(await fs.readLink({ inode: second }, client.call), 'version 2');
    });
  });
});

test('a symlink that another client replaces before it is read has no target of another version', async (t) => {
  const fixture = new Fixture(t);
  const { fs, client } = fixture.mount();
  putForeignLink(fixture, 'link', 'v1');
  await client.withInode('link', async (inode) => {
    fixture.store.putForeign('link', 'the content of a file');
    await t.throwsAsync(fs.readLink({ inode }, client.call), { code: 'ESTALE' } as never);
    await client.withInode('link', async (now) => {
      t.not(now, inode);
      t.is((await fs.getAttributes({ inode: now }, client.call)).attributes.mode & 0o170000, 0o100000);
    });
  });
});

test('the beginning of a directory is read without a request for each file', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  const inAnother = fixture.mount().client;
  await inAnother.makeDirectory('d');
  await inAnother.makeSymlink('somewhere', 'd/link');
  await inAnother.makeDirectory('d/sub');
  for (const [name, size] of Object.entries({ empty: 0, small: 4095, large: 4096 })) {
    fixture.store.putForeign(`d/${name}`, 'x'.repeat(size));
  }
  const begin = async () => {
    const types = new Map<string, number>();
    const full = new Map<string, number>();
    await client.withInode('d', async (inode) => {
      const { handle } = await client.fs.openDirectory({ inode }, client.call);
      fixture.store.resetCounters();
      const add = ({ name, type }: DirectoryEntry, entry: Entry | undefined) => {
        types.set(name, type);
        if (!entry) return true;
        full.set(name, entry.attributes.mode & 0o170000);
        client.fs.forget(entry.inode, 1);
        return true;
      };
      await client.fs.readDirectoryPlus({ inode, handle, offset: 0, add }, client.call);
      client.fs.releaseDirectory({ inode, handle });
    });
    return { types: Object.fromEntries(types), full: Object.fromEntries(full) };
  };
  const [directory, file, link, unknown] = [0o040000, 0o100000, 0o120000, 0];
  const dots = { '.': directory, '..': directory };
  t.deepEqual(await begin(), {
    types: { ...dots, empty: unknown, large: file, link: unknown, small: unknown, sub: directory },
    full: {},
  });
  t.is(fixture.store.requestCount('head'), 0);
  // What is known is told.
  fixture.clock.advance(3_000); // not within the second in which they were stored
  t.is((await client.stat('d/link')).mode & 0o170000, link);
  await client.stat('d/large');
  fixture.clock.advance(metadataTtlMs);
  const { types, full } = await begin();
  t.is(types['link'], link);
  t.deepEqual(full, { large: file, link });
});

test('a second ls -l costs listings only, also after the metadata expired', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  for (let i = 0; i < 2500; i += 1) {
    fixture.store.putForeign(`d/f${i}`, String(i), { metadata: { mode: String(0o100600) } });
  }
  t.is((await client.listPlus('d')).size, 2500);
  t.is(fixture.store.requestCount('head'), 2501); // and the marker of the directory
  fixture.store.resetCounters();
  fixture.clock.advance(metadataTtlMs);
  const listed = await client.listPlus('d');
  t.is(listed.get('f1234')?.mode, 0o100600);
  t.true(fixture.store.requestCount('head') <= 2); // of the directory
  t.true(fixture.store.requestCount() <= 6);
});

test('what a listing longer than the time-to-live says last is as good as if it were short', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  for (let i = 0; i < 3000; i += 1) fixture.store.putForeign(`d/f${i}`, String(i));
  fixture.store.beforeRequest = (method) => {
    if (method === 'list') fixture.clock.advance(metadataTtlMs / 2);
  };
  const ttlsMs: number[] = [];
  await client.withInode('d', async (inode) => {
    const { handle } = await client.fs.openDirectory({ inode }, client.call);
    for (let offset = 0, count = 1; count > 0;) {
      count = 0;
      await client.fs.readDirectoryPlus(
        {
          inode,
          handle,
          offset,
          add: (entry, full) => {
            if (count === 100) return false;
            count += 1;
            offset = entry.nextOffset;
            if (full) {
              ttlsMs.push(full.attributesTtlMs);
              client.fs.forget(full.inode, 1);
            }
            return true;
          },
        },
        client.call,
      );
    }
    client.fs.releaseDirectory({ inode, handle });
  });
  t.is(ttlsMs.length, 2902); // all but the first batch's, which need not have any
  t.true(ttlsMs.every((ttlMs) => ttlMs > metadataTtlMs / 4));
});

test('a listing that is too old to be believed is let go of, also where none follows', async (t) => {
  const fixture = new Fixture(t);
  const { fs, client } = fixture.mount();
  // So many that they are not listed only to look up a name.
  for (let i = 0; i < 5000; i += 1) fixture.store.putForeign(`d/f${i}`, String(i));
  await client.withInode('d', async () => {
    for (let i = 0; i < 4; i += 1) await t.throwsAsync(client.stat('d/missing'), { code: 'ENOENT' } as never);
    t.true(fs.statisticsOfCaches().listedEntries >= 4000);
    fixture.clock.advance(metadataTtlMs);
    for (let i = 0; i < 10; i += 1) {
      await client.writeFile(`d/temporary${i}`, 'x');
      await client.unlink(`d/temporary${i}`);
    }
    t.true(fs.statisticsOfCaches().listedEntries < 10);
  });
});

test('a listing shows what this mount made and hides what it removed, stored or not', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  for (const name of ['a', 'b', 'c']) fixture.store.putForeign(name, name);
  t.deepEqual(await client.list(''), ['a', 'b', 'c']);
  await client.unlink('b');
  const file = await client.create('new');
  await client.makeDirectory('d');
  await client.rename('c', 'moved');
  t.deepEqual(await client.list(''), ['a', 'd', 'moved', 'new']);
  fixture.clock.advance(metadataTtlMs);
  t.deepEqual(await client.list(''), ['a', 'd', 'moved', 'new']);
  await file.close();
});

test('entries removed while the directory is read are neither repeated nor make others skipped', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount();
  for (let i = 0; i < 2100; i += 1) fixture.store.putForeign(`d/f${i}`, '');
  const seen: string[] = [];
  await client.withInode('d', async (inode) => {
    const { handle } = await client.fs.openDirectory({ inode }, client.call);
    for (let offset = 0, count = 1; count > 0;) {
      count = 0;
      const names: string[] = [];
      await client.fs.readDirectory(
        {
          inode,
          handle,
          offset,
          add: (entry) => {
            if (count === 10) return false;
            count += 1;
            offset = entry.nextOffset;
            if (!entry.name.startsWith('.')) names.push(entry.name);
            return true;
          },
        },
        client.call,
      );
      for (const name of names) await client.unlink(`d/${name}`);
      seen.push(...names);
    }
    client.fs.releaseDirectory({ inode, handle });
  });
  t.is(seen.length, 2100);
  t.is(new Set(seen).size, 2100);
  t.deepEqual([...fixture.store.objects.keys()], ['d/']);
  await client.removeDirectory('d');
});

test('keys that a directory cannot show are hidden, counted and logged once', async (t) => {
  const fixture = new Fixture(t);
  const { client, lines } = fixture.mount();
  for (const key of ['d/ok', 'd//x', 'd/../x', 'd/./x', `d/${'n'.repeat(300)}`])
    fixture.store.putForeign(key, 'x');
  fixture.store.putForeign('d/both', 'a file');
  fixture.store.putForeign('d/both/below', 'and a directory');
  t.deepEqual(await client.list('d'), ['both', 'ok']);
  t.is((await client.stat('d/both')).mode, 0o40755);
  fixture.clock.advance(metadataTtlMs);
  await client.list('d');
  const hidden = lines.filter(({ message }) => message.includes('hidden'));
  t.is(hidden.length, 1);
  t.like(hidden[0]?.fields, { count: 5 });
});

test('an object under another customer key is listed and cannot be opened', async (t) => {
  const fixture = new Fixture(t);
  fixture.store.putForeign('f', 'secret');
  const { client } = fixture.mount();
  fixture.store.failNext('head', 'WrongCustomerKey', 1000);
  fixture.store.failNext('get', 'WrongCustomerKey', 1000);
  const listed = await client.listPlus('');
  t.like(listed.get('f'), { mode: 0o100000, size: 6 });
  await t.throwsAsync(client.open('f'), { code: 'EACCES' } as never);
});

test('a mount of a prefix sees and makes only keys below it', async (t) => {
  const fixture = new Fixture(t);
  const { client } = fixture.mount({ prefix: 'home/me/' });
  fixture.store.putForeign('home/me/f', 'mine');
  fixture.store.putForeign('home/you/f', 'yours');
  t.deepEqual(await client.list(''), ['f']);
  await client.writeFile('g', 'x');
  t.true(fixture.store.objects.has('home/me/g'));
});

test('a read-only mount refuses every change with EROFS', async (t) => {
  const fixture = new Fixture(t);
  fixture.store.putForeign('f', 'x');
  const { client } = fixture.mount({ isReadOnly: true });
  const refused = async (attempt: Promise<unknown>) =>
    await t.throwsAsync(attempt, { code: 'EROFS' } as never);
  await refused(client.create('g'));
  await refused(client.open('f', writeFlags));
  await refused(client.unlink('f'));
  await refused(client.makeDirectory('d'));
  await refused(client.rename('f', 'g'));
  await refused(client.makeSymlink('x', 'l'));
  await refused(client.setAttributes('f', { mode: 0o600 }));
  t.is((await client.readFile('f')).toString(), 'x');
});

test('hard links are refused, and mknod makes files', async (t) => {
  const { client, fs } = new Fixture(t).mount();
  await client.writeFile('f', 'x');
  await t.throwsAsync(
    client.withInode('f', (inode) => fs.makeLink({ inode, newParent: rootInode, newName: 'l' })),
    { code: 'EPERM' } as never,
  );
  await t.throwsAsync(
    fs.makeNode({ parent: rootInode, name: 'd', mode: 0o040755, deviceNumber: 0 }, client.call),
    { code: 'EINVAL' } as never,
  );
  const entry = await fs.makeNode(
    { parent: rootInode, name: 'plain', mode: 0o100644, deviceNumber: 0 },
    client.call,
  );
  fs.forget(entry.inode, 1);
  t.is((await client.stat('plain')).size, 0);
});

test('user extended attributes are kept in the form of s3fs and limited by the metadata', async (t) => {
  const fixture = new Fixture(t);
  const { client, fs } = fixture.mount();
  await client.writeFile('f', 'x');
  await client.withInode('f', async (inode) => {
    await fs.setExtendedAttribute(
      { inode, name: 'user.a', value: Buffer.from('value'), mode: 'create' },
      client.call,
    );
    t.is(
      Buffer.from(await fs.getExtendedAttribute({ inode, name: 'user.a' }, client.call)).toString(),
      'value',
    );
    t.deepEqual(await fs.listExtendedAttributes({ inode }, client.call), ['user.a']);
    const fails = async (attempt: Promise<unknown>, code: string) =>
      await t.throwsAsync(attempt, { code } as never);
    await fails(
      fs.setExtendedAttribute({ inode, name: 'user.a', value: Buffer.alloc(1), mode: 'create' }, client.call),
      'EEXIST',
    );
    await fails(
      fs.setExtendedAttribute(
        { inode, name: 'user.b', value: Buffer.alloc(1), mode: 'replace' },
        client.call,
      ),
      'ENODATA',
    );
    await fails(
      fs.setExtendedAttribute(
        { inode, name: 'user.c', value: Buffer.alloc(4000), mode: 'either' },
        client.call,
      ),
      'ENOSPC',
    );
    await fails(
      fs.setExtendedAttribute(
        { inode, name: 'trusted.a', value: Buffer.alloc(1), mode: 'either' },
        client.call,
      ),
      'EOPNOTSUPP',
    );
    await fails(fs.removeExtendedAttribute({ inode, name: 'user.b' }, client.call), 'ENODATA');
  });
  await fs.stop();
  const stored = fixture.store.objects.get('f')?.info.metadata['xattr'] ?? '';
  t.is(decodeURIComponent(stored), JSON.stringify({ 'user.a': Buffer.from('value').toString('base64') }));
});

test('copy_file_range leaves stored bytes on the server', async (t) => {
  const fixture = new Fixture(t);
  const { client, fs } = fixture.mount();
  fixture.store.putForeign('a', big);
  const source = await client.open('a');
  const target = await client.create('b');
  fixture.store.resetCounters();
  const copied = await fs.copyFileRange(
    { from: source.at(0), to: target.at(0), length: big.length },
    client.call,
  );
  t.is(copied, big.length);
  await target.close();
  await source.close();
  t.deepEqual(fixture.store.contentOf('b'), big);
});

test('names, keys and files too long are refused', async (t) => {
  const { client } = new Fixture(t).mount();
  await t.throwsAsync(client.create('n'.repeat(256)), { code: 'ENAMETOOLONG' } as never);
  const file = await client.create('f');
  await t.throwsAsync(file.truncate(2 ** 50), { code: 'EFBIG' } as never);
  await file.close();
});

test('set-id bits go when somebody else than root writes', async (t) => {
  const { client } = new Fixture(t).mount();
  const file = await client.create('f', {}, 0o104755);
  t.is((await file.stat()).mode, 0o104755);
  await file.write(0, 'x');
  t.is((await file.stat()).mode, 0o100755);
  await file.close();
});

test('new entries in a set-group-id directory get its group', async (t) => {
  const { client } = new Fixture(t).mount();
  await client.makeDirectory('d', 0o42775);
  await client.setAttributes('d', { gid: 77 });
  await client.writeFile('d/f', '');
  await client.makeDirectory('d/sub');
  t.is((await client.stat('d/f')).gid, 77);
  t.like(await client.stat('d/sub'), { gid: 77, mode: 0o42755 });
});

test('seeking tells data from holes and refuses what is past the end', async (t) => {
  const { client } = new Fixture(t).mount();
  const { fs } = client;
  const file = await client.create('f');
  await file.write(0, 'x');
  await t.throwsAsync(
    fs.seek({ inode: file.inode, handle: file.handle, offset: 1, whence: 'data' }, client.call),
    { code: 'ENXIO' } as never,
  );
  t.is(await fs.seek({ inode: file.inode, handle: file.handle, offset: 0, whence: 'data' }, client.call), 0);
  t.is(await fs.seek({ inode: file.inode, handle: file.handle, offset: 0, whence: 'hole' }, client.call), 1);
  await file.close();
});

test('100,000 lookups, creates and unlinks leave no inode behind', async (t) => {
  const fixture = new Fixture(t);
  const { client, fs } = fixture.mount();
  await client.writeFile('stays', '');
  for (let i = 0; i < 100_000; i += 1) {
    const { inode } = await fs.lookup({ parent: rootInode, name: 'stays' }, client.call);
    fs.forget(inode, 1);
  }
  for (let i = 0; i < 300; i += 1) {
    await client.writeFile(`f${i}`, 'x');
    await client.unlink(`f${i}`);
  }
  await fs.stop();
  t.is(fs.statisticsOfCaches().inodes, 1);
  t.is(fs.statisticsOfCaches().openHandles, 0);
  fs.checkInvariants();
});

test('an inode number is the same after a remount and the same in a listing', async (t) => {
  const fixture = new Fixture(t);
  fixture.store.putForeign('d/f', 'x');
  const first = fixture.mount().client;
  const second = fixture.mount().client;
  const { ino } = await first.stat('d/f');
  t.is((await second.stat('d/f')).ino, ino);
  t.is((await second.listEntries('d'))[0]?.ino, ino);
  t.not((await second.stat('d')).ino, ino);
});

test('an interrupted call ends with EINTR and leaves no trace', async (t) => {
  const fixture = new Fixture(t);
  fixture.store.putForeign('f', Buffer.alloc(200_000, 'x'));
  const { client } = fixture.mount();
  const interruption = new AbortController();
  const waiting: string[] = [];
  let answer: () => void = () => undefined;
  const answered = new Promise<void>((resolve) => (answer = resolve));
  fixture.store.beforeRequest = (method) => {
    if (method !== 'get') return;
    waiting.push(method);
    return answered;
  };
  const file = await client.open('f', readFlags);
  const reading = client.fs.read(
    { inode: file.inode, handle: file.handle, offset: 0, length: 10 },
    {
      ...client.call,
      signal: interruption.signal,
    },
  );
  await turnsUntil('the read asks the store', () => waiting.length > 0);
  interruption.abort();
  await t.throwsAsync(reading, { code: 'EINTR' } as never);
  answer();
  t.is((await file.read(0, 10)).toString(), 'x'.repeat(10));
  await file.close();
});

test('whoever opens a file that is just being replaced or removed gets the old content, the new, or ESTALE', async (t) => {
  for (const operation of ['rename', 'unlink'] as const) {
    const fixture = new Fixture(t);
    const { client } = fixture.mount();
    const { store } = fixture;
    store.putForeign('f', big);
    store.putForeign('new', 'new content');
    const holder = await client.open('f');
    const opened: Promise<string>[] = [];
    const readNow = async () => {
      try {
        const file = await client.open('f');
        await manyTurns();
        const content = (await file.read(0, 10_000)).toString();
        await file.close();
        return content;
      } catch (error) {
        return (error as { code: string }).code;
      }
    };
    store.beforeRequest = (method) => {
      if (method !== 'head' && method !== 'list' && opened.length < 30) opened.push(readNow());
    };
    if (operation === 'rename') await client.rename('new', 'f');
    else await client.unlink('f');
    store.beforeRequest = () => undefined;
    t.true(opened.length > 0);
    const allowed = new Set([big.toString(), operation === 'rename' ? 'new content' : 'ENOENT', 'ESTALE']);
    for (const content of await Promise.all(opened)) {
      t.true(allowed.has(content), `${operation}: ${content.slice(0, 20)} (${content.length})`);
      t.not(content, '');
    }
    t.true(big.equals(await holder.read(0, 10_000)));
    await holder.close();
  }
});

test('opening a small file to read it costs one request with its bytes, and every further open one without', async (t) => {
  const fixture = new Fixture(t);
  const { store } = fixture;
  const { client } = fixture.mount();
  store.putForeign('f', 'small');
  await client.list('');
  await client.stat('f');
  store.resetCounters();
  t.is((await client.readFile('f')).toString(), 'small');
  t.is(store.requestCount(), 1);
  t.is((await client.readFile('f')).toString(), 'small');
  t.is(store.requestCount('get'), 1);
  store.putForeign('f', 'another, longer');
  t.is((await client.readFile('f')).toString(), 'another, longer');
  store.putForeign('f', '');
  t.is((await client.readFile('f')).toString(), '');
  store.putForeign('f', Buffer.alloc(300_000, 'x'));
  t.is((await client.readFile('f')).length, 300_000);
  store.resetCounters();
  const writer = await client.open('f', writeFlags);
  await writer.close();
  t.is(store.requestCount('get'), 0);
});

test('attributes that are due do not put a half-written file into the bucket', async (t) => {
  const clock = new HeldClock();
  const fixture = new Fixture(t, undefined, clock);
  const { client, fs } = fixture.mount({ attributeDelayMs: 20 });
  await client.writeFile('f', 'the whole of the old content');
  await client.setAttributes('f', { mode: 0o600 });
  const file = await client.open('f', { ...writeFlags, truncate: true });
  await file.write(0, 'half');
  t.is(clock.timerCount, 1);
  clock.advance(20);
  t.is(clock.timerCount, 0);
  await manyTurns();
  t.is(fixture.store.contentOf('f')?.toString(), 'the whole of the old content');
  await fs.synchronizeAll('what is closed');
  t.is(fixture.store.contentOf('f')?.toString(), 'the whole of the old content');
  await file.write(4, ' and the rest');
  await file.close();
  t.is(fixture.store.contentOf('f')?.toString(), 'half and the rest');
  t.is(fixture.store.objects.get('f')?.info.metadata['mode'], String(0o100600));
  t.deepEqual(fs.pendingKeys(), []);
});
