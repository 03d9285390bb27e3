/** Keeps the memory of this process, and so the customer key, out of core dumps and away from other processes of its user. */
import koffi from 'koffi';

/** asm-generic/resource.h */
const RLIMIT_CORE = 4;
/**
 * In bytes. Not 0: core(5) says that the limit does not count where core_pattern is a pipe, but the kernel
 * (fs/coredump.c) takes a limit of exactly 1 as "no dump at all" there; for a file it is too small to begin one.
 */
const coreBytes = 1;
/** linux/prctl.h */
const PR_SET_DUMPABLE = 4;

/**
 * Lowers the hard limit, so nothing can raise it again; programs started later inherit it. Beside that the process is made
 * undumpable, PR_SET_DUMPABLE(2const): a core_pattern that is a socket (Linux 6.16) does not look at the limit, and /proc/PID/mem and
 * environ of a dumpable process are open to every program of its user. /proc/PID/stat and status stay readable. Programs started
 * later do not inherit it. Throws if the system refuses.
 */
export function limitCoreDumps(): void {
  const libc = koffi.load('libc.so.6');
  const setrlimit = libc.func('int setrlimit(int resource, const uint64_t *limits)');
  // struct rlimit: rlim_cur, rlim_max; a hard limit that is already lower may not be raised.
  const tried = [coreBytes, 0].some((bytes) => {
    const limits = new BigUint64Array([BigInt(bytes), BigInt(bytes)]);
    return setrlimit(RLIMIT_CORE, limits) === 0;
  });
  if (!tried) throw new Error('setrlimit(RLIMIT_CORE) was refused');
  const prctl = libc.func('int prctl(int, unsigned long, unsigned long, unsigned long, unsigned long)');
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) !== 0) throw new Error('prctl(PR_SET_DUMPABLE) was refused');
}
