/** _exit(2): for a process that must end although threads of it are blocked in the kernel. */
import koffi from 'koffi';

/**
 * Ends this process with `status` at once. `process.exit` waits for libuv's threads, and a thread that reads /dev/fuse
 * while the mount is in use never returns: the process would hang, and every program that uses the mount with it. Buffered
 * output is lost: flush before.
 */
export function exitImmediately(status: number): never {
  const end = koffi.load('libc.so.6').func('void _exit(int status)');
  end(status);
  throw new Error('_exit returned'); // for the type checker: it cannot
}
