/**
 * The seam above the file system: the inode operations that a driver (`src/fuse`) asks for and `src/vfs` implements.
 * Nothing here knows the FUSE wire format or S3. Every method rejects with an `FsError`; a driver turns anything
 * else into EIO and logs it.
 */

/** Names an inode from the lookup that returned it until its last forget. The root is 1. Not another's while anybody holds it. */
export type InodeId = number;
/** Names an open file or directory until its release. */
export type HandleId = number;

export const rootInode: InodeId = 1;

/** Who asks. `signal` aborts when the kernel interrupts the request; the operation then rejects with EINTR. */
export interface Call {
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
  readonly signal: AbortSignal;
  /** Has `action` run when the kernel has taken the answer, and nobody looks at its bytes any more. Absent where that is not known. */
  afterAnswer?(action: () => void): void;
}

/** Times are nanoseconds since 1970-01-01T00:00Z; they may be negative. */
export interface Attributes {
  /** st_ino: no other inode has it now. It follows from the key, and is the same after a remount, but for what was moved. */
  readonly ino: bigint;
  /** st_mode with its type bits. */
  readonly mode: number;
  readonly linkCount: number;
  readonly uid: number;
  readonly gid: number;
  /** In bytes. */
  readonly size: number;
  /** In units of 512 bytes. */
  readonly blocks: number;
  readonly atimeNs: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  /** st_rdev of a device: 32 bits, as `new_encode_dev` of the kernel packs them (linux/kdev_t.h). */
  readonly deviceNumber?: number;
}

/** A looked-up inode. Handing it to the kernel counts as one lookup, to be undone by `forget`. */
export interface Entry {
  readonly inode: InodeId;
  readonly attributes: Attributes;
  /** How long the kernel may use the name and the attributes without asking again. */
  readonly entryTtlMs: number;
  readonly attributesTtlMs: number;
}

/** `attributes` as in `Entry`. */
export interface AttributesReply {
  readonly attributes: Attributes;
  readonly attributesTtlMs: number;
}

/** What setattr changes; absent fields stay. 'now' is the file system's clock. */
export interface AttributeChanges {
  /** Permission bits and S_ISUID, S_ISGID, S_ISVTX, without type bits. */
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly size?: number;
  readonly atime?: bigint | 'now';
  readonly mtime?: bigint | 'now';
  readonly ctime?: bigint;
  /** A write by a caller without CAP_FSETID: drop set-id bits. */
  readonly killSetId?: boolean;
}

/** open(2) flags, decoded. */
export interface OpenFlags {
  readonly read: boolean;
  readonly write: boolean;
  readonly append: boolean;
  readonly truncate: boolean;
  readonly exclusive: boolean;
  readonly direct: boolean;
}

export interface OpenReply {
  readonly handle: HandleId;
  /** The kernel may keep what it has cached of this file. */
  readonly keepCache: boolean;
  /** The kernel's page cache is bypassed. */
  readonly directIo: boolean;
}

export interface CreateReply {
  readonly entry: Entry;
  readonly open: OpenReply;
  /** False if the file was there already, which only `flags.exclusive` forbids. */
  readonly isNew: boolean;
}

export interface OpenDirectoryReply {
  readonly handle: HandleId;
  /** The entries are still those that the kernel may have kept when it last read all of them. */
  readonly keepCache?: boolean;
}

export interface DirectoryEntry {
  readonly name: string;
  readonly ino: bigint;
  /** The type bits of st_mode; 0 if it takes a look-up to know them. */
  readonly type: number;
  /** Where a later call continues to get what follows this entry. Greater than 0. */
  readonly nextOffset: number;
}

export interface FileSystemStatistics {
  readonly blockSize: number;
  readonly blocks: number;
  readonly blocksFree: number;
  readonly files: number;
  readonly filesFree: number;
  readonly maxNameBytes: number;
}

/** renameat2(2) flags. */
export interface RenameFlags {
  readonly noReplace: boolean;
  readonly exchange: boolean;
}

/** fallocate(2) modes that reach a file system; with neither, space is reserved. */
export interface FallocateMode {
  readonly keepSize: boolean;
  readonly punchHole: boolean;
  readonly zeroRange: boolean;
}

/**
 * The kernel's caches, as the file system may drop them. Calls return at once; the work is done beside the main
 * thread, since the kernel may wait for replies that this process has yet to give. Awaiting the promise inside an
 * operation on the same inode's data, or on names of the same directory, is a deadlock, but not where only attributes are
 * dropped. A rejection is never
 * thrown: what the kernel does not know needs no dropping.
 */
export interface KernelCaches {
  /** Drops the attributes of an inode, and its pages from `offset` (negative: attributes only), so many bytes or to the end. */
  dropInode(inode: InodeId, offset: number, length?: number): Promise<void>;
  dropEntry(parent: InodeId, name: string): Promise<void>;
}

export interface FileSystem {
  /** Called once, before any other. */
  start(kernel: KernelCaches): void;
  /** Called once, after the last request: everything must be in the bucket when it resolves. */
  stop(): Promise<void>;

  lookup(parent: InodeId, name: string, call: Call): Promise<Entry>;
  /** Undoes `count` lookups. Never fails. */
  forget(inode: InodeId, count: number): void;

