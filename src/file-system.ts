/**
 * The seam above the file system: the inode operations that a driver (`src/fuse`) asks for and `src/vfs` implements.
 * Nothing here knows the FUSE wire format or S3. Every method rejects with an `FsError`; a driver turns anything
 * else into EIO and logs it.
 */

/** Names an inode from the lookup that returned it until its last forget, and no other meanwhile. The root is 1. */
export type InodeId = number;
/** Names an open file or directory until its release. */
export type HandleId = number;

export const rootInode: InodeId = 1;

/** "." and ".." come before the entries of a directory, whose offsets are their positions plus this. */
export const dotEntries = 2;

/** The caller. `signal` aborts when the kernel interrupts the request; the operation then rejects with EINTR. */
export interface Call {
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
  readonly signal: AbortSignal;
  /** Runs `action` when the kernel has taken the answer, and its bytes are no longer needed. Absent where that is not known. */
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
 * dropped. The promise never rejects: what the kernel does not know needs no dropping.
 */
export interface KernelCaches {
  /** Drops the attributes of an inode, and its pages from `offset` (negative: attributes only): `length` bytes, or all to the end. */
  dropInode(inode: InodeId, offset: number, length?: number): Promise<void>;
  dropEntry(parent: InodeId, name: string): Promise<void>;
}

/** About something by its inode. */
export interface InodeRequest {
  readonly inode: InodeId;
}

/** About an entry of a directory. */
export interface EntryRequest {
  readonly parent: InodeId;
  readonly name: string;
}

/** Through an open file or directory. */
export interface HandleRequest extends InodeRequest {
  readonly handle: HandleId;
}

/** `handle`: through which open file; absent if by name. */
export interface GetAttributesRequest extends InodeRequest {
  readonly handle?: HandleId | undefined;
}

export interface SetAttributesRequest extends GetAttributesRequest {
  readonly changes: AttributeChanges;
}

/** R_OK and W_OK of access(2). */
export const accessMasks = { read: 4, write: 2 } as const;

/** `mask` of `accessMasks`, and 1 for X_OK. */
export interface AccessRequest extends InodeRequest {
  readonly mask: number;
}

export interface MakeSymlinkRequest extends EntryRequest {
  readonly target: string;
}

/** `mode` with permissions, umask already applied. */
export interface MakeDirectoryRequest extends EntryRequest {
  readonly mode: number;
}

/** `mode` with type bits, umask already applied; `deviceNumber` as in `Attributes`, of devices only. */
export interface MakeNodeRequest extends EntryRequest {
  readonly mode: number;
  readonly deviceNumber: number;
}

export interface MakeLinkRequest extends InodeRequest {
  readonly newParent: InodeId;
  readonly newName: string;
}

export interface RenameRequest extends EntryRequest {
  readonly newParent: InodeId;
  readonly newName: string;
  readonly flags: RenameFlags;
}

/** `mode` with type bits, umask already applied. */
export interface CreateRequest extends EntryRequest {
  readonly mode: number;
  readonly flags: OpenFlags;
}

export interface OpenRequest extends InodeRequest {
  readonly flags: OpenFlags;
}

export interface ReadRequest extends HandleRequest {
  readonly offset: number;
  readonly length: number;
}

export interface WriteRequest extends HandleRequest {
  readonly offset: number;
  /** Belongs to the driver again when the promise settles. */
  readonly data: Uint8Array;
}

export interface FallocateRequest extends HandleRequest {
  readonly offset: number;
  readonly length: number;
  readonly mode: FallocateMode;
}

export interface SeekRequest extends HandleRequest {
  readonly offset: number;
  readonly whence: 'data' | 'hole';
}

/** A place in an open file. */
export interface FilePosition extends HandleRequest {
  readonly offset: number;
}

export interface CopyFileRangeRequest {
  readonly from: FilePosition;
  readonly to: FilePosition;
  readonly length: number;
}

/** Entries after `offset`; 0: from the start, which gives "." and ".." too. */
export interface ReadDirectoryRequest extends HandleRequest {
  readonly offset: number;
  /** Called for each entry until it returns false, which means that the entry was not taken. */
  readonly add: (entry: DirectoryEntry) => boolean;
}

export interface ReadDirectoryPlusRequest extends HandleRequest {
  readonly offset: number;
  /**
   * As of `ReadDirectoryRequest`. Where `full` is given and it returns true, that counts as one lookup; without it the kernel
   * will look the name up when it needs to. `full` is never given for "." and "..".
   */
  readonly add: (entry: DirectoryEntry, full: Entry | undefined) => boolean;
}

export interface ExtendedAttributeRequest extends InodeRequest {
  readonly name: string;
}

export interface SetExtendedAttributeRequest extends ExtendedAttributeRequest {
  readonly value: Uint8Array;
  readonly mode: 'create' | 'replace' | 'either';
}

export interface FileSystem {
  /** Called once, before any other. */
  start(kernel: KernelCaches): void;
  /** Called once, after the last request: everything must be in the bucket when it resolves. */
  stop(): Promise<void>;

