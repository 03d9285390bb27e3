/**
 * Encodes the replies to the kernel: each is one buffer with room for its `fuse_out_header` in front, followed,
 * for file data, by pieces that are sent from where they lie. All structs are those of `linux/fuse.h`.
 */
import type {
  Attributes,
  AttributesReply,
  Entry,
  FileSystemStatistics,
  HandleId,
  OpenDirectoryReply,
  OpenReply,
} from '../file-system.js';
import * as protocol from './protocol.js';
import { writeTimeNs, writeTtl, writeUint64 } from './wire.js';

/** A successful answer that is ready to be sent. */
export interface FuseReply {
  /** Starts with `replyHeaderSize` bytes that `sealReply` fills in. */
  readonly head: Buffer;
  /** File data that follows `head`. */
  readonly pieces?: readonly Uint8Array[];
  /** Takes back what the answer hands out (lookups, handles) if the kernel no longer wants it. */
  readonly undo?: () => void;
}

const bodyStart = protocol.replyHeaderSize;

/**
 * st_blksize, which programs take as their buffer size. 128 KiB is what coreutils uses at least. More would let `cp`
 * write in fewer requests, but C programs that seek and read 4 KiB through stdio read a whole buffer each time.
 */
export const preferredIoSize = 128 << 10;

/** Fills in `fuse_out_header`. `errno` is 0 or positive; `length` is that of header, body and pieces. */
export function sealReply(head: Buffer, unique: number, errno: number, length: number): void {
  head.writeUInt32LE(length, 0);
  head.writeInt32LE(-errno, 4);
  writeUint64(head, unique, 8);
}

/** An answer that says only that it worked, or, once sealed, with an errno. */
export function encodeEmpty(): FuseReply {
  return { head: Buffer.allocUnsafe(bodyStart) };
}

/** Writes `fuse_entry_out` at `offset`; without an entry, the one that says "look it up yourself" (node id 0). */
export function writeEntry(buffer: Buffer, entry: Entry | undefined, offset: number): void {
  if (entry === undefined) {
    buffer.fill(0, offset, offset + protocol.entrySize);
    return;
  }
  writeUint64(buffer, entry.inode, offset);
  // The generation: 0, since inode numbers are never used twice in one mount.
  writeUint64(buffer, 0, offset + 8);
  writeTtl(buffer, entry.entryTtlMs, offset + 16, offset + 32);
  writeTtl(buffer, entry.attributesTtlMs, offset + 24, offset + 36);
  writeAttributes(buffer, entry.attributes, offset + 40);
}

/** `fuse_attr`. */
function writeAttributes(buffer: Buffer, attributes: Attributes, offset: number): void {
  buffer.writeBigUInt64LE(BigInt.asUintN(64, attributes.ino), offset);
  writeUint64(buffer, attributes.size, offset + 8);
  writeUint64(buffer, attributes.blocks, offset + 16);
  writeTimeNs(buffer, attributes.atimeNs, offset + 24, offset + 48);
  writeTimeNs(buffer, attributes.mtimeNs, offset + 32, offset + 52);
  writeTimeNs(buffer, attributes.ctimeNs, offset + 40, offset + 56);
  buffer.writeUInt32LE(attributes.mode, offset + 60);
  buffer.writeUInt32LE(attributes.linkCount, offset + 64);
  buffer.writeUInt32LE(attributes.uid, offset + 68);
  buffer.writeUInt32LE(attributes.gid, offset + 72);
  buffer.writeUInt32LE(attributes.deviceNumber ?? 0, offset + 76);
  buffer.writeUInt32LE(preferredIoSize, offset + 80);
  buffer.writeUInt32LE(0, offset + 84); // flags: neither a submount nor DAX
}

/** `fuse_entry_out` alone. */
export function encodeEntry(entry: Entry): Buffer {
  const head = Buffer.allocUnsafe(bodyStart + protocol.entrySize);
  writeEntry(head, entry, bodyStart);
  return head;
}

/** `fuse_entry_out` and `fuse_open_out`, the answer to CREATE. */
export function encodeCreated(entry: Entry, open: OpenReply): Buffer {
  const head = Buffer.allocUnsafe(bodyStart + protocol.entrySize + 16);
  writeEntry(head, entry, bodyStart);
  writeOpen(head, open.handle, openReplyFlagsOf(open), bodyStart + protocol.entrySize);
  return head;
}

/** `fuse_open_out`. */
export function encodeOpen(open: OpenReply): Buffer {
  const head = Buffer.allocUnsafe(bodyStart + 16);
  writeOpen(head, open.handle, openReplyFlagsOf(open), bodyStart);
  return head;
}

/** `fuse_open_out` of a directory. The kernel keeps its entries; without `keepCache` it first drops those that it has. */
export function encodeOpenDirectory({ handle, keepCache = false }: OpenDirectoryReply): Buffer {
  const head = Buffer.allocUnsafe(bodyStart + 16);
  const flags = protocol.openReplyFlags;
  writeOpen(head, handle, flags.cacheDirectory | (keepCache ? flags.keepCache : 0), bodyStart);
  return head;
}

function openReplyFlagsOf({ directIo, keepCache }: OpenReply): number {
  const flags = protocol.openReplyFlags;
  return (directIo ? flags.directIo : 0) | (keepCache ? flags.keepCache : 0);
}

function writeOpen(buffer: Buffer, handle: HandleId, flags: number, offset: number): void {
  writeUint64(buffer, handle, offset);
  buffer.writeUInt32LE(flags, offset + 8);
  buffer.writeUInt32LE(0, offset + 12);
}

/** `fuse_attr_out`. */
export function encodeAttributes(reply: AttributesReply): FuseReply {
  const head = Buffer.allocUnsafe(bodyStart + 16 + protocol.attributesSize);
  writeTtl(head, reply.attributesTtlMs, bodyStart, bodyStart + 8);
  head.writeUInt32LE(0, bodyStart + 12);
  writeAttributes(head, reply.attributes, bodyStart + 16);
  return { head };
}

/** Bytes as they are: a symlink's target, an extended attribute, a list of their names. */
export function encodeBytes(bytes: Uint8Array): FuseReply {
  return { head: Buffer.allocUnsafe(bodyStart), pieces: [bytes] };
}

/** `fuse_write_out` and `fuse_getxattr_out`: a count of at most 2^32 - 1. */
export function encodeCount(count: number): FuseReply {
  const head = Buffer.allocUnsafe(bodyStart + 8);
  head.writeUInt32LE(count, bodyStart);
  head.writeUInt32LE(0, bodyStart + 4);
  return { head };
}

/** `fuse_lseek_out`. */
export function encodeOffset(offset: number): FuseReply {
  const head = Buffer.allocUnsafe(bodyStart + 8);
  writeUint64(head, offset, bodyStart);
  return { head };
}

/** `fuse_statfs_out`. */
export function encodeStatistics(statistics: FileSystemStatistics): FuseReply {
  const head = Buffer.alloc(bodyStart + 80);
  writeUint64(head, statistics.blocks, bodyStart);
  writeUint64(head, statistics.blocksFree, bodyStart + 8);
  writeUint64(head, statistics.blocksFree, bodyStart + 16); // available to ordinary users
  writeUint64(head, statistics.files, bodyStart + 24);
  writeUint64(head, statistics.filesFree, bodyStart + 32);
  head.writeUInt32LE(statistics.blockSize, bodyStart + 40);
  head.writeUInt32LE(statistics.maxNameBytes, bodyStart + 44);
  head.writeUInt32LE(statistics.blockSize, bodyStart + 48);
  return { head };
}
