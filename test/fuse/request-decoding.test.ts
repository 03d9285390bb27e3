// The structs of linux/fuse.h, put together field by field in the header's order.
import { constants } from 'node:fs';
import test from 'ava';
import * as requests from '../../src/fuse/request-decoding.js';

type Field = readonly [bits: 16 | 32 | 64, value: number | bigint];

/** Bytes of a C struct without padding, as all FUSE structs are laid out. */
function struct(...fields: Field[]): Buffer {
  return Buffer.concat(
    fields.map(([bits, value]) => {
      const bytes = Buffer.alloc(8);
      bytes.writeBigInt64LE(BigInt.asIntN(64, BigInt(value)));
      return bytes.subarray(0, bits / 8);
    }),
  );
}

test('a header is decoded, and extensions are cut off the body', (t) => {
  const header = struct(
    [32, 56],
    [32, 15],
    [64, 2n ** 40n],
    [64, 7],
    [32, 1000],
    [32, 100],
    [32, 42],
    [16, 1],
    [16, 0],
  );
  t.deepEqual(requests.decodeHeader(header), {
    length: 56,
    opcode: 15,
    unique: 2 ** 40,
    inode: 7,
    uid: 1000,
    gid: 100,
    pid: 42,
    bodyEnd: 48,
  });
});

test('forgets come in batches', (t) => {
  const body = struct([32, 2], [32, 0], [64, 5], [64, 1], [64, 6], [64, 300]);
  const forgotten: number[][] = [];
  requests.decodeBatchForget(body, (inode, count) => forgotten.push([inode, count]));
  t.deepEqual(forgotten, [
    [5, 1],
    [6, 300],
  ]);
});

test('GETATTR names a handle only if it says so', (t) => {
  t.is(requests.decodeGetAttributesHandle(struct([32, 1], [32, 0], [64, 9])), 9);
  t.is(requests.decodeGetAttributesHandle(struct([32, 0], [32, 0], [64, 9])), undefined);
});

/** `fuse_setattr_in` */
function setAttributes(valid: number): Buffer {
  return struct(
    [32, valid],
    [32, 0],
    [64, 77], // fh
    [64, 1234], // size
    [64, 0], // lock_owner
    [64, -2n], // atime
    [64, 20], // mtime
    [64, 30], // ctime
    [32, 500_000_000],
    [32, 2],
    [32, 3],
    [32, 0o100640], // mode
    [32, 0],
    [32, 1000], // uid
    [32, 100], // gid
    [32, 0],
  );
}

test('SETATTR changes what its flags name and nothing else', (t) => {
  t.deepEqual(requests.decodeSetAttributes(setAttributes(0)), { changes: {}, handle: undefined });
  t.deepEqual(requests.decodeSetAttributes(setAttributes(1 << 0)).changes, { mode: 0o640 });
  t.deepEqual(requests.decodeSetAttributes(setAttributes((1 << 1) | (1 << 2))).changes, {
    uid: 1000,
    gid: 100,
  });
  t.deepEqual(requests.decodeSetAttributes(setAttributes((1 << 3) | (1 << 6))), {
    changes: { size: 1234 },
    handle: 77,
  });
  t.deepEqual(requests.decodeSetAttributes(setAttributes((1 << 4) | (1 << 5) | (1 << 10))).changes, {
    atime: -1_500_000_000n,
    mtime: 20_000_000_002n,
    ctime: 30_000_000_003n,
  });
  t.deepEqual(requests.decodeSetAttributes(setAttributes(1 << 11)).changes, { killSetId: true });
});

test('SETATTR to the present is told apart from a time', (t) => {
  t.deepEqual(
    requests.decodeSetAttributes(setAttributes((1 << 4) | (1 << 5) | (1 << 7) | (1 << 8))).changes,
    {
      atime: 'now',
      mtime: 'now',
    },
  );
});

test('the flags of open are decoded', (t) => {
  const none = { read: false, write: false, truncate: false, exclusive: false, direct: false };
  const decode = (flags: number) => requests.decodeOpenFlags(struct([32, flags], [32, 0]), 0);
  t.deepEqual(decode(constants.O_RDONLY), { ...none, read: true });
  t.deepEqual(decode(constants.O_WRONLY | constants.O_APPEND), { ...none, write: true });
  t.deepEqual(decode(constants.O_RDWR | constants.O_TRUNC | constants.O_EXCL | constants.O_DIRECT), {
    read: true,
    write: true,
    truncate: true,
    exclusive: true,
    direct: true,
  });
  t.deepEqual(decode(3), none);
});

test('WRITE’s data is a view into the request', (t) => {
  const head = struct([64, 3], [64, 2n ** 33n], [32, 4], [32, 1 << 2], [64, 0], [32, 0], [32, 0]);
  const body = Buffer.concat([head, Buffer.from('data')]);
  const { handle, offset, data, killSetId } = requests.decodeWrite(body);
  t.deepEqual({ handle, offset, killSetId }, { handle: 3, offset: 2 ** 33, killSetId: true });
  t.is(data.toString(), 'data');
  t.is(data.buffer, body.buffer);
});

test('a WRITE with less data than it says is an error', (t) => {
  t.throws(
    () => requests.decodeWrite(struct([64, 3], [64, 0], [32, 4], [32, 0], [64, 0], [32, 0], [32, 0])),
    {
      instanceOf: RangeError,
    },
  );
});

test('READ is decoded', (t) => {
  const body = struct([64, 3], [64, 4096], [32, 131072], [32, 0], [64, 0], [32, 0], [32, 0]);
  t.deepEqual(requests.decodeRead(body), { handle: 3, offset: 4096, length: 131072 });
});

test('rename flags that are not known are not passed over', (t) => {
  t.deepEqual(requests.decodeRenameFlags(0), { noReplace: false, exchange: false });
  t.deepEqual(requests.decodeRenameFlags(1), { noReplace: true, exchange: false });
  t.deepEqual(requests.decodeRenameFlags(2), { noReplace: false, exchange: true });
  t.is(requests.decodeRenameFlags(4), undefined);
});

test('fallocate’s modes are decoded, and others have no mode', (t) => {
  const decode = (mode: number) =>
    requests.decodeFallocate(struct([64, 3], [64, 10], [64, 20], [32, mode], [32, 0]));
  t.deepEqual(decode(0x03), {
    handle: 3,
    offset: 10,
    length: 20,
    mode: { keepSize: true, punchHole: true, zeroRange: false },
  });
  t.is(decode(0x08).mode, undefined, 'FALLOC_FL_COLLAPSE_RANGE');
});

test('COPY_FILE_RANGE is decoded', (t) => {
  t.deepEqual(
    requests.decodeCopyFileRange(7, struct([64, 1], [64, 2], [64, 3], [64, 4], [64, 5], [64, 6], [64, 0])),
    { from: { inode: 7, handle: 1, offset: 2 }, to: { inode: 3, handle: 4, offset: 5 }, length: 6 },
  );
});