  lookup(request: EntryRequest, call: Call): Promise<Entry>;
  /** Undoes `count` lookups. Never fails. */
  forget(inode: InodeId, count: number): void;

  getAttributes(request: GetAttributesRequest, call: Call): Promise<AttributesReply>;
  setAttributes(request: SetAttributesRequest, call: Call): Promise<AttributesReply>;
  /** access(2). */
  access(request: AccessRequest, call: Call): Promise<void>;

  readLink(request: InodeRequest, call: Call): Promise<string>;
  makeSymlink(request: MakeSymlinkRequest, call: Call): Promise<Entry>;
  /** mknod(2). */
  makeNode(request: MakeNodeRequest, call: Call): Promise<Entry>;
  makeDirectory(request: MakeDirectoryRequest, call: Call): Promise<Entry>;
  makeLink(request: MakeLinkRequest, call: Call): Promise<Entry>;
  unlink(request: EntryRequest, call: Call): Promise<void>;
  removeDirectory(request: EntryRequest, call: Call): Promise<void>;
  rename(request: RenameRequest, call: Call): Promise<void>;

  create(request: CreateRequest, call: Call): Promise<CreateReply>;
  open(request: OpenRequest, call: Call): Promise<OpenReply>;
  /** Fewer bytes than asked for only at the end of the file. The pieces may be views into a cache: do not write to them. */
  read(request: ReadRequest, call: Call): Promise<readonly Uint8Array[]>;
  /** Takes all of the data or fails. */
  write(request: WriteRequest, call: Call): Promise<void>;
  /**
   * Does what `write` does before it returns, or does nothing and returns false: then call `write`. Throws what `write` rejects
   * with. Saves many small writes the wait for a promise.
   */
  tryWrite?(request: WriteRequest, call: Call): boolean;
  /** close(2) of one descriptor: resolves when the object is complete in the bucket. */
  flush(request: HandleRequest, call: Call): Promise<void>;
  /** fsync(2) and fdatasync(2). */
  synchronize(request: HandleRequest, call: Call): Promise<void>;
  /** The last descriptor is gone. No caller gets an error here; it is logged, and the data is kept. */
  release(request: HandleRequest): Promise<void>;
  fallocate(request: FallocateRequest, call: Call): Promise<void>;
  /** lseek(2) with SEEK_DATA or SEEK_HOLE; ENXIO past the end. */
  seek(request: SeekRequest, call: Call): Promise<number>;
  /** Returns the number of bytes copied, which may be fewer than asked for. */
  copyFileRange(request: CopyFileRangeRequest, call: Call): Promise<number>;

  openDirectory(request: InodeRequest, call: Call): Promise<OpenDirectoryReply>;
  readDirectory(request: ReadDirectoryRequest, call: Call): Promise<void>;
  readDirectoryPlus(request: ReadDirectoryPlusRequest, call: Call): Promise<void>;
  synchronizeDirectory(request: HandleRequest, call: Call): Promise<void>;
  releaseDirectory(request: HandleRequest): void;

  statistics(call: Call): Promise<FileSystemStatistics>;

  /** Rejects with ENODATA if there is no such attribute. */
  getExtendedAttribute(request: ExtendedAttributeRequest, call: Call): Promise<Uint8Array>;
  setExtendedAttribute(request: SetExtendedAttributeRequest, call: Call): Promise<void>;
  listExtendedAttributes(request: InodeRequest, call: Call): Promise<readonly string[]>;
  removeExtendedAttribute(request: ExtendedAttributeRequest, call: Call): Promise<void>;
}
