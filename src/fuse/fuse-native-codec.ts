/** What the package fuse-native wants and gives: arrays of 32-bit numbers, times in milliseconds. Pure. */
import type { Attributes, FileSystemStatistics } from '../file-system.js';
import { preferredIoSize } from './reply-encoding.js';

const twoTo32 = 0x1_0000_0000;
const maxUint32 = twoTo32 - 1;
const nanosecondsPerMs = 1_000_000n;

/**
 * `struct stat`. The inode number is left to libfuse, which numbers files by itself: 32 bits of ours would not be unique.
 * Milliseconds are counted without a sign, so that times before 1970 are shown as 1970.
 */
export function encodeStat(attributes: Attributes): Uint32Array {
  const { mode, uid, gid, size, linkCount, blocks, atimeNs, mtimeNs, ctimeNs, deviceNumber = 0 } = attributes;
  return Uint32Array.of(
    mode,
    uid,
    gid,
    ...splitUint64(size),
    0, // st_dev
    linkCount,
    0, // st_ino
    deviceNumber,
    preferredIoSize,
    ...splitUint64(blocks),
    ...splitUint64(shownMs(atimeNs)),
    ...splitUint64(shownMs(mtimeNs)),
    ...splitUint64(shownMs(ctimeNs)),
  );
}

/** `struct stat` of which only the type bits of the mode are known, for listings. */
export function encodeType(type: number): Uint32Array {
  const stat = new Uint32Array(statLength);
  stat[0] = type;
  return stat;
}

export const statLength = 18;

/** `struct statvfs`. Its counts have 32 bits: blocks are shown larger until their number fits. */
export function encodeStatvfs(statistics: FileSystemStatistics): Uint32Array {
  let factor = 1;
  while (statistics.blocks / factor > maxUint32) factor *= 2;
  const blockSize = Math.min(statistics.blockSize * factor, maxUint32);
  const blocks = Math.floor(statistics.blocks / factor);
  const blocksFree = Math.floor(statistics.blocksFree / factor);
  const files = Math.min(statistics.files, maxUint32);
  const filesFree = Math.min(statistics.filesFree, maxUint32);
  const { maxNameBytes } = statistics;
  return Uint32Array.of(
    blockSize,
    blockSize,
    blocks,
    blocksFree,
    blocksFree,
    files,
    filesFree,
    filesFree,
    0, // f_fsid
    0, // f_flag
    maxNameBytes,
  );
}

export const statisticsLength = 11;

/** Joins the halves of an unsigned 64-bit number; exact up to 2^53. */
export function joinUint64(low: number, high: number): number {
  return low + high * twoTo32;
}

/** A time in milliseconds, of a signed 64-bit number in halves, as nanoseconds. */
export function decodeTimeNs(lowMs: number, highMs: number): bigint {
  return BigInt.asIntN(64, (BigInt(highMs) << 32n) | BigInt(lowMs)) * nanosecondsPerMs;
}

function splitUint64(value: number): [low: number, high: number] {
  return [value % twoTo32, Math.floor(value / twoTo32)];
}

function shownMs(timeNs: bigint): number {
  return timeNs < 0n ? 0 : Number(timeNs / nanosecondsPerMs);
}
