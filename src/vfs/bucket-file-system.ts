/**
 * A bucket, or what lies below a prefix of it, as a file system: the implementation of the seam that drivers serve. It
 * finds the nodes that a call is about and hands the work to the part that knows it.
 */
import type { BlockReader } from '../cache/block-reader.js';
import { ObjectInfoCache } from './object-info-cache.js';
import type { StagingArea } from '../staging/staging-area.js';
import type { Limiter } from '../concurrency/limiter.js';
import { FsError } from '../errors.js';
import type {
  AccessRequest,
  AttributeChanges,
  AttributesReply,
  Call,
  CopyFileRangeRequest,
  CreateReply,
  CreateRequest,
  Entry,
  EntryRequest,
  ExtendedAttributeRequest,
  FallocateRequest,
  FileSystem,
  FileSystemStatistics,
  GetAttributesRequest,
  HandleRequest,
  InodeId,
  InodeRequest,
  KernelCaches,
  MakeDirectoryRequest,
  MakeLinkRequest,
  MakeNodeRequest,
  MakeSymlinkRequest,
  OpenDirectoryReply,
  OpenReply,
  OpenRequest,
  ReadDirectoryPlusRequest,
  ReadDirectoryRequest,
  ReadRequest,
  RenameRequest,
  SeekRequest,
  SetAttributesRequest,
  SetExtendedAttributeRequest,
  WriteRequest,
} from '../file-system.js';
import type { Log } from '../log.js';
import type { Pending } from '../mount-statistics.js';
import type { ObjectStore } from '../object-store.js';
import { systemClock, type Clock } from '../clock.js';
import type { ProveEncryption, VfsContext } from './context.js';
import { DirectoryMarkers } from './directory-markers.js';
import type { Scope } from './drain.js';
import { DirectoryReader } from './directory-reader.js';
import { ExtendedAttributeOperations } from './extended-attribute-operations.js';
import { noExtendedAttributes } from './extended-attributes.js';
import { FileContents } from './file-contents.js';
import { FileOperations } from './file-operations.js';
import { IdleInodes } from './idle-inodes.js';
import { InodeTable } from './inode-table.js';
import { KnownMarkers } from './known-markers.js';
import { ListedDirectories } from './listed-directories.js';
import {
  permissionMask,
  setGroupIdBit,
  setUserIdBit,
  typeDirectory,
  typeMask,
  typeRegular,
} from './modes.js';
import { asFsError, NamespaceOperations } from './namespace-operations.js';
import { attributesOf, NodeFinder } from './node-finder.js';
import { whileChangingNames } from './moves.js';
import { checkNode } from './node-invariants.js';
import type { DirectoryNode, Node } from './nodes.js';
import { defaultRewriteBytes, ObjectRewriter } from './object-rewriter.js';
import { Renamer } from './renamer.js';
import { Reopenings } from './reopenings.js';
import { Resolver } from './resolver.js';
import { shownAttributes } from './shown-attributes.js';
import { isSpecialType, type AttributeDefaults, type StoredAttributes } from './stored-attributes.js';
import { StoredRecords } from './stored-records.js';
import { unlimitedSpace } from './unlimited-space.js';
import { WriteBack } from './write-back.js';

