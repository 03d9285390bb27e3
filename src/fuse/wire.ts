/**
 * Numbers, times and names as they lie in FUSE messages: little-endian (the driver refuses to start elsewhere),
 * 64-bit counts as JavaScript numbers. `request-decoding.ts` and `reply-encoding.ts` know which field lies where.
 */
import { isUtf8 } from 'node:buffer';
import { FsError } from '../errors.js';

const twoTo32 = 0x1_0000_0000;
const nanosecondsPerSecond = 1_000_000_000n;

/** An unsigned 64-bit field. Exact up to 2^53: node ids, handles and offsets stay below. */
export function readUint64(buffer: Buffer, offset: number): number {
  return buffer.readUInt32LE(offset) + buffer.readUInt32LE(offset + 4) * twoTo32;
}

/** `value` is an integer from 0 to 2^53. */
export function writeUint64(buffer: Buffer, value: number, offset: number): void {
  buffer.writeUInt32LE(value % twoTo32, offset);
  buffer.writeUInt32LE(Math.floor(value / twoTo32), offset + 4);
}

/** Joins a signed 64-bit field of seconds and a field of nanoseconds. */
export function readTimeNs(buffer: Buffer, secondsOffset: number, nanosecondsOffset: number): bigint {
  return (
    buffer.readBigInt64LE(secondsOffset) * nanosecondsPerSecond +
    BigInt(buffer.readUInt32LE(nanosecondsOffset))
  );
}

/** Times before 1970 are rounded down, so that the nanoseconds are 0 to 999,999,999 as stat(2) has them. */
export function writeTimeNs(
  buffer: Buffer,
  timeNs: bigint,
  secondsOffset: number,
  nanosecondsOffset: number,
): void {
  let seconds = timeNs / nanosecondsPerSecond;
  let nanoseconds = timeNs % nanosecondsPerSecond;
  if (nanoseconds < 0n) {
    seconds -= 1n;
    nanoseconds += nanosecondsPerSecond;
  }
  buffer.writeBigInt64LE(BigInt.asIntN(64, seconds), secondsOffset);
  buffer.writeUInt32LE(Number(nanoseconds), nanosecondsOffset);
}

/** A lifetime in the kernel's caches, cut to 2^32 seconds. */
export function writeTtl(
  buffer: Buffer,
  ttlMs: number,
  secondsOffset: number,
  nanosecondsOffset: number,
): void {
  const boundedMs = Math.min(Math.max(ttlMs, 0), twoTo32 * 1000);
  const seconds = Math.floor(boundedMs / 1000);
  writeUint64(buffer, seconds, secondsOffset);
  buffer.writeUInt32LE(Math.floor((boundedMs - seconds * 1000) * 1e6), nanosecondsOffset);
}

/** Where the string that starts at `offset` ends: the place of its NUL. Throws a RangeError if there is none. */
export function stringEnd(body: Buffer, offset: number): number {
  const end = body.indexOf(0, offset);
  if (end === -1) throw new RangeError('a string in a request from the kernel has no end');
  return end;
}

/** The string that starts at `offset`, without its NUL; undefined if it is not UTF-8. */
export function readString(body: Buffer, offset: number): string | undefined {
  const end = stringEnd(body, offset);
  if (!isUtf8(body.subarray(offset, end))) return undefined;
  return body.toString('utf8', offset, end);
}

/** A name that must exist. No key has a name that is not UTF-8: throws ENOENT. */
export function readExistingName(body: Buffer, offset: number): string {
  const name = readString(body, offset);
  if (name === undefined) throw new FsError('ENOENT', 'lookup: a name that is not UTF-8 names nothing here');
  return name;
}

/** A new name, or a symlink's target. Throws EILSEQ if S3 could not keep it. */
export function readNewName(body: Buffer, offset: number): string {
  const name = readString(body, offset);
  if (name === undefined) throw new FsError('EILSEQ', 'create: the name is not UTF-8, as S3 keys must be');
  return name;
}
