/**
 * The few system calls that Node has no API for, through koffi: receiving a descriptor from fusermount3, reading a
 * descriptor without exceptions, and waiting for one in Node's own event loop.
 */
import { constants as fsConstants } from 'node:fs';
import { endianness } from 'node:os';
import type * as Koffi from 'koffi';
import { MountError } from './driver.js';

/** From the headers of glibc and musl; the same on x86-64, arm64 and riscv64. */
const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_DONTWAIT = 0x40;
const MSG_CMSG_CLOEXEC = 0x40000000;
const F_SETFL = 4;

/** A descriptor that the event loop watches. Callbacks run as macrotasks: promises settle after them as usual. */
export interface ReadinessWatch {
  /** Calls back, again and again, as long as the descriptor is readable or broken, until `stop`. */
  start(onReady: () => void): void;
  stop(): void;
  /** Ends the watch for good. The descriptor may be closed afterwards. */
  close(): void;
}

export interface Libc {
  /** Two connected sockets, closed on exec. Throws a MountError. */
  socketPair(): [number, number];
  /** The descriptor that was sent through `socket`, closed on exec; undefined if none was. Does not wait. */
  receiveDescriptor(socket: number): number | undefined;
  /** Makes reads of a descriptor that was opened for reading and writing return EAGAIN instead of waiting. */
  setNonBlocking(descriptor: number): void;
  /** read(2): the number of bytes, or a negative errno. */
  read(descriptor: number, buffer: Buffer): number;
  watch(descriptor: number): ReadinessWatch;
}

/**
 * Loads koffi, which only mounts need. Rejects with a MountError if that fails, or if the driver does not know this
 * machine. Tests give `importKoffi`.
 */
export async function loadLibc(
  importKoffi: () => Promise<typeof Koffi> = () => import('koffi'),
): Promise<Libc> {
  if (endianness() !== 'LE') {
    throw new MountError('ProtocolError', 'the kernel driver knows only little-endian machines');
  }
  try {
    return bindLibc(await importKoffi());
  } catch (cause) {
    throw new MountError(
      'DriverMissing',
      'the package koffi, which the kernel driver needs, does not load here; reinstall osirisfs, or use --driver fuse-native',
      { cause },
    );
  }
}

function bindLibc(koffi: typeof Koffi): Libc {
  const library = koffi.load(null);
  const socketpair = library.func('int socketpair(int, int, int, void *)') as (
    domain: number,
    type: number,
    protocol: number,
    sockets: Buffer,
  ) => number;
  const recvmsg = library.func('int64 recvmsg(int, void *, int)') as (
    socket: number,
    message: Buffer,
    flags: number,
  ) => number;
  const fcntl = library.func('int fcntl(int, int, int)') as (
    descriptor: number,
    command: number,
    argument: number,
  ) => number;
  const read = library.func('int64 read(int, void *, size_t)') as (
    descriptor: number,
    buffer: Buffer,
    size: number,
  ) => number;

  return {
    socketPair() {
      const sockets = Buffer.alloc(8);
      if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) !== 0) {
        throw new MountError('MountRefused', `socketpair failed with errno ${koffi.errno()}`);
      }
      return [sockets.readInt32LE(0), sockets.readInt32LE(4)];
    },

    receiveDescriptor(socket) {
      // In one buffer, since the parts point to each other, as 64-bit Linux lays them out: struct msghdr { name,
      // namelen, iov, iovlen, control, controllen, flags }, struct iovec { base, len }, struct cmsghdr { len, level,
      // type, descriptor }, and the byte of data that descriptors travel with.
      const vectorAt = 56;
      const controlAt = 72;
      const dataAt = 96;
      const message = Buffer.alloc(dataAt + 1);
      const address = koffi.address(message);
      message.writeBigUInt64LE(address + BigInt(vectorAt), 16);
      message.writeBigUInt64LE(1n, 24);
      message.writeBigUInt64LE(address + BigInt(controlAt), 32);
      message.writeBigUInt64LE(BigInt(dataAt - controlAt), 40);
      message.writeBigUInt64LE(address + BigInt(dataAt), vectorAt);
      message.writeBigUInt64LE(1n, vectorAt + 8);
      if (recvmsg(socket, message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) <= 0) return undefined;
      const isDescriptor =
        message.readBigUInt64LE(40) >= 20n &&
        message.readBigUInt64LE(controlAt) >= 20n &&
        message.readInt32LE(controlAt + 8) === SOL_SOCKET &&
        message.readInt32LE(controlAt + 12) === SCM_RIGHTS;
      return isDescriptor ? message.readInt32LE(controlAt + 16) : undefined;
    },

    setNonBlocking(descriptor) {
      if (fcntl(descriptor, F_SETFL, fsConstants.O_RDWR | fsConstants.O_NONBLOCK) !== 0) {
        throw new MountError('MountRefused', `fcntl of /dev/fuse failed with errno ${koffi.errno()}`);
      }
    },

    read(descriptor, buffer) {
      const length = read(descriptor, buffer, buffer.length);
      return length >= 0 ? length : -koffi.errno();
    },

    watch: (descriptor) => watchDescriptor(koffi, descriptor),
  };
}

/**
 * uv_poll_t through koffi. libuv calls back directly, and Node runs no microtasks after that. setImmediate enters a proper
 * turn of the loop, in the same iteration.
 */
function watchDescriptor(koffi: typeof Koffi, descriptor: number): ReadinessWatch {
  let handle: InstanceType<typeof koffi.node.PollHandle> | undefined;
  let isStarted = false;
  let isScheduled = false;
  return {
    start(onReady) {
      if (isStarted) return;
      isStarted = true;
      const onPoll = () => {
        if (isScheduled) return;
        isScheduled = true;
        setImmediate(() => {
          isScheduled = false;
          if (isStarted) onReady();
        });
      };
      const events = { readable: true, disconnect: true };
      if (handle === undefined) handle = koffi.node.poll(descriptor, events, onPoll);
      else handle.start(events, onPoll);
    },
    stop() {
      isStarted = false;
      handle?.stop();
    },
    close() {
      isStarted = false;
      handle?.close();
      handle = undefined;
    },
  };
}