export interface BucketFileSystemOptions {
  readonly store: ObjectStore;
  readonly reader: BlockReader;
  readonly area: StagingArea;
  readonly uploads: Limiter;
  /** '' or ending in '/': only keys below it are seen. */
  readonly prefix: string;
  /** What objects without attributes of their own show. */
  readonly defaults: AttributeDefaults;
  /** How old knowledge of names and attributes may be; 0 asks every time. */
  readonly metadataTtlMs: number;
  /** How long it is believed that a name is not there; default 1 s. */
  readonly negativeTtlMs?: number;
  readonly isReadOnly: boolean;
  /** Default: all is. */
  readonly proveEncryption?: ProveEncryption;
  /** How long changed attributes of stored objects wait for more changes; default 500 ms. */
  readonly attributeDelayMs?: number;
  /** Objects of up to this size are sent again instead of copied on the server; default 64 KiB. */
  readonly rewriteBytes?: number;
  /** The most zeros that a file is extended by between two times that it is stored; default: any number. */
  readonly maxHoleBytes?: number;
  /** What the root shows for its times; default now. */
  readonly rootTimeNs?: bigint;
  /** The attributes of objects that are remembered; default: of 150,000. */
  readonly infos?: ObjectInfoCache;
  /** The listings that are remembered; default: of 300,000 entries. */
  readonly listed?: ListedDirectories;
  /** So many inodes may be known to the kernel before it is told to forget idle ones; default 200,000. */
  readonly maxKnownInodes?: number;
  readonly clock?: Clock;
  readonly log: Log;
}

const readMask = 4;
const writeMask = 2;
/** Of about 600 bytes each. */
export const defaultKnownObjects = 150_000;
/** Of about 300 bytes each. */
export const defaultListedEntries = 300_000;

const defaultNegativeTtlMs = 1000;
/** Of about 2.5 KiB each, with what else is remembered of them. */
const defaultKnownInodes = 200_000;

const noKernel: KernelCaches = {
  dropInode: () => Promise.resolve(),
  dropEntry: () => Promise.resolve(),
};

export class BucketFileSystem implements FileSystem {
  readonly #context: VfsContext;
  readonly #listed: ListedDirectories;
  readonly #finder: NodeFinder;
  readonly #files: FileOperations;
  readonly #names: NamespaceOperations;
  readonly #renamer: Renamer;
  readonly #directories: DirectoryReader;
  readonly #extended: ExtendedAttributeOperations;
  readonly #abandon = new AbortController();

