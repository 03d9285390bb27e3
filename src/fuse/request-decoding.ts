/**
 * Decodes what the kernel asks: the header of each request and the structs after it (`linux/fuse.h`), into plain
 * values. Bodies start after the header. A body that is too short throws a RangeError, which becomes EIO.
 */
import { constants } from 'node:fs';
import type {
  AttributeChanges,
  CopyFileRangeRequest,
  FallocateMode,
  HandleId,
  InodeId,
  OpenFlags,
  RenameFlags,
} from '../file-system.js';
import * as protocol from './protocol.js';
import { readTimeNs, readUint64 } from './wire.js';

/** `fuse_in_header`. */
export interface RequestHeader {
  readonly length: number;
  readonly opcode: number;
  /** Names the request until its reply. The kernel counts up by two, so it stays exact. */
  readonly unique: number;
  readonly inode: InodeId;
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
  /** Where the body ends: extensions (none are negotiated) lie after it. */
  readonly bodyEnd: number;
}

export function decodeHeader(buffer: Buffer): RequestHeader {
  const length = buffer.readUInt32LE(0);
  return {
    length,
    opcode: buffer.readUInt32LE(4),
    unique: readUint64(buffer, 8),
    inode: readUint64(buffer, 16),
    uid: buffer.readUInt32LE(24),
    gid: buffer.readUInt32LE(28),
    pid: buffer.readUInt32LE(32),
    bodyEnd: length - buffer.readUInt16LE(36) * 8,
  };
}

/** `fuse_init_in`; kernels before 7.36 send no `flags2`. */
export function decodeInitialize(body: Buffer): {
  major: number;
  minor: number;
  flags: number;
  flags2: number;
} {
  const flags = body.readUInt32LE(12);
  const isExtended = (flags & protocol.initFlags.extended) !== 0 && body.length >= 20;
  return {
    major: body.readUInt32LE(0),
    minor: body.readUInt32LE(4),
    flags,
    flags2: isExtended ? body.readUInt32LE(16) : 0,
  };
}

/** `fuse_batch_forget_in` and what follows it: calls `forget` for each entry. */
export function decodeBatchForget(body: Buffer, forget: (inode: InodeId, count: number) => void): void {
  const entries = body.readUInt32LE(0);
  for (let index = 0; index < entries; index++) {
    const offset = 8 + index * 16;
    forget(readUint64(body, offset), readUint64(body, offset + 8));
  }
}

