/**
 * A bucket, or what lies below a prefix of it, as a file system: the implementation of the seam that drivers serve. It
 * finds the nodes that a call is about and hands the work to the part that knows it.
 */
import { FsError } from '../errors.js';
import {
  accessMasks,
  type AccessRequest,
  type AttributesReply,
  type Call,
  type CopyFileRangeRequest,
  type CreateReply,
  type CreateRequest,
  type Entry,
  type EntryRequest,
  type ExtendedAttributeRequest,
  type FallocateRequest,
  type FileSystem,
  type FileSystemStatistics,
  type GetAttributesRequest,
  type HandleRequest,
  type InodeId,
  type InodeRequest,
  type KernelCaches,
  type MakeDirectoryRequest,
  type MakeLinkRequest,
  type MakeNodeRequest,
  type MakeSymlinkRequest,
  type OpenDirectoryReply,
  type OpenReply,
  type OpenRequest,
  type ReadDirectoryPlusRequest,
  type ReadDirectoryRequest,
  type ReadRequest,
  type RenameRequest,
  type SeekRequest,
  type SetAttributesRequest,
  type SetExtendedAttributeRequest,
  type WriteRequest,
} from '../file-system.js';
import type { Pending } from '../mount-statistics.js';
import { applyChanges, requireAccess } from './attribute-changes.js';
import type { Scope } from './drain.js';
import { asFsError } from './fs-errors.js';
import { typeMask, typeRegular } from './modes.js';
import { whileChangingNames } from './moves.js';
import { checkNode } from './node-invariants.js';
import { unlimitedSpace } from './node-replies.js';
import type { DirectoryNode, Node } from './nodes.js';
import { readLinkTarget } from './read-link.js';
import { isSpecialType } from './stored-attributes.js';
import { buildParts, type BucketFileSystemOptions, type FileSystemParts } from './file-system-parts.js';

const noKernel: KernelCaches = {
  dropInode: () => Promise.resolve(),
  dropEntry: () => Promise.resolve(),
};

export class BucketFileSystem implements FileSystem {
  readonly #parts: FileSystemParts;
  readonly #abandon = new AbortController();
  /** Set by `start`; before it nothing is cached in the kernel. */
  #kernel = noKernel;

  constructor(options: BucketFileSystemOptions) {
    this.#parts = buildParts(options, () => this.#kernel);
  }

  start(kernel: KernelCaches): void {
    this.#kernel = kernel;
  }

  /** Keeps trying until everything is in the bucket; `abandon` ends that. */
  async stop(): Promise<void> {
    try {
      await this.#parts.writeBack.drain(this.#abandon.signal);
    } finally {
      this.#parts.writeBack.stop();
      for (const node of this.#parts.inodes.nodes()) {
        if (node.kind === 'file') await this.#parts.contents.close(node);
      }
      this.#parts.listed.dropAll(this.#parts.inodes.root);
    }
  }

  /** Resolves when the bucket has everything that was changed before the call, or of that what was closed. */
  async synchronizeAll(scope: Scope): Promise<void> {
    await this.#parts.writeBack.storeAll(scope, this.#abandon.signal);
  }

  /**
   * Gives up what is not stored: flushes and `stop` then reject. Resolves when nothing is on its way and uploads are aborted;
   * never rejects.
   */
  async abandon(): Promise<void> {
    this.#abandon.abort();
    await this.#parts.writeBack.giveUp();
  }

  /** What the bucket does not have yet. Looks at every inode. */
  pending(): Pending[] {
    return this.#parts.writeBack.pending();
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
    return {
      inodes: this.#parts.inodes.size,
      openHandles: this.#parts.openFiles.size,
      knownObjects: this.#parts.infos.size,
      listedEntries: this.#parts.listed.entries,
    };
  }