  constructor(options: BucketFileSystemOptions) {
    const { store, reader, area, uploads, defaults, metadataTtlMs, isReadOnly, log } = options;
    const clock = options.clock ?? systemClock;
    const infos = options.infos ?? new ObjectInfoCache(defaultKnownObjects);
    const rootTimeNs = options.rootTimeNs ?? clock.nowNs();
    const inodes = new InodeTable(options.prefix, rootAttributes(defaults, rootTimeNs), clock.monotonicMs());
    const listed = options.listed ?? new ListedDirectories(defaultListedEntries);
    const negativeTtlMs = options.negativeTtlMs ?? defaultNegativeTtlMs;
    const knownMarkers = new KnownMarkers(clock, metadataTtlMs);
    const resolver = new Resolver({
      store,
      infos,
      reader,
      metadataTtlMs,
      negativeTtlMs,
      knownMarkers,
      listed,
      clock,
      log,
    });
    const attributeDelayMs = options.attributeDelayMs ?? 500;
    const rewriter = new ObjectRewriter(store, reader, options.rewriteBytes ?? defaultRewriteBytes);
    const markers = new DirectoryMarkers({ store, rewriter, known: knownMarkers, clock, log });
    const records = new StoredRecords(infos, clock);
    const maxHoleBytes = options.maxHoleBytes ?? Infinity;
    const contents = new FileContents({ store, reader, area, uploads, records, maxHoleBytes, clock, log });
    const writeBack = new WriteBack({
      store,
      reader,
      rewriter,
      markers,
      infos,
      inodes,
      contents,
      records,
      defaults,
      attributeDelayMs,
      clock,
      log,
    });
    this.#context = {
      store,
      reader,
      rewriter,
      markers,
      infos,
      inodes,
      idleInodes: new IdleInodes({
        inodes,
        maxKnown: options.maxKnownInodes ?? defaultKnownInodes,
        kernel: () => this.#context.kernel,
        log,
      }),
      contents,
      records,
      resolver,
      knownMarkers,
      writeBack,
      defaults,
      metadataTtlMs,
      reopenings: new Reopenings(clock),
      isReadOnly,
      proveEncryption: options.proveEncryption ?? (() => undefined),
      clock,
      log,
      kernel: noKernel,
    };
    this.#listed = listed;
    this.#finder = new NodeFinder(this.#context);
    this.#files = new FileOperations(this.#context, this.#finder);
    this.#names = new NamespaceOperations(this.#context, this.#finder, this.#files);
    this.#renamer = new Renamer(this.#context, this.#finder, this.#files, this.#names);
    this.#directories = new DirectoryReader(this.#context, this.#finder);
    this.#extended = new ExtendedAttributeOperations(this.#context);
  }

  start(kernel: KernelCaches): void {
    this.#context.kernel = kernel;
  }

  /** Keeps trying until everything is in the bucket; `abandon` ends that. */
  async stop(): Promise<void> {
    const { writeBack, contents, inodes } = this.#context;
    try {
      await writeBack.drain(this.#abandon.signal);
    } finally {
      writeBack.stop();
      for (const node of inodes.nodes()) {
        if (node.kind === 'file') await contents.close(node);
      }
      this.#listed.dropAll(inodes.root);
    }
  }

  /** Resolves when the bucket has everything that was changed before the call, or of that what was closed. */
  async synchronizeAll(scope: Scope): Promise<void> {
    await this.#context.writeBack.storeAll(scope, this.#abandon.signal);
  }

  /**
   * Gives up what is not stored: flushes and `stop` then reject. Resolves when nothing is on its way and uploads are aborted;
   * never rejects.
   */
  async abandon(): Promise<void> {
    this.#abandon.abort();
    await this.#context.writeBack.giveUp();
  }

  /** What the bucket does not have yet. Looks at every inode. */
  pending(): Pending[] {
    return this.#context.writeBack.pending();
  }

  /** The keys of the same. */
  pendingKeys(): string[] {
    return this.pending().map(({ path }) => path);
  }

  statisticsOfCaches(): {
    readonly inodes: number;
    readonly openHandles: number;
    readonly knownObjects: number;
    readonly listedEntries: number;
  } {
    const { inodes, infos } = this.#context;
    return {
      inodes: inodes.size,
      openHandles: this.#files.openHandles,
      knownObjects: infos.size,
      listedEntries: this.#listed.entries,
    };
  }

  /** For tests. */
  checkInvariants(): void {
    const { inodes, writeBack } = this.#context;
    inodes.checkInvariants();
    for (const node of inodes.nodes()) checkNode(node);
    writeBack.checkInvariants();
  }

  async lookup({ parent, name }: EntryRequest, call: Call): Promise<Entry> {
    const directory = this.#context.inodes.directory(parent);
    return await asFsError(`lookup ${directory.prefix}${name}`, async () =>
      this.#finder.entryOf(await this.#finder.requireChild(directory, name, call.signal)),
    );
  }

  forget(inode: InodeId, count: number): void {
    const { inodes, log } = this.#context;
    try {
      const node = inodes.get(inode);
      node.lookups = Math.max(0, node.lookups - count);
      inodes.release(node);
    } catch (error) {
      log.debug({ inode, err: error }, 'forget of an inode that is not known');
    }
  }

  async getAttributes({ inode }: GetAttributesRequest, call: Call): Promise<AttributesReply> {
    const node = this.#context.inodes.get(inode);
    await asFsError(`stat ${node.key}`, () => this.#finder.refresh(node, call.signal));
    return this.#attributesReply(node);
  }

  async setAttributes(
    { inode, changes, handle }: SetAttributesRequest,
    call: Call,
  ): Promise<AttributesReply> {
    const node = this.#context.inodes.get(inode);
    await this.#changing(`changing ${node.key}`, node.key, call, async () => {
      await this.#finder.refresh(node, call.signal);
      await this.#finder.requireReadable(node, call.signal);
      if (changes.size !== undefined) {
        const file = this.#context.inodes.file(inode);
        await this.#files.truncate(file, changes.size, handle, call);
      }
      this.#applyChanges(node, changes);
    });
    return this.#attributesReply(node);
  }

  async access({ inode, mask }: AccessRequest, call: Call): Promise<void> {
    const node = this.#context.inodes.get(inode);
    await asFsError(`access ${node.key}`, () => this.#finder.refresh(node, call.signal));
    if ((mask & writeMask) !== 0) this.#requireWritable(`access ${node.key}`);
    const { type } = node.attributes;
    const { permissions, uid, gid } = shownAttributes(node.attributes, this.#context.defaults);
    if (call.uid === 0) {
      const needsExecute = (mask & ~(readMask | writeMask)) !== 0;
      if (!needsExecute || type === typeDirectory || (permissions & 0o111) !== 0) return;
    } else {
      const shift = call.uid === uid ? 6 : call.gid === gid ? 3 : 0;
      if (((permissions >> shift) & mask) === mask) return;
    }
    throw new FsError('EACCES', `access ${node.key}: permission denied`);
  }

  async readLink({ inode }: InodeRequest, call: Call): Promise<string> {
    const node = this.#context.inodes.file(inode);
    return await asFsError(`readlink ${node.key}`, () => this.#names.readLink(node, call));
  }

  async makeSymlink({ parent, name, target }: MakeSymlinkRequest, call: Call): Promise<Entry> {
    const directory = this.#context.inodes.directory(parent);
    return await this.#makeEntry('symlink', directory, name, call, () =>
      this.#names.makeSymlink(directory, name, target, call),
    );
  }

  async makeNode({ parent, name, mode, deviceNumber }: MakeNodeRequest, call: Call): Promise<Entry> {
    const directory = this.#context.inodes.directory(parent);
    const type = mode & typeMask;
    if (isSpecialType(type)) {
      const special = { type, mode, deviceNumber };
      return await this.#makeEntry('mknod', directory, name, call, () =>
        this.#names.makeSpecial(directory, name, special, call),
      );
    }
    const key = directory.prefix + name;
    return await this.#changing(`mknod ${key}`, key, call, async () => {
      if (type !== typeRegular && type !== 0)
        throw new FsError('EINVAL', `mknod ${key}: no such type of file`);
      return this.#finder.entryOf(await this.#names.makeFile(directory, name, mode, call));
    });
  }

  async makeDirectory({ parent, name, mode }: MakeDirectoryRequest, call: Call): Promise<Entry> {
    const directory = this.#context.inodes.directory(parent);
    return await this.#makeEntry('mkdir', directory, name, call, () =>
      this.#names.makeDirectory(directory, name, mode, call),
    );
  }

  makeLink({ inode, newName }: MakeLinkRequest): Promise<Entry> {
    const node = this.#context.inodes.get(inode);
    return Promise.reject(new FsError('EPERM', `link ${node.key} ${newName}: S3 has no hard links`));
  }

  async unlink({ parent, name }: EntryRequest, call: Call): Promise<void> {
    const directory = this.#context.inodes.directory(parent);
    await this.#changing(`unlink ${directory.prefix}${name}`, undefined, call, () =>
      this.#changeNames(directory, call, () => this.#names.unlink(directory, name, call)),
    );
  }

  async removeDirectory({ parent, name }: EntryRequest, call: Call): Promise<void> {
    const directory = this.#context.inodes.directory(parent);
    await this.#changing(`rmdir ${directory.prefix}${name}`, undefined, call, () =>
      this.#changeNames(directory, call, () => this.#names.removeDirectory(directory, name, call)),
    );
  }

  async rename({ parent, name, newParent, newName, flags }: RenameRequest, call: Call): Promise<void> {
    const from = this.#context.inodes.directory(parent);
    const to = this.#context.inodes.directory(newParent);
    const newKey = to.prefix + newName;
    await this.#changing(`rename ${from.prefix}${name} to ${newKey}`, newKey, call, () =>
      this.#renamer.rename(from, name, to, newName, flags, call),
    );
  }

  async create({ parent, name, mode, flags }: CreateRequest, call: Call): Promise<CreateReply> {
    const { inodes, writeBack } = this.#context;
    const directory = inodes.directory(parent);
    const key = directory.prefix + name;
    const what = `create ${key}`;
    return await this.#changing(what, key, call, async () => {
      await writeBack.waitForMoves(directory, call.signal);
      let node = await this.#finder.findChild(directory, name, call.signal);
      // A file that is not to be replaced, or not whole, must be seen if it was stored anywhere before this open.
      if (!node && (flags.exclusive || !flags.truncate)) {
        node = await this.#finder.findStored(directory, name, call.signal);
      }
      if (node) {
        try {
          if (flags.exclusive) throw new FsError('EEXIST', `${what}: exists`);
          if (node.kind === 'directory') throw new FsError('EISDIR', `${what}: a directory`);
          const open = await this.#files.open(node, flags, call);
          return { entry: this.#finder.entryOf(node), open, isNew: false };
        } catch (error) {
          inodes.release(node);
          throw error;
        }
      }
      const created = this.#names.createFile(directory, name, mode, flags.truncate && !flags.exclusive, call);
      const open = this.#files.openHandle(created, flags, { hasChanged: true });
      return { entry: this.#finder.entryOf(created), open, isNew: true };
    });
  }

  async open({ inode, flags }: OpenRequest, call: Call): Promise<OpenReply> {
    const node = this.#context.inodes.file(inode);
    return await asFsError(`open ${node.key}`, () => this.#files.open(node, flags, call));
  }

  read(request: ReadRequest, call: Call): Promise<readonly Uint8Array[]> {
    return this.#files.read(request, call);
  }

  tryWrite(request: WriteRequest, call: Call): boolean {
    return this.#files.tryWrite(request, call);
  }

  write(request: WriteRequest, call: Call): Promise<void> {
    return this.#files.write(request, call);
  }

  flush(request: HandleRequest, call: Call): Promise<void> {
    return this.#files.flush(request, call);
  }

  synchronize(request: HandleRequest, call: Call): Promise<void> {
    return this.#files.synchronize(request, call);
  }

  release({ handle }: HandleRequest): Promise<void> {
    return this.#files.release(handle);
  }

  fallocate(request: FallocateRequest, call: Call): Promise<void> {
    return this.#files.fallocate(request, call);
  }

  seek(request: SeekRequest): Promise<number> {
    return asFsError('seek', async () => Promise.resolve(this.#files.seek(request)));
  }

  copyFileRange(request: CopyFileRangeRequest, call: Call): Promise<number> {
    return this.#files.copyRange(request, call);
  }

  openDirectory({ inode }: InodeRequest): Promise<OpenDirectoryReply> {
    return asFsError('opendir', async () =>
      Promise.resolve(this.#directories.open(this.#context.inodes.directory(inode))),
    );
  }

  readDirectory(request: ReadDirectoryRequest, call: Call): Promise<void> {
    return asFsError('readdir', () => this.#directories.read(request, call));
  }

  readDirectoryPlus(request: ReadDirectoryPlusRequest, call: Call): Promise<void> {
    return asFsError('readdir', () => this.#directories.readPlus(request, call));
  }

  async synchronizeDirectory({ inode }: HandleRequest, call: Call): Promise<void> {
    const directory = this.#context.inodes.directory(inode);
    await this.#context.writeBack.store(directory, call.signal);
  }

  releaseDirectory({ handle }: HandleRequest): void {
    this.#directories.release(handle);
  }

  statistics(): Promise<FileSystemStatistics> {
    return Promise.resolve(unlimitedSpace);
  }

  async getExtendedAttribute({ inode, name }: ExtendedAttributeRequest, call: Call): Promise<Uint8Array> {
    const node = this.#context.inodes.get(inode);
    return await asFsError(`getxattr ${node.key}`, async () => {
      await this.#finder.refresh(node, call.signal);
      return this.#extended.get(node, name);
    });
  }

  async setExtendedAttribute(
    { inode, name, value, mode }: SetExtendedAttributeRequest,
    call: Call,
  ): Promise<void> {
    const node = this.#context.inodes.get(inode);
    await this.#changing(`setxattr ${node.key}`, node.key, call, async () => {
      await this.#finder.refresh(node, call.signal);
      await this.#finder.requireReadable(node, call.signal);
      this.#extended.set(node, name, value, mode);
    });
  }

  async listExtendedAttributes({ inode }: InodeRequest, call: Call): Promise<readonly string[]> {
    const node = this.#context.inodes.get(inode);
    await asFsError(`listxattr ${node.key}`, () => this.#finder.refresh(node, call.signal));
    return this.#extended.list(node);
  }

  async removeExtendedAttribute({ inode, name }: ExtendedAttributeRequest, call: Call): Promise<void> {
    const node = this.#context.inodes.get(inode);
    await this.#changing(`removexattr ${node.key}`, node.key, call, async () => {
      await this.#finder.refresh(node, call.signal);
      await this.#finder.requireReadable(node, call.signal);
      this.#extended.remove(node, name);
    });
  }

  async #makeEntry(
    operation: string,
    directory: DirectoryNode,
    name: string,
    call: Call,
    make: () => Promise<Node>,
  ): Promise<Entry> {
    const key = directory.prefix + name;
    return await this.#changing(`${operation} ${key}`, key, call, async () =>
      this.#finder.entryOf(await this.#changeNames(directory, call, make)),
    );
  }

  /** Does what changes something. `key`: what would be stored; undefined if nothing is. Rejects with `EROFS` where that may not be. */
  async #changing<T>(what: string, key: string | undefined, call: Call, work: () => Promise<T>): Promise<T> {
    this.#requireWritable(what);
    return await asFsError(what, async () => {
      if (key !== undefined) await this.#context.proveEncryption(key, call.signal);
      return await work();
    });
  }

  async #changeNames<T>(directory: DirectoryNode, call: Call, work: () => Promise<T>): Promise<T> {
    return await whileChangingNames([directory], call.signal, work);
  }

  #attributesReply(node: Node): AttributesReply {
    return {
      attributes: attributesOf(node, this.#context.defaults),
      attributesTtlMs: this.#finder.ttlMsOf(node),
    };
  }

  #applyChanges(node: Node, changes: AttributeChanges): void {
    const now = this.#context.clock.nowNs();
    const timeOf = (change: bigint | 'now') => (change === 'now' ? now : change);
    const { mode, uid, gid, atime, mtime, ctime, killSetId } = changes;
    const changed: Partial<StoredAttributes> = {
      ...(mode === undefined ? {} : { permissions: mode & permissionMask }),
      ...(uid === undefined ? {} : { uid }),
      ...(gid === undefined ? {} : { gid }),
      ...(atime === undefined ? {} : { atimeNs: timeOf(atime) }),
      ...(mtime === undefined ? {} : { mtimeNs: timeOf(mtime), hasTimesOfWrite: false }),
    };
    if (killSetId && mode === undefined) {
      const kept = node.attributes.permissions & ~(setUserIdBit | setGroupIdBit);
      if (kept !== node.attributes.permissions) Object.assign(changed, { permissions: kept });
    }
    if (Object.keys(changed).length === 0) return;
    node.attributes = { ...node.attributes, ...changed, ctimeNs: ctime ?? now };
    this.#context.writeBack.scheduleAttributes(node);
  }

  #requireWritable(what: string): void {
    if (this.#context.isReadOnly) throw new FsError('EROFS', `${what}: the mount is read-only`);
  }
}

function rootAttributes(defaults: AttributeDefaults, timeNs: bigint): StoredAttributes {
  return {
    type: typeDirectory,
    permissions: defaults.directoryPermissions,
    uid: defaults.uid,
    gid: defaults.gid,
    atimeNs: timeNs,
    mtimeNs: timeNs,
    ctimeNs: timeNs,
    hasTimesOfWrite: false,
    extended: noExtendedAttributes,
    otherMetadata: {},
    contentType: undefined,
  };
}
