import test from 'ava';
import type { Attributes } from '../../src/file-system.js';
import { decodeTimeNs, encodeStat, encodeStatvfs, joinUint64 } from '../../src/fuse/fuse-native-codec.js';

const attributes: Attributes = {
  ino: 2n ** 40n,
  mode: 0o100644,
  linkCount: 1,
  uid: 1000,
  gid: 2000,
  size: 5 * 2 ** 32 + 7,
  blocks: 2 ** 33,
  atimeNs: -1n,
  mtimeNs: 1_700_000_000_123_456_789n,
  ctimeNs: 0n,
};

test('sizes, blocks and times of more than 32 bits go in halves, and times before 1970 as 1970', (t) => {
  const stat = encodeStat(attributes);
  t.deepEqual([...stat.slice(0, 5)], [0o100644, 1000, 2000, 7, 5]);
  t.is(stat[6], 1);
  t.deepEqual([...stat.slice(10, 14)], [0, 2, 0, 0]);
  t.is(joinUint64(stat[14] ?? 0, stat[15] ?? 0), 1_700_000_000_123);
  t.deepEqual([...stat.slice(16)], [0, 0]);
});

test('a file system of more blocks than 32 bits can count is shown in larger blocks', (t) => {
  const statistics = {
    blockSize: 4096,
    blocks: 2 ** 38,
    blocksFree: 2 ** 37,
    files: 2 ** 40,
    filesFree: 5,
    maxNameBytes: 255,
  };
  const [blockSize = 0, , blocks = 0, blocksFree = 0, , files, filesFree] = encodeStatvfs(statistics);
  t.is(blockSize * blocks, 2 ** 50);
  t.is(blockSize * blocksFree, 2 ** 49);
  t.is(files, 2 ** 32 - 1);
  t.is(filesFree, 5);
});

test('times come as signed milliseconds in halves', (t) => {
  t.is(decodeTimeNs(1_500, 0), 1_500_000_000n);
  t.is(decodeTimeNs(0xffff_ffff, 0xffff_ffff), -1_000_000n);
  t.is(decodeTimeNs(0, 1), 2n ** 32n * 1_000_000n);
});
