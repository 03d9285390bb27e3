/**
 * A file system in memory for the tests of drivers: complete enough for ordinary programs, with exact lookup counts, and
 * with a few files that misbehave. Reading `hang`, flushing `hang-flush` and writing to `hang-write…` wait for the signal, reading `throw` throws what is no
 * FsError, and what is written to names that start with `null` is thrown away (reading gives zeros).
 */
import { constants } from 'node:fs';
import { FsError, type FsErrorCode } from '../../src/errors.js';
import {
  rootInode,
  type Attributes,
  type AttributesReply,
  type Call,
  type CreateReply,
  type DirectoryEntry,
  type Entry,
  type FileSystem,
  type FileSystemStatistics,
  type HandleId,
  type InodeId,
  type KernelCaches,
  type OpenDirectoryReply,
  type OpenFlags,
  type OpenReply,
  type CopyFileRangeRequest,
  type SetAttributesRequest,
  type EntryRequest,
  type InodeRequest,
  type MakeSymlinkRequest,
  type MakeNodeRequest,
  type MakeDirectoryRequest,
  type RenameRequest,
  type CreateRequest,
  type OpenRequest,
  type ReadRequest,
  type WriteRequest,
  type HandleRequest,
  type FallocateRequest,
  type SeekRequest,
  type ReadDirectoryRequest,
  type ReadDirectoryPlusRequest,
  type ExtendedAttributeRequest,
  type SetExtendedAttributeRequest,
} from '../../src/file-system.js';

const chunkSize = 64 << 10;
const zeros = Buffer.alloc(1 << 20);

interface Node {
  readonly ino: bigint;
  /** Where a directory listing continues after it. */
  readonly cookie: number;
  mode: number;
  uid: number;
  gid: number;
  size: number;
  atimeNs: bigint;
  mtimeNs: bigint;
  ctimeNs: bigint;
  linkCount: number;
  readonly chunks: Map<number, Buffer>;
  readonly children: Map<string, Node>;
  readonly xattrs: Map<string, Buffer>;
  target: string;
  deviceNumber: number;
  /** What reading, writing, or flushing it does. */
  behaviour: 'normal' | 'hang' | 'hang-flush' | 'hang-write' | 'throw' | 'null';
  /** Set while the kernel knows it. */
  inode: InodeId | undefined;
  lookups: number;
}

export class MemoryFileSystem implements FileSystem {
  kernel: KernelCaches | undefined;
  stopCount = 0;
  /** Signals of hanging calls that were aborted. */
  abortCount = 0;
  /** Calls that hang now. */
  hangingCount = 0;
  readonly openHandles = new Set<HandleId>();
  /** How often each method was called. */
  readonly calls = new Map<string, number>();
  entryTtlMs = 1000;
  attributesTtlMs = 1000;
  /** Calls of `stop`, done or not. */
  stopsBegun = 0;
  /** A write does nothing before this is done. */
  writesHeld: Promise<void> | undefined;
  /** `stop` is not done before this is. */
  stopHeld: Promise<void> | undefined;

  readonly #known = new Map<InodeId, Node>();
  #nextInode = rootInode + 1;
  #nextIno = 1;
  #nextHandle = 1;
  readonly #root = this.#makeNode(constants.S_IFDIR | 0o777, { uid: 0, gid: 0 });

  constructor() {
    this.#root.inode = rootInode;
    this.#root.lookups = 1;
    this.#known.set(rootInode, this.#root);
  }

  /** Inodes that the kernel knows besides the root. */
  get knownCount(): number {
    return this.#known.size - 1;
  }

