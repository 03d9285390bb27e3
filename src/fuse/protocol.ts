/**
 * The numbers of the FUSE protocol, as `linux/fuse.h` (Debian: linux-libc-dev) and fuse(4) define them; where a
 * number is younger than the header of Debian 12 (7.38), the kernel release that brought it is named. Other
 * files say what the numbers mean for a mount.
 */

/** `FUSE_KERNEL_VERSION`, and the newest minor version whose requests this driver was written against. */
export const protocolMajor = 7;
export const protocolMinor = 38;
/** 7.31 (Linux 5.4) is the oldest spoken: max_pages, copy_file_range and explicit times are all there. */
export const oldestProtocolMinor = 31;

/** Sizes in bytes of `fuse_in_header`, `fuse_out_header`, `fuse_attr`, `fuse_entry_out`, `fuse_dirent`. */
export const requestHeaderSize = 40;
export const replyHeaderSize = 16;
export const attributesSize = 88;
export const entrySize = 40 + attributesSize;
export const directoryEntrySize = 24;

/** `max_write` asked for: 256 pages of 4 KiB, the kernel's default limit (sysctl fs.fuse.max_pages_limit). */
export const maxWriteBytes = 1 << 20;
export const maxPages = 256;
/** A read of the device needs room for any request: its data and, with a margin, its headers and names. */
export const requestBufferSize = maxWriteBytes + 4096;

/** `enum fuse_opcode`, the requests that are answered. Every other one gets ENOSYS. */
export const opcodes = {
  lookup: 1,
  forget: 2,
  getAttributes: 3,
  setAttributes: 4,
  readLink: 5,
  makeSymlink: 6,
  makeNode: 8,
  makeDirectory: 9,
  unlink: 10,
  removeDirectory: 11,
  rename: 12,
  link: 13,
  open: 14,
  read: 15,
  write: 16,
  statistics: 17,
  release: 18,
  synchronize: 20,
  setExtendedAttribute: 21,
  getExtendedAttribute: 22,
  listExtendedAttributes: 23,
  removeExtendedAttribute: 24,
  flush: 25,
  initialize: 26,
  openDirectory: 27,
  readDirectory: 28,
  releaseDirectory: 29,
  synchronizeDirectory: 30,
  access: 34,
  create: 35,
  interrupt: 36,
  destroy: 38,
  batchForget: 42,
  fallocate: 43,
  readDirectoryPlus: 44,
  rename2: 45,
  seek: 46,
  copyFileRange: 47,
} as const;

const opcodeNames = new Map<number, string>(Object.entries(opcodes).map(([name, number]) => [number, name]));

/** For messages. */
export function opcodeName(opcode: number): string {
  return opcodeNames.get(opcode) ?? `request ${opcode}`;
}

/** INIT flags, bits 0 to 31; those above travel in `flags2`. */
export const initFlags = {
  asyncRead: 1 << 0,
  atomicTruncate: 1 << 3,
  bigWrites: 1 << 5,
  readDirectoryPlus: 1 << 13,
  readDirectoryPlusAuto: 1 << 14,
  asyncDirectIo: 1 << 15,
  parallelDirectoryOperations: 1 << 18,
  maxPages: 1 << 22,
  cacheSymlinks: 1 << 23,
  handleKillPrivilegesV2: 1 << 28,
  extended: 1 << 30,
} as const;

/** `flags2`. FUSE_DIRECT_IO_ALLOW_MMAP is bit 36 of the whole (Linux 6.6). */
export const initFlags2 = { directIoAllowsMmap: 1 << 4 } as const;

/** `fuse_getattr_in.getattr_flags` */
export const getAttributesHasHandle = 1 << 0;

/** `fuse_setattr_in.valid` (FATTR_…) */
export const setAttributesFlags = {
  mode: 1 << 0,
  uid: 1 << 1,
  gid: 1 << 2,
  size: 1 << 3,
  atime: 1 << 4,
  mtime: 1 << 5,
  handle: 1 << 6,
  atimeNow: 1 << 7,
  mtimeNow: 1 << 8,
  ctime: 1 << 10,
  killSetId: 1 << 11,
} as const;

/** `fuse_open_in.open_flags`, `fuse_write_in.write_flags`: the caller lacks CAP_FSETID. */
export const openKillsSetId = 1 << 0;
export const writeKillsSetId = 1 << 2;

/** `fuse_open_out.open_flags` (FOPEN_…) */
export const openReplyFlags = { directIo: 1 << 0, keepCache: 1 << 1, cacheDirectory: 1 << 3 } as const;

/** `enum fuse_notify_code` */
export const notifications = { invalidateInode: 2, invalidateEntry: 3 } as const;

/** renameat2(2), fallocate(2), lseek(2), setxattr(2): flags of the system calls, passed on unchanged. */
export const renameNoReplace = 1 << 0;
export const renameExchange = 1 << 1;
export const fallocateKeepSize = 0x01;
export const fallocatePunchHole = 0x02;
export const fallocateZeroRange = 0x10;
export const seekData = 3;
export const seekHole = 4;
export const xattrCreate = 1;
export const xattrReplace = 2;