  getAttributes(inode: InodeId, handle: HandleId | undefined, call: Call): Promise<AttributesReply>;
  setAttributes(
    inode: InodeId,
    changes: AttributeChanges,
    handle: HandleId | undefined,
    call: Call,
  ): Promise<AttributesReply>;
  /** access(2) with R_OK 4, W_OK 2, X_OK 1. */
  access(inode: InodeId, mask: number, call: Call): Promise<void>;

  readLink(inode: InodeId, call: Call): Promise<string>;
  makeSymlink(parent: InodeId, name: string, target: string, call: Call): Promise<Entry>;
  /** mknod(2). `mode` with type bits, umask already applied; `deviceNumber` as in `Attributes`, of devices only. */
  makeNode(parent: InodeId, name: string, mode: number, deviceNumber: number, call: Call): Promise<Entry>;
  makeDirectory(parent: InodeId, name: string, mode: number, call: Call): Promise<Entry>;
  makeLink(inode: InodeId, newParent: InodeId, newName: string, call: Call): Promise<Entry>;
  unlink(parent: InodeId, name: string, call: Call): Promise<void>;
  removeDirectory(parent: InodeId, name: string, call: Call): Promise<void>;
  rename(
    parent: InodeId,
    name: string,
    newParent: InodeId,
    newName: string,
    flags: RenameFlags,
    call: Call,
  ): Promise<void>;

  /** `mode` with type bits, umask already applied. */
  create(parent: InodeId, name: string, mode: number, flags: OpenFlags, call: Call): Promise<CreateReply>;
  open(inode: InodeId, flags: OpenFlags, call: Call): Promise<OpenReply>;
  /** Fewer bytes than asked for only at the end of the file. The pieces may be views into a cache: do not write to them. */
  read(
    inode: InodeId,
    handle: HandleId,
    offset: number,
    length: number,
    call: Call,
  ): Promise<readonly Uint8Array[]>;
  /** Takes all of `data` or fails. `data` belongs to the driver again when the promise settles. */
  write(inode: InodeId, handle: HandleId, offset: number, data: Uint8Array, call: Call): Promise<void>;
  /**
   * Does what `write` does, before it returns, or nothing and returns false: `write` is then to be called. Throws what `write`
   * rejects with. Spares small writes, of which there are many, the waiting.
   */
  tryWrite?(inode: InodeId, handle: HandleId, offset: number, data: Uint8Array, call: Call): boolean;
  /** close(2) of one descriptor: resolves when the object is complete in the bucket. */
  flush(inode: InodeId, handle: HandleId, call: Call): Promise<void>;
  synchronize(inode: InodeId, handle: HandleId, dataOnly: boolean, call: Call): Promise<void>;
  /** The last descriptor is gone. Nobody hears of an error here; it is logged and the data kept. */
  release(inode: InodeId, handle: HandleId): Promise<void>;
  fallocate(
    inode: InodeId,
    handle: HandleId,
    offset: number,
    length: number,
    mode: FallocateMode,
    call: Call,
  ): Promise<void>;
  /** SEEK_DATA or SEEK_HOLE; ENXIO past the end. */
  seek(
    inode: InodeId,
    handle: HandleId,
    offset: number,
    whence: 'data' | 'hole',
    call: Call,
  ): Promise<number>;
  /** Returns the number of bytes copied, which may be fewer than asked for. */
  copyFileRange(
    inode: InodeId,
    handle: HandleId,
    offset: number,
    targetInode: InodeId,
    targetHandle: HandleId,
    targetOffset: number,
    length: number,
    call: Call,
  ): Promise<number>;

  openDirectory(inode: InodeId, call: Call): Promise<OpenDirectoryReply>;
  /**
   * Calls `add` for each entry after `offset` (0: from the start, which gives "." and ".." too) until it returns
   * false, which means that the entry was not taken.
   */
  readDirectory(
    inode: InodeId,
    handle: HandleId,
    offset: number,
    add: (entry: DirectoryEntry) => boolean,
    call: Call,
  ): Promise<void>;
  /**
   * As readDirectory. Where `full` is given and `add` returns true, that counts as one lookup; without it the kernel
   * will look the name up when it needs to. `full` is never given for "." and "..".
   */
  readDirectoryPlus(
    inode: InodeId,
    handle: HandleId,
    offset: number,
    add: (entry: DirectoryEntry, full: Entry | undefined) => boolean,
    call: Call,
  ): Promise<void>;
  synchronizeDirectory(inode: InodeId, handle: HandleId, call: Call): Promise<void>;
  releaseDirectory(inode: InodeId, handle: HandleId): void;

  statistics(call: Call): Promise<FileSystemStatistics>;

  /** Rejects with ENODATA if there is no such attribute. */
  getExtendedAttribute(inode: InodeId, name: string, call: Call): Promise<Uint8Array>;
  setExtendedAttribute(
    inode: InodeId,
    name: string,
    value: Uint8Array,
    mode: 'create' | 'replace' | 'either',
    call: Call,
  ): Promise<void>;
  listExtendedAttributes(inode: InodeId, call: Call): Promise<readonly string[]>;
  removeExtendedAttribute(inode: InodeId, name: string, call: Call): Promise<void>;
}
