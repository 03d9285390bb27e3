/** Keeps the memory of this process, and with it the customer key, out of core dumps. */
import koffi from 'koffi';

/** asm-generic/resource.h */
const RLIMIT_CORE = 4;
/**
 * In bytes. Not 0: core(5) says that the limit does not count where core_pattern is a pipe, but the kernel
 * (fs/coredump.c) takes a limit of exactly 1 as "no dump at all" there; for a file it is too small to begin one.
 */
const coreBytes = 1;

/**
 * Lowers the hard limit, so nothing can raise it again; programs started later inherit it. PR_SET_DUMPABLE would
 * do as well, but also hides this process's /proc entries from its own user. Throws if the system refuses.
 */
export function limitCoreDumps(): void {
  const setrlimit = koffi.load('libc.so.6').func('int setrlimit(int resource, const uint64_t *limits)');
  // struct rlimit: rlim_cur, rlim_max; a hard limit that is already lower may not be raised.
  const tried = [coreBytes, 0].some((bytes) => {
    const limits = new BigUint64Array([BigInt(bytes), BigInt(bytes)]);
    return setrlimit(RLIMIT_CORE, limits) === 0;
  });
  if (!tried) throw new Error('setrlimit(RLIMIT_CORE) was refused');
}
