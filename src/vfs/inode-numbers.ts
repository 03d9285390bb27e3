/** Inode numbers (st_ino) derived from keys, so that they are the same after a remount and from every machine. */
import { hash } from 'node:crypto';

const reservedNumbers = 16n;

/** 64 bits of a hash of the key; a directory's key ends in '/'. Never one of the small numbers that have a meaning. */
export function inodeNumberOf(key: string): bigint {
  const number = hash('md5', key, 'buffer').readBigUInt64LE(0);
  return number < reservedNumbers ? number + reservedNumbers : number;
}