/** `fuse_getattr_in`: the open file that was asked about, if there was one. */
export function decodeGetAttributesHandle(body: Buffer): HandleId | undefined {
  return (body.readUInt32LE(0) & protocol.getAttributesHasHandle) !== 0 ? readUint64(body, 8) : undefined;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** `fuse_setattr_in`. */
export function decodeSetAttributes(body: Buffer): {
  changes: AttributeChanges;
  handle: HandleId | undefined;
} {
  const flags = protocol.setAttributesFlags;
  const valid = body.readUInt32LE(0);
  const changes: Mutable<AttributeChanges> = {};
  if ((valid & flags.mode) !== 0) changes.mode = body.readUInt32LE(68) & 0o7777;
  if ((valid & flags.uid) !== 0) changes.uid = body.readUInt32LE(76);
  if ((valid & flags.gid) !== 0) changes.gid = body.readUInt32LE(80);
  if ((valid & flags.size) !== 0) changes.size = readUint64(body, 16);
  if ((valid & flags.atimeNow) !== 0) changes.atime = 'now';
  else if ((valid & flags.atime) !== 0) changes.atime = readTimeNs(body, 32, 56);
  if ((valid & flags.mtimeNow) !== 0) changes.mtime = 'now';
  else if ((valid & flags.mtime) !== 0) changes.mtime = readTimeNs(body, 40, 60);
  if ((valid & flags.ctime) !== 0) changes.ctime = readTimeNs(body, 48, 64);
  if ((valid & flags.killSetId) !== 0) changes.killSetId = true;
  return { changes, handle: (valid & flags.handle) !== 0 ? readUint64(body, 8) : undefined };
}

/** open(2)'s flags, at `offset` of `fuse_open_in` and `fuse_create_in`. */
export function decodeOpenFlags(body: Buffer, offset: number): OpenFlags {
  return openFlagsOf(body.readUInt32LE(offset));
}

/** open(2)'s flags as a number. */
export function openFlagsOf(flags: number): OpenFlags {
  // O_RDONLY 0, O_WRONLY 1, O_RDWR 2; Linux knows 3 as well, which allows neither.
  const accessMode = flags & 3;
  return {
    read: accessMode === constants.O_RDONLY || accessMode === constants.O_RDWR,
    write: accessMode === constants.O_WRONLY || accessMode === constants.O_RDWR,
    truncate: (flags & constants.O_TRUNC) !== 0,
    exclusive: (flags & constants.O_EXCL) !== 0,
    direct: (flags & constants.O_DIRECT) !== 0,
  };
}

/** `fuse_read_in`, of READ, READDIR and READDIRPLUS. `length` in bytes. */
export function decodeRead(body: Buffer): { handle: HandleId; offset: number; length: number } {
  return { handle: readUint64(body, 0), offset: readUint64(body, 8), length: body.readUInt32LE(16) };
}

/** `fuse_read_in` and `fuse_write_in` of a file: whether it is open with O_DIRECT, so that the data goes past the page cache. */
export function isDirect(body: Buffer): boolean {
  return (body.readUInt32LE(32) & constants.O_DIRECT) !== 0;
}

/** `fuse_write_in`. `data` is a view into the body. */
export function decodeWrite(body: Buffer): {
  handle: HandleId;
  offset: number;
  data: Buffer;
  killSetId: boolean;
} {
  const length = body.readUInt32LE(16);
  const start = 40;
  if (start + length > body.length) throw new RangeError('a write request holds less data than it says');
  return {
    handle: readUint64(body, 0),
    offset: readUint64(body, 8),
    data: body.subarray(start, start + length),
    killSetId: (body.readUInt32LE(20) & protocol.writeKillsSetId) !== 0,
  };
}

/** `fuse_rename2_in.flags`; undefined if there is one that is neither NOREPLACE nor EXCHANGE. */
export function decodeRenameFlags(flags: number): RenameFlags | undefined {
  if ((flags & ~(protocol.renameNoReplace | protocol.renameExchange)) !== 0) return undefined;
  return {
    noReplace: (flags & protocol.renameNoReplace) !== 0,
    exchange: (flags & protocol.renameExchange) !== 0,
  };
}

/** `fuse_fallocate_in`; `mode` is undefined if the file system does not know it. */
export function decodeFallocate(body: Buffer): {
  handle: HandleId;
  offset: number;
  length: number;
  mode: FallocateMode | undefined;
} {
  const bits = body.readUInt32LE(24);
  const known = protocol.fallocateKeepSize | protocol.fallocatePunchHole | protocol.fallocateZeroRange;
  return {
    handle: readUint64(body, 0),
    offset: readUint64(body, 8),
    length: readUint64(body, 16),
    mode:
      (bits & ~known) !== 0
        ? undefined
        : {
            keepSize: (bits & protocol.fallocateKeepSize) !== 0,
            punchHole: (bits & protocol.fallocatePunchHole) !== 0,
            zeroRange: (bits & protocol.fallocateZeroRange) !== 0,
          },
  };
}

/** `fuse_copy_file_range_in`; `inode`: the request's, which is the source. */
export function decodeCopyFileRange(inode: InodeId, body: Buffer): CopyFileRangeRequest {
  return {
    from: { inode, handle: readUint64(body, 0), offset: readUint64(body, 8) },
    to: { inode: readUint64(body, 16), handle: readUint64(body, 24), offset: readUint64(body, 32) },
    length: readUint64(body, 40),
  };
}