  /** For tests. */
  checkInvariants(): void {
    this.#parts.inodes.checkInvariants();
    for (const node of this.#parts.inodes.nodes()) checkNode(node);
    this.#parts.writeBack.checkInvariants();
  }

  async lookup({ parent, name }: EntryRequest, call: Call): Promise<Entry> {
    const directory = this.#parts.inodes.directory(parent);
    return await asFsError(`lookup ${directory.prefix}${name}`, async () =>
      this.#parts.replies.entryOf(await this.#parts.finder.requireChild(directory, name, call.signal)),
    );
  }

  forget(inode: InodeId, count: number): void {
    try {
      const node = this.#parts.inodes.get(inode);
      node.lookups = Math.max(0, node.lookups - count);
      this.#parts.inodes.release(node);
    } catch (error) {
      this.#parts.log.debug({ inode, err: error }, 'forget of an inode that is not known');
    }
  }

  async getAttributes({ inode }: GetAttributesRequest, call: Call): Promise<AttributesReply> {
    const node = this.#parts.inodes.get(inode);
    await asFsError(`stat ${node.key}`, () => this.#parts.finder.refresh(node, call.signal));
    return this.#parts.replies.attributesReply(node);
  }

  async setAttributes(
    { inode, changes, handle }: SetAttributesRequest,
    call: Call,
  ): Promise<AttributesReply> {
    const node = this.#parts.inodes.get(inode);
    await this.#changing(`changing ${node.key}`, node.key, call, async () => {
      await this.#parts.finder.refresh(node, call.signal);
      await this.#parts.finder.requireReadable(node, call.signal);
      if (changes.size !== undefined) {
        const file = this.#parts.inodes.file(inode);
        await this.#parts.files.truncate(file, changes.size, handle, call);
      }
      const { clock, writeBack } = this.#parts;
      if (applyChanges(node, changes, clock.nowNs())) writeBack.scheduleAttributes(node);
    });
    return this.#parts.replies.attributesReply(node);
  }

