import test from 'ava';
import type { Attributes, Entry } from '../../src/file-system.js';
import * as replies from '../../src/fuse/reply-encoding.js';

const attributes: Attributes = {
  ino: 2n ** 63n + 5n,
  mode: 0o100644,
  linkCount: 1,
  uid: 1000,
  gid: 100,
  size: 2 ** 40 + 1,
  blocks: 8,
  atimeNs: 1_000_000_001n,
  mtimeNs: -1n,
  ctimeNs: 3_000_000_003n,
};

/** `fuse_attr` of the above, in the header's order. */
const attributeBytes =
  '0500000000000080' + // ino
  '0100000000010000' + // size
  '0800000000000000' + // blocks
  '0100000000000000' + // atime
  'ffffffffffffffff' + // mtime
  '0300000000000000' + // ctime
  '01000000' + // atimensec
  'ffc99a3b' + // mtimensec: 999,999,999
  '03000000' + // ctimensec
  'a4810000' + // mode
  '01000000' + // nlink
  'e8030000' + // uid
  '64000000' + // gid
  '00000000' + // rdev
  '00000200' + // blksize: 128 KiB
  '00000000'; // flags

const entry: Entry = { inode: 7, attributes, entryTtlMs: 1500, attributesTtlMs: 60_000 };

const entryBytes =
  '0700000000000000' + // nodeid
  '0000000000000000' + // generation
  '0100000000000000' + // entry_valid
  '3c00000000000000' + // attr_valid
  '0065cd1d' + // entry_valid_nsec: 500,000,000
  '00000000' + // attr_valid_nsec
  attributeBytes;

function body(head: Buffer): string {
  return head.toString('hex', 16);
}

test('an entry is fuse_entry_out', (t) => {
  t.is(body(replies.encodeEntry(entry)), entryBytes);
});

test('attributes are fuse_attr_out', (t) => {
  t.is(
    body(replies.encodeAttributes({ attributes, attributesTtlMs: 1500 }).head),
    '0100000000000000' + '0065cd1d' + '00000000' + attributeBytes,
  );
});

test('a created file is fuse_entry_out and fuse_open_out', (t) => {
  const head = replies.encodeCreated(entry, { handle: 9, keepCache: true, directIo: true });
  t.is(body(head), entryBytes + '0900000000000000' + '03000000' + '00000000');
});

test('an open file says what the kernel may do', (t) => {
  const flagsOf = (keepCache: boolean, directIo: boolean) =>
    replies.encodeOpen({ handle: 1, keepCache, directIo }).readUInt32LE(24);
  t.is(flagsOf(false, false), 0);
  t.is(flagsOf(false, true), 1);
  t.is(flagsOf(true, false), 2);
});

test('a header is sealed with length, negative errno and unique', (t) => {
  const { head } = replies.encodeEmpty();
  replies.sealReply(head, 2 ** 33 + 2, 5, 16);
  t.is(head.toString('hex'), '10000000' + 'fbffffff' + '0200000002000000');
});

test('statistics are fuse_statfs_out', (t) => {
  const { head } = replies.encodeStatistics({
    blockSize: 4096,
    blocks: 100,
    blocksFree: 50,
    files: 10,
    filesFree: 5,
    maxNameBytes: 255,
  });
  t.is(
    body(head),
    '6400000000000000' +
      '3200000000000000' +
      '3200000000000000' +
      '0a00000000000000' +
      '0500000000000000' +
      '00100000' +
      'ff000000' +
      '00100000' +
      '00000000' +
      '00'.repeat(24),
  );
});

test('counts and offsets have their own widths', (t) => {
  t.is(body(replies.encodeCount(5).head), '0500000000000000');
  t.is(body(replies.encodeOffset(2 ** 32).head), '0000000001000000');
});
