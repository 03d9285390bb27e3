/** Answers INIT: chooses the version of the protocol, and which of the kernel's offers to use. */
import * as protocol from './protocol.js';
import { decodeInitialize } from './request-decoding.js';

/**
 * What is asked for, where the kernel offers it.
 *
 * Not FUSE_AUTO_INVAL_DATA: it drops a file's pages whenever its mtime is seen to change, also by this mount's own
 * writes, and an mtime says less than the ETag by which the file system notices changes made elsewhere; it then says so
 * through `KernelCaches` and `keepCache: false`. Not FUSE_EXPLICIT_INVAL_DATA either: without both, the kernel still
 * drops pages by itself when a size is not what it was, which costs nothing and can only be right.
 * Not FUSE_WRITEBACK_CACHE: close(2) must report what became of the data. Not FUSE_POSIX_LOCKS and FUSE_FLOCK_LOCKS:
 * the kernel then keeps locks by itself, among the programs of this machine. Not FUSE_DONT_MASK: the kernel applies the umask.
 * FUSE_HANDLE_KILLPRIV_V2 saves a GETXATTR of security.capability before each write(2); see `set-id-inodes.ts`.
 */
const wantedFlags =
  protocol.initFlags.asyncRead |
  protocol.initFlags.atomicTruncate |
  protocol.initFlags.bigWrites |
  protocol.initFlags.readDirectoryPlus |
  protocol.initFlags.readDirectoryPlusAuto |
  protocol.initFlags.asyncDirectIo |
  protocol.initFlags.parallelDirectoryOperations |
  protocol.initFlags.maxPages |
  protocol.initFlags.cacheSymlinks |
  protocol.initFlags.handleKillPrivilegesV2 |
  protocol.initFlags.extended;

const wantedFlags2 = protocol.initFlags2.directIoAllowsMmap;

/** The kernel caps this at the device's own setting, 128 KiB unless the administrator raised it. */
const maxReadaheadBytes = 1 << 20;

/**
 * Read-ahead and direct requests that the kernel keeps in flight at once, and from which number on it holds back
 * read-ahead. Enough for 64 MiB in the air; the default of 12 starves parallel readers of a store that is far away.
 */
const maxBackground = 64;
const congestionThreshold = 48;

type Negotiation =
  /** Both agree: `reply` is the answer. */
  | { readonly outcome: 'agreed'; readonly reply: Buffer; readonly minor: number; readonly flags: number }
  /** The kernel speaks a newer major version: `reply` asks it to send INIT again in ours. */
  | { readonly outcome: 'retry'; readonly reply: Buffer }
  | { readonly outcome: 'refused'; readonly reason: string };

/** `body`: the body of an INIT request. Replies start with room for their header. */
export function negotiate(body: Buffer): Negotiation {
  const offer = decodeInitialize(body);
  const version = `${offer.major}.${offer.minor}`;
  const reply = Buffer.alloc(protocol.replyHeaderSize + 64);
  const at = protocol.replyHeaderSize;
  reply.writeUInt32LE(protocol.protocolMajor, at);
  reply.writeUInt32LE(Math.min(offer.minor, protocol.protocolMinor), at + 4);
  if (offer.major > protocol.protocolMajor) return { outcome: 'retry', reply };
  if (offer.major < protocol.protocolMajor || offer.minor < protocol.oldestProtocolMinor) {
    return {
      outcome: 'refused',
      reason: `the kernel speaks FUSE ${version}; ${protocol.protocolMajor}.${protocol.oldestProtocolMinor} (Linux 5.4) or later is needed`,
    };
  }
  const flags = offer.flags & wantedFlags;
  if ((flags & protocol.initFlags.maxPages) === 0) {
    return { outcome: 'refused', reason: `the kernel's FUSE ${version} does not offer requests of 1 MiB` };
  }
  reply.writeUInt32LE(maxReadaheadBytes, at + 8);
  reply.writeUInt32LE(flags, at + 12);
  reply.writeUInt16LE(maxBackground, at + 16);
  reply.writeUInt16LE(congestionThreshold, at + 18);
  reply.writeUInt32LE(protocol.maxWriteBytes, at + 20);
  reply.writeUInt32LE(1, at + 24); // time_gran: times are kept to the nanosecond
  reply.writeUInt16LE(protocol.maxPages, at + 28);
  reply.writeUInt16LE(0, at + 30); // map_alignment: no DAX
  reply.writeUInt32LE(offer.flags2 & wantedFlags2, at + 32);
  return { outcome: 'agreed', reply, minor: Math.min(offer.minor, protocol.protocolMinor), flags };
}