  async access({ inode, mask }: AccessRequest, call: Call): Promise<void> {
    const node = this.#parts.inodes.get(inode);
    await asFsError(`access ${node.key}`, () => this.#parts.finder.refresh(node, call.signal));
    if ((mask & accessMasks.write) !== 0) this.#requireWritable(`access ${node.key}`);
    requireAccess(node, mask, call, this.#parts.defaults);
  }

  async readLink({ inode }: InodeRequest, call: Call): Promise<string> {
    const node = this.#parts.inodes.file(inode);
    return await asFsError(`readlink ${node.key}`, () =>
      readLinkTarget(node, this.#parts.store, call.signal),
    );
  }

  async makeSymlink({ parent, name, target }: MakeSymlinkRequest, call: Call): Promise<Entry> {
    const directory = this.#parts.inodes.directory(parent);
    return await this.#makeEntry('symlink', directory, name, call, () =>
      this.#parts.maker.makeSymlink({ parent: directory, name, mode: 0o777 }, target, call),
    );
  }

  async makeNode({ parent, name, mode, deviceNumber }: MakeNodeRequest, call: Call): Promise<Entry> {
    const directory = this.#parts.inodes.directory(parent);
    const type = mode & typeMask;
    if (isSpecialType(type)) {
      const special = { type, deviceNumber };
      return await this.#makeEntry('mknod', directory, name, call, () =>
        this.#parts.maker.makeSpecial({ parent: directory, name, mode }, special, call),
      );
    }
    const key = directory.prefix + name;
    return await this.#changing(`mknod ${key}`, key, call, async () => {
      if (type !== typeRegular && type !== 0)
        throw new FsError('EINVAL', `mknod ${key}: no such type of file`);
      return this.#parts.replies.entryOf(
        await this.#parts.maker.makeFile({ parent: directory, name, mode }, call),
      );
    });
  }

  async makeDirectory({ parent, name, mode }: MakeDirectoryRequest, call: Call): Promise<Entry> {
    const directory = this.#parts.inodes.directory(parent);
    return await this.#makeEntry('mkdir', directory, name, call, () =>
      this.#parts.maker.makeDirectory({ parent: directory, name, mode }, call),
    );
  }

  makeLink({ inode, newName }: MakeLinkRequest): Promise<Entry> {
    const node = this.#parts.inodes.get(inode);
    return Promise.reject(new FsError('EPERM', `link ${node.key} ${newName}: S3 has no hard links`));
  }

  async unlink({ parent, name }: EntryRequest, call: Call): Promise<void> {
    const directory = this.#parts.inodes.directory(parent);
    await this.#changing(`unlink ${directory.prefix}${name}`, undefined, call, () =>
      this.#changeNames(directory, call, () => this.#parts.remover.unlink(directory, name, call.signal)),
    );
  }

  async removeDirectory({ parent, name }: EntryRequest, call: Call): Promise<void> {
    const directory = this.#parts.inodes.directory(parent);
    await this.#changing(`rmdir ${directory.prefix}${name}`, undefined, call, () =>
      this.#changeNames(directory, call, () =>
        this.#parts.remover.removeDirectory(directory, name, call.signal),
      ),
    );
  }

  async rename({ parent, name, newParent, newName, flags }: RenameRequest, call: Call): Promise<void> {
    const from = this.#parts.inodes.directory(parent);
    const to = this.#parts.inodes.directory(newParent);
    const newKey = to.prefix + newName;
    await this.#changing(`rename ${from.prefix}${name} to ${newKey}`, newKey, call, () =>
      this.#parts.renamer.rename({ parent: from, name, newParent: to, newName, flags }, call.signal),
    );
  }

  async create({ parent, name, mode, flags }: CreateRequest, call: Call): Promise<CreateReply> {
    const directory = this.#parts.inodes.directory(parent);
    const key = directory.prefix + name;
    const what = `create ${key}`;
    return await this.#changing(what, key, call, async () => {
      await this.#parts.writeBack.waitForMoves(directory, call.signal);
      let node = await this.#parts.finder.findChild(directory, name, call.signal);
      // A file that is not to be replaced, or not whole, must be seen if it was stored anywhere before this open.
      if (!node && (flags.exclusive || !flags.truncate)) {
        node = await this.#parts.finder.findStored(directory, name, call.signal);
      }
      if (node) {
        try {
          if (flags.exclusive) throw new FsError('EEXIST', `${what}: exists`);
          if (node.kind === 'directory') throw new FsError('EISDIR', `${what}: a directory`);
          const open = await this.#parts.files.open(node, flags, call);
          return { entry: this.#parts.replies.entryOf(node), open, isNew: false };
        } catch (error) {
          this.#parts.inodes.release(node);
          throw error;
        }
      }
      const created = this.#parts.maker.createFile(
        { parent: directory, name, mode },
        flags.truncate && !flags.exclusive,
        call,
      );
      const open = this.#parts.openFiles.open(created, flags, { hasChanged: true });
      return { entry: this.#parts.replies.entryOf(created), open, isNew: true };
    });
  }

  async open({ inode, flags }: OpenRequest, call: Call): Promise<OpenReply> {
    const node = this.#parts.inodes.file(inode);
    const what = `open ${node.key}`;
    const open = () => this.#parts.files.open(node, flags, call);
    return flags.write ? await this.#changing(what, node.key, call, open) : await asFsError(what, open);
  }

  read(request: ReadRequest, call: Call): Promise<readonly Uint8Array[]> {
    return this.#parts.files.read(request, call);
  }

  tryWrite(request: WriteRequest, call: Call): boolean {
    return this.#parts.files.tryWrite(request, call);
  }

  write(request: WriteRequest, call: Call): Promise<void> {
    return this.#parts.files.write(request, call);
  }

  flush(request: HandleRequest, call: Call): Promise<void> {
    return this.#parts.files.flush(request, call);
  }

  synchronize(request: HandleRequest, call: Call): Promise<void> {
    return this.#parts.files.synchronize(request, call);
  }

  release({ handle }: HandleRequest): Promise<void> {
    return this.#parts.files.release(handle);
  }

  fallocate(request: FallocateRequest, call: Call): Promise<void> {
    return this.#parts.files.fallocate(request, call);
  }

  seek(request: SeekRequest): Promise<number> {
    return asFsError('seek', async () => Promise.resolve(this.#parts.files.seek(request)));
  }

  copyFileRange(request: CopyFileRangeRequest, call: Call): Promise<number> {
    return this.#parts.files.copyRange(request, call);
  }

  openDirectory({ inode }: InodeRequest): Promise<OpenDirectoryReply> {
    return asFsError('opendir', async () =>
      Promise.resolve(this.#parts.directories.open(this.#parts.inodes.directory(inode))),
    );
  }

  readDirectory(request: ReadDirectoryRequest, call: Call): Promise<void> {
    return asFsError('readdir', () => this.#parts.directories.read(request, call));
  }

  readDirectoryPlus(request: ReadDirectoryPlusRequest, call: Call): Promise<void> {
    return asFsError('readdir', () => this.#parts.directories.readPlus(request, call));
  }

  async synchronizeDirectory({ inode }: HandleRequest, call: Call): Promise<void> {
    const directory = this.#parts.inodes.directory(inode);
    await this.#parts.writeBack.store(directory, call.signal);
  }

  releaseDirectory({ handle }: HandleRequest): void {
    this.#parts.directories.release(handle);
  }

  statistics(): Promise<FileSystemStatistics> {
    return Promise.resolve(unlimitedSpace);
  }

  async getExtendedAttribute({ inode, name }: ExtendedAttributeRequest, call: Call): Promise<Uint8Array> {
    const node = this.#parts.inodes.get(inode);
    return await asFsError(`getxattr ${node.key}`, async () => {
      await this.#parts.finder.refresh(node, call.signal);
      return this.#parts.extended.get(node, name);
    });
  }

  async setExtendedAttribute(
    { inode, name, value, mode }: SetExtendedAttributeRequest,
    call: Call,
  ): Promise<void> {
    const node = this.#parts.inodes.get(inode);
    await this.#changing(`setxattr ${node.key}`, node.key, call, async () => {
      await this.#parts.finder.refresh(node, call.signal);
      await this.#parts.finder.requireReadable(node, call.signal);
      this.#parts.extended.set(node, name, value, mode);
    });
  }

  async listExtendedAttributes({ inode }: InodeRequest, call: Call): Promise<readonly string[]> {
    const node = this.#parts.inodes.get(inode);
    await asFsError(`listxattr ${node.key}`, () => this.#parts.finder.refresh(node, call.signal));
    return this.#parts.extended.list(node);
  }

  async removeExtendedAttribute({ inode, name }: ExtendedAttributeRequest, call: Call): Promise<void> {
    const node = this.#parts.inodes.get(inode);
    await this.#changing(`removexattr ${node.key}`, node.key, call, async () => {
      await this.#parts.finder.refresh(node, call.signal);
      await this.#parts.finder.requireReadable(node, call.signal);
      this.#parts.extended.remove(node, name);
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
      this.#parts.replies.entryOf(await this.#changeNames(directory, call, make)),
    );
  }

  /** Does what changes something. `key`: what would be stored; undefined if nothing is. Rejects with `EROFS` where that may not be. */
  async #changing<T>(what: string, key: string | undefined, call: Call, work: () => Promise<T>): Promise<T> {
    this.#requireWritable(what);
    return await asFsError(what, async () => {
      if (key !== undefined) await this.#parts.proveEncryption(key, call.signal);
      return await work();
    });
  }

  async #changeNames<T>(directory: DirectoryNode, call: Call, work: () => Promise<T>): Promise<T> {
    return await whileChangingNames([directory], call.signal, work);
  }

  #requireWritable(what: string): void {
    if (this.#parts.isReadOnly) throw new FsError('EROFS', `${what}: the mount is read-only`);
  }
}
