import test from 'ava';
import type { Attributes, DirectoryEntry, Entry } from '../../src/file-system.js';
import { DirectoryReply } from '../../src/fuse/directory-reply.js';

const attributes: Attributes = {
  ino: 3n,
  mode: 0o40755,
  linkCount: 1,
  uid: 0,
  gid: 0,
  size: 0,
  blocks: 0,
  atimeNs: 0n,
  mtimeNs: 0n,
  ctimeNs: 0n,
};

function entryNamed(name: string): DirectoryEntry {
  return { name, ino: 3n, type: 0o40000, nextOffset: 12 };
}

function fullEntry(inode: number): Entry {
  return { inode, attributes, entryTtlMs: 0, attributesTtlMs: 0 };
}

test('an entry is a fuse_dirent, padded to eight bytes', (t) => {
  const reply = new DirectoryReply(4096, false);
  t.true(reply.add(entryNamed('süß'), undefined));
  t.is(
    reply.finish().toString('hex', 16),
    '0300000000000000' + // ino
      '0c00000000000000' + // off
      '05000000' + // namelen
      '04000000' + // DT_DIR
      '73c3bcc39f000000', // name
  );
});

test('a full entry is a fuse_direntplus and counts as a lookup', (t) => {
  const reply = new DirectoryReply(4096, true);
  t.true(reply.add(entryNamed('a'), fullEntry(7)));
  t.true(reply.add(entryNamed('b'), undefined));
  const bytes = reply.finish();
  t.is(bytes.length, 16 + 2 * (128 + 24 + 8));
  t.is(bytes.readBigUInt64LE(16), 7n);
  t.is(bytes.readBigUInt64LE(16 + 160), 0n, 'no inode: the kernel looks it up itself');
  t.is(bytes.toString('latin1', 16 + 160 + 128 + 24, 16 + 160 + 128 + 25), 'b');
  t.deepEqual(reply.lookedUp, [7]);
});

test('what does not fit is not taken, nor anything after it', (t) => {
  const reply = new DirectoryReply(2 * (128 + 24 + 8), true);
  t.true(reply.add(entryNamed('12345678'), fullEntry(7)));
  t.false(reply.add(entryNamed('123456789'), fullEntry(8)));
  t.false(
    reply.add(entryNamed('1'), fullEntry(9)),
    'there is room, but its offset would skip the one before',
  );
  t.deepEqual(reply.lookedUp, [7]);
  t.is(reply.finish().length, 16 + 160);
});

test('a buffer is filled to the last byte', (t) => {
  const reply = new DirectoryReply(2 * 32, false);
  t.true(reply.add(entryNamed('12345678'), undefined));
  t.true(reply.add(entryNamed('1'), undefined));
  t.false(reply.add(entryNamed('1'), undefined));
});

test('nothing is taken after the end', (t) => {
  const reply = new DirectoryReply(4096, false);
  t.is(reply.finish().length, 16);
  t.false(reply.add(entryNamed('late'), undefined));
});
