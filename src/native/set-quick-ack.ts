/** setsockopt(2) for TCP_QUICKACK, which Node has no call for. */
import koffi from 'koffi';

/** linux/tcp.h, asm-generic/socket.h */
const IPPROTO_TCP = 6;
const TCP_QUICKACK = 12;

/**
 * Makes the kernel acknowledge what arrives on the TCP socket `fd` at once, until it falls back to delayed
 * acknowledgements by itself, tcp(7). Throws if the C library cannot be reached; a socket that does not take the option
 * is left as it is.
 */
export function loadSetQuickAck(): (fd: number) => void {
  const setsockopt = koffi
    .load('libc.so.6')
    .func('int setsockopt(int fd, int level, int name, const int *value, uint32_t length)');
  const on = new Int32Array([1]);
  return (fd) => {
    setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, on, on.byteLength);
  };
}