  /** Puts `count` empty files into the root. */
  fill(prefix: string, count: number): void {
    for (let index = 0; index < count; index++) {
      this.#root.children.set(
        `${prefix}${index}`,
        this.#makeNode(constants.S_IFREG | 0o644, { uid: 0, gid: 0 }),
      );
    }
  }

  /** The inode id of a name in the root, if the kernel knows it. */
  inodeOf(name: string): InodeId | undefined {
    return this.#root.children.get(name)?.inode;
  }

  /** Changes the content behind the kernel's back. */
  replace(name: string, content: string): void {
    const node = this.#root.children.get(name);
    if (node === undefined) throw new Error(`no ${name}`);
    node.chunks.clear();
    this.#writeData(node, 0, Buffer.from(content));
    node.size = Buffer.byteLength(content);
  }

  /** Removes a name behind the kernel's back. */
  remove(name: string): void {
    this.#root.children.delete(name);
  }

  start(kernel: KernelCaches): void {
    this.kernel = kernel;
  }

  async stop(): Promise<void> {
    this.stopsBegun++;
    await this.stopHeld;
    this.stopCount++;
  }

  lookup({ parent, name }: EntryRequest): Promise<Entry> {
    this.#count('lookup');
    return this.#answer(() => this.#entry(this.#child(parent, name)));
  }

  forget(inode: InodeId, count: number): void {
    const node = this.#known.get(inode);
    if (node === undefined || node.lookups < count) throw new Error(`inode ${inode} forgotten too often`);
    node.lookups -= count;
    if (node.lookups > 0) return;
    node.inode = undefined;
    this.#known.delete(inode);
  }

  getAttributes({ inode }: InodeRequest): Promise<AttributesReply> {
    this.#count('getAttributes');
    return this.#answer(() => this.#attributesReply(this.#node(inode)));
  }

  setAttributes({ inode, changes }: SetAttributesRequest): Promise<AttributesReply> {
    this.#count('setAttributes');
    return this.#answer(() => {
      const node = this.#node(inode);
      if (changes.mode !== undefined) node.mode = (node.mode & constants.S_IFMT) | changes.mode;
      if (changes.uid !== undefined) node.uid = changes.uid;
      if (changes.gid !== undefined) node.gid = changes.gid;
      if (changes.size !== undefined) this.#truncate(node, changes.size);
      if (changes.atime !== undefined) node.atimeNs = changes.atime === 'now' ? nowNs() : changes.atime;
      if (changes.mtime !== undefined) node.mtimeNs = changes.mtime === 'now' ? nowNs() : changes.mtime;
      if (changes.killSetId === true) node.mode &= ~0o6000;
      node.ctimeNs = changes.ctime ?? nowNs();
      return this.#attributesReply(node);
    });
  }

  access(): Promise<void> {
    return Promise.resolve();
  }

  readLink({ inode }: InodeRequest): Promise<string> {
    return this.#answer(() => this.#node(inode).target);
  }

  makeSymlink({ parent, name, target }: MakeSymlinkRequest, call: Call): Promise<Entry> {
    return this.#answer(() => {
      const node = this.#add(parent, name, constants.S_IFLNK | 0o777, call);
      node.target = target;
      node.size = Buffer.byteLength(target);
      return this.#entry(node);
    });
  }

  makeNode({ parent, name, mode, deviceNumber }: MakeNodeRequest, call: Call): Promise<Entry> {
    return this.#answer(() => {
      const node = this.#add(parent, name, mode, call);
      node.deviceNumber = deviceNumber;
      return this.#entry(node);
    });
  }

  makeDirectory({ parent, name, mode }: MakeDirectoryRequest, call: Call): Promise<Entry> {
    return this.#answer(() => this.#entry(this.#add(parent, name, mode, call)));
  }

  makeLink(): Promise<Entry> {
    return Promise.reject(failure('EPERM', 'no hard links'));
  }

  unlink({ parent, name }: EntryRequest): Promise<void> {
    return this.#answer(() => {
      this.#child(parent, name).linkCount = 0;
      this.#node(parent).children.delete(name);
    });
  }

  removeDirectory({ parent, name }: EntryRequest): Promise<void> {
    return this.#answer(() => {
      if (this.#child(parent, name).children.size > 0) throw failure('ENOTEMPTY', name);
      this.#node(parent).children.delete(name);
    });
  }

  rename({ parent, name, newParent, newName, flags }: RenameRequest): Promise<void> {
    return this.#answer(() => {
      const node = this.#child(parent, name);
      const target = this.#node(newParent).children.get(newName);
      if (flags.noReplace && target !== undefined) throw failure('EEXIST', newName);
      if (target !== undefined && target.children.size > 0) throw failure('ENOTEMPTY', newName);
      this.#node(parent).children.delete(name);
      this.#node(newParent).children.set(newName, node);
      if (flags.exchange && target !== undefined) this.#node(parent).children.set(name, target);
    });
  }

  create({ parent, name, mode, flags }: CreateRequest, call: Call): Promise<CreateReply> {
    return this.#answer(() => {
      const existing = this.#node(parent).children.get(name);
      if (existing !== undefined && flags.exclusive) throw failure('EEXIST', name);
      const entry = this.#entry(existing ?? this.#add(parent, name, mode, call));
      return { entry, open: this.#open(flags), isNew: existing === undefined };
    });
  }

  open({ inode, flags }: OpenRequest): Promise<OpenReply> {
    return this.#answer(() => {
      if (flags.truncate) this.#truncate(this.#node(inode), 0);
      return this.#open(flags);
    });
  }

  read({ inode, handle, offset, length }: ReadRequest, call: Call): Promise<readonly Uint8Array[]> {
    this.#count('read');
    const node = this.#known.get(inode);
    if (node?.behaviour === 'throw') throw new TypeError('thrown on purpose');
    if (node?.behaviour === 'hang') return this.#hang(call);
    return this.#answer(() => {
      this.#checkHandle(handle);
      return this.#readData(this.#node(inode), offset, length);
    });
  }

  write({ inode, handle, offset, data }: WriteRequest, call?: Call): Promise<void> {
    this.#count('write');
    if (call && this.#known.get(inode)?.behaviour === 'hang-write') return this.#hang(call);
    const write = () => {
      this.#checkHandle(handle);
      const node = this.#node(inode);
      if (node.behaviour !== 'null') this.#writeData(node, offset, data);
      node.size = Math.max(node.size, offset + data.length);
      node.mtimeNs = nowNs();
    };
    return this.writesHeld ? this.writesHeld.then(write) : this.#answer(write);
  }

  flush({ inode, handle }: HandleRequest, call: Call): Promise<void> {
    if (this.#known.get(inode)?.behaviour === 'hang-flush') return this.#hang(call);
    return this.#answer(() => this.#checkHandle(handle));
  }

  synchronize({ handle }: HandleRequest): Promise<void> {
    this.#count('synchronize');
    return this.#answer(() => this.#checkHandle(handle));
  }

  release({ handle }: HandleRequest): Promise<void> {
    return this.#answer(() => {
      this.#checkHandle(handle);
      this.openHandles.delete(handle);
    });
  }

  fallocate({ inode, offset, length, mode }: FallocateRequest): Promise<void> {
    return this.#answer(() => {
      const node = this.#node(inode);
      if (mode.punchHole || mode.zeroRange) {
        const end = Math.min(offset + length, node.size);
        for (const [index] of node.chunks) {
          const start = index * chunkSize;
          if (start >= offset && start + chunkSize <= end) node.chunks.delete(index);
        }
        for (let at = offset; at < end; at += zeros.length) {
          this.#zeroExisting(node, at, Math.min(end, at + zeros.length));
        }
      }
      if (!mode.keepSize) node.size = Math.max(node.size, offset + length);
    });
  }

  seek({ inode, offset, whence }: SeekRequest): Promise<number> {
    return this.#answer(() => {
      const node = this.#node(inode);
      if (offset >= node.size) throw failure('ENXIO', 'past the end');
      for (let at = offset; at < node.size; at = (Math.floor(at / chunkSize) + 1) * chunkSize) {
        if (node.chunks.has(Math.floor(at / chunkSize)) === (whence === 'data')) return at;
      }
      if (whence === 'data') throw failure('ENXIO', 'no data');
      return node.size;
    });
  }

  copyFileRange({ from, to, length }: CopyFileRangeRequest): Promise<number> {
    this.#count('copyFileRange');
    return this.#answer(() => {
      const target = this.#node(to.inode);
      const bytes = Buffer.concat(this.#readData(this.#node(from.inode), from.offset, length));
      this.#writeData(target, to.offset, bytes);
      target.size = Math.max(target.size, to.offset + bytes.length);
      return bytes.length;
    });
  }

  openDirectory(): Promise<OpenDirectoryReply> {
    return this.#answer(() => ({ handle: this.#newHandle() }));
  }

  readDirectory({ inode, handle, offset, add }: ReadDirectoryRequest): Promise<void> {
    this.#count('readDirectory');
    return this.#list(inode, handle, offset, (entry) => add(entry));
  }

  readDirectoryPlus({ inode, handle, offset, add }: ReadDirectoryPlusRequest): Promise<void> {
    this.#count('readDirectoryPlus');
    return this.#list(inode, handle, offset, (entry, node) => {
      const full = node === undefined ? undefined : this.#entry(node);
      const wasTaken = add(entry, full);
      if (!wasTaken && full !== undefined) this.forget(full.inode, 1);
      return wasTaken;
    });
  }

  synchronizeDirectory(): Promise<void> {
    return Promise.resolve();
  }

  releaseDirectory({ handle }: HandleRequest): void {
    this.#checkHandle(handle);
    this.openHandles.delete(handle);
  }

  statistics(): Promise<FileSystemStatistics> {
    return Promise.resolve({
      blockSize: 4096,
      blocks: 1 << 30,
      blocksFree: 1 << 29,
      files: 1000,
      filesFree: 500,
      maxNameBytes: 255,
    });
  }

  getExtendedAttribute({ inode, name }: ExtendedAttributeRequest): Promise<Uint8Array> {
    this.#count('getExtendedAttribute');
    return this.#answer(() => {
      const value = this.#node(inode).xattrs.get(name);
      if (value === undefined) throw failure('ENODATA', name);
      return value;
    });
  }

  setExtendedAttribute({ inode, name, value, mode }: SetExtendedAttributeRequest): Promise<void> {
    return this.#answer(() => {
      const { xattrs } = this.#node(inode);
      if (mode === 'create' && xattrs.has(name)) throw failure('EEXIST', name);
      if (mode === 'replace' && !xattrs.has(name)) throw failure('ENODATA', name);
      xattrs.set(name, Buffer.from(value));
    });
  }

  listExtendedAttributes({ inode }: InodeRequest): Promise<readonly string[]> {
    return this.#answer(() => [...this.#node(inode).xattrs.keys()]);
  }

  removeExtendedAttribute({ inode, name }: ExtendedAttributeRequest): Promise<void> {
    return this.#answer(() => {
      if (!this.#node(inode).xattrs.delete(name)) throw failure('ENODATA', name);
    });
  }

  #answer<T>(compute: () => T): Promise<T> {
    return new Promise((resolve) => resolve(compute()));
  }

  #count(method: string): void {
    this.calls.set(method, (this.calls.get(method) ?? 0) + 1);
  }

  #hang({ signal }: Call): Promise<never> {
    this.hangingCount++;
    return new Promise((_resolve, reject) => {
      const onAbort = () => {
        this.hangingCount--;
        this.abortCount++;
        reject(failure('EINTR', 'told to stop'));
      };
      if (signal.aborted) onAbort();
      else signal.addEventListener('abort', onAbort);
    });
  }

  #node(inode: InodeId): Node {
    const node = this.#known.get(inode);
    if (node === undefined) throw failure('ESTALE', `inode ${inode}`);
    return node;
  }

  #child(parent: InodeId, name: string): Node {
    const node = this.#node(parent).children.get(name);
    if (node === undefined) throw failure('ENOENT', name);
    return node;
  }

  #makeNode(mode: number, { uid, gid }: Pick<Call, 'uid' | 'gid'>): Node {
    const now = nowNs();
    const ino = this.#nextIno++;
    return {
      ino: BigInt(ino),
      cookie: ino + 2,
      mode,
      uid,
      gid,
      size: 0,
      atimeNs: now,
      mtimeNs: now,
      ctimeNs: now,
      linkCount: 1,
      chunks: new Map(),
      children: new Map(),
      xattrs: new Map(),
      target: '',
      deviceNumber: 0,
      behaviour: 'normal',
      inode: undefined,
      lookups: 0,
    };
  }

  #add(parent: InodeId, name: string, mode: number, call: Call): Node {
    const { children } = this.#node(parent);
    if (children.has(name)) throw failure('EEXIST', name);
    const node = this.#makeNode(mode, call);
    if (name === 'hang' || name === 'hang-flush' || name === 'throw') node.behaviour = name;
    if (name.startsWith('hang-write')) node.behaviour = 'hang-write';
    if (name.startsWith('null')) node.behaviour = 'null';
    children.set(name, node);
    return node;
  }

  #entry(node: Node): Entry {
    if (node.inode === undefined) {
      node.inode = this.#nextInode++;
      this.#known.set(node.inode, node);
    }
    node.lookups++;
    return {
      inode: node.inode,
      attributes: attributesOf(node),
      entryTtlMs: this.entryTtlMs,
      attributesTtlMs: this.attributesTtlMs,
    };
  }

  #attributesReply(node: Node): AttributesReply {
    return { attributes: attributesOf(node), attributesTtlMs: this.attributesTtlMs };
  }

  #newHandle(): HandleId {
    const handle = this.#nextHandle++;
    this.openHandles.add(handle);
    return handle;
  }

  #open(flags: OpenFlags): OpenReply {
    return { handle: this.#newHandle(), keepCache: false, directIo: flags.direct };
  }

  #checkHandle(handle: HandleId): void {
    if (!this.openHandles.has(handle)) throw failure('EBADF', `handle ${handle}`);
  }

  #truncate(node: Node, size: number): void {
    for (const [index, chunk] of node.chunks) {
      const start = index * chunkSize;
      if (start >= size) node.chunks.delete(index);
      else if (start + chunkSize > size) chunk.fill(0, size - start);
    }
    node.size = size;
    node.mtimeNs = nowNs();
  }

  #writeData(node: Node, offset: number, data: Uint8Array): void {
    for (let done = 0; done < data.length;) {
      const index = Math.floor((offset + done) / chunkSize);
      const start = (offset + done) % chunkSize;
      const length = Math.min(data.length - done, chunkSize - start);
      let chunk = node.chunks.get(index);
      if (chunk === undefined) node.chunks.set(index, (chunk = Buffer.alloc(chunkSize)));
      chunk.set(data.subarray(done, done + length), start);
      done += length;
    }
  }

  #zeroExisting(node: Node, start: number, end: number): void {
    for (const [index, chunk] of node.chunks) {
      const chunkStart = index * chunkSize;
      if (chunkStart < end && chunkStart + chunkSize > start) {
        chunk.fill(0, Math.max(0, start - chunkStart), Math.min(chunkSize, end - chunkStart));
      }
    }
  }

  #readData(node: Node, offset: number, length: number): Uint8Array[] {
    const pieces: Uint8Array[] = [];
    const end = Math.min(offset + length, node.size);
    if (node.behaviour === 'null') return end > offset ? [zeros.subarray(0, end - offset)] : [];
    for (let at = offset; at < end;) {
      const start = at % chunkSize;
      const pieceLength = Math.min(end - at, chunkSize - start);
      const chunk = node.chunks.get(Math.floor(at / chunkSize)) ?? zeros;
      pieces.push(chunk.subarray(start, start + pieceLength));
      at += pieceLength;
    }
    return pieces;
  }

  #list(
    inode: InodeId,
    handle: HandleId,
    offset: number,
    add: (entry: DirectoryEntry, node: Node | undefined) => boolean,
  ): Promise<void> {
    return this.#answer(() => {
      this.#checkHandle(handle);
      const directory = this.#node(inode);
      const type = constants.S_IFDIR;
      if (offset < 1 && !add({ name: '.', ino: directory.ino, type, nextOffset: 1 }, undefined)) return;
      if (offset < 2 && !add({ name: '..', ino: directory.ino, type, nextOffset: 2 }, undefined)) return;
      for (const [name, node] of directory.children) {
        if (node.cookie <= offset) continue;
        const entry = { name, ino: node.ino, type: node.mode & constants.S_IFMT, nextOffset: node.cookie };
        if (!add(entry, node)) return;
      }
    });
  }
}

function attributesOf(node: Node): Attributes {
  return {
    ino: node.ino,
    mode: node.mode,
    linkCount: node.linkCount,
    uid: node.uid,
    gid: node.gid,
    size: node.size,
    blocks: Math.ceil(node.size / 512),
    atimeNs: node.atimeNs,
    mtimeNs: node.mtimeNs,
    ctimeNs: node.ctimeNs,
    deviceNumber: node.deviceNumber,
  };
}

function failure(code: FsErrorCode, what: string): FsError {
  return new FsError(code, `memory: ${what}`);
}

function nowNs(): bigint {
  return BigInt(Date.now()) * 1_000_000n;
}
