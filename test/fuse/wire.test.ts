import test from 'ava';
import {
  readExistingName,
  readNewName,
  readString,
  readTimeNs,
  readUint64,
  stringEnd,
  writeTimeNs,
  writeTtl,
  writeUint64,
} from '../../src/fuse/wire.js';
import { fc } from '../seed.js';

test('64-bit numbers up to 2^53 come back as they were written', (t) => {
  const buffer = Buffer.alloc(16);
  fc.assert(
    fc.property(fc.maxSafeNat(), (value) => {
      writeUint64(buffer, value, 8);
      return readUint64(buffer, 8) === value && buffer.readBigUInt64LE(8) === BigInt(value);
    }),
  );
  t.pass();
});

test('a time of any sign has nanoseconds from 0 to 999,999,999', (t) => {
  const buffer = Buffer.alloc(12);
  for (const [timeNs, seconds, nanoseconds] of [
    [0n, 0n, 0],
    [1_500_000_000n, 1n, 500_000_000],
    [-1n, -1n, 999_999_999],
    [-1_000_000_000n, -1n, 0],
    [-1_500_000_000n, -2n, 500_000_000],
  ] as const) {
    writeTimeNs(buffer, timeNs, 0, 8);
    t.deepEqual([buffer.readBigInt64LE(0), buffer.readUInt32LE(8)], [seconds, nanoseconds], `${timeNs}`);
  }
});

test('times come back as they were written', (t) => {
  const buffer = Buffer.alloc(12);
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }), (timeNs) => {
      writeTimeNs(buffer, timeNs, 0, 8);
      return readTimeNs(buffer, 0, 8) === timeNs;
    }),
  );
  t.pass();
});

test('lifetimes are split into seconds and nanoseconds, and bounded', (t) => {
  const buffer = Buffer.alloc(12);
  for (const [ttlMs, seconds, nanoseconds] of [
    [0, 0, 0],
    [1500, 1, 500_000_000],
    [0.25, 0, 250_000],
    [-5, 0, 0],
    [Infinity, 2 ** 32, 0],
  ] as const) {
    writeTtl(buffer, ttlMs, 0, 8);
    t.deepEqual([readUint64(buffer, 0), buffer.readUInt32LE(8)], [seconds, nanoseconds], `${ttlMs}`);
  }
});

test('strings end at their NUL, and one follows the other', (t) => {
  const body = Buffer.from('headér\0target\0', 'utf8');
  t.is(readString(body, 0), 'headér');
  t.is(readString(body, stringEnd(body, 0) + 1), 'target');
});

test('a string without an end is an error', (t) => {
  t.throws(() => readString(Buffer.from('abc'), 0), { instanceOf: RangeError });
});

test('a byte order mark is part of a name', (t) => {
  t.is(readString(Buffer.from('\uFEFFname\0'), 0), '\uFEFFname');
});

test('a name that is not UTF-8 does not exist and cannot be made', (t) => {
  const body = Buffer.from([0x61, 0xff, 0]);
  t.is(readString(body, 0), undefined);
  t.throws(() => readExistingName(body, 0), { code: 'ENOENT' });
  t.throws(() => readNewName(body, 0), { code: 'EILSEQ' });
});
