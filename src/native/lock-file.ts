/** A lock on a file, which the kernel frees however the process ends: flock(2). */
import { closeSync, openSync } from 'node:fs';
import koffi from 'koffi';

/** asm-generic/fcntl.h */
const LOCK_EX = 2;
const LOCK_NB = 4;

/** Makes the file if it is missing, and keeps it. Undefined if another process has the lock; throws the system's error. */
export function tryLockFile(file: string): { release(): void } | undefined {
  const flock = koffi.load('libc.so.6').func('int flock(int fd, int operation)');
  const descriptor = openSync(file, 'a', 0o600);
  if (flock(descriptor, LOCK_EX | LOCK_NB) !== 0) {
    closeSync(descriptor);
    return undefined;
  }
  return { release: () => closeSync(descriptor) };
}
