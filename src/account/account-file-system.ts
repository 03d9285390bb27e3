/**
 * All buckets of an account as the directories of one file system. `top-directory.ts` handles the top. Everything else goes to
 * the file system of the bucket, whose inodes have a range of their own in the mount.
 */
import { FsError } from '../errors.js';
import {
  accessMasks,
  rootInode,
  type AccessRequest,
  type AttributesReply,
  type Call,
  type CopyFileRangeRequest,
  type CreateReply,
  type CreateRequest,
  type DirectoryEntry,
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
import type { Log } from '../log.js';
import type { Pending } from '../mount-statistics.js';
import type { BucketFileSystem } from '../vfs/bucket-file-system.js';
import { systemClock, type Clock } from '../clock.js';
import type { Scope } from '../vfs/drain.js';
import type { AttributeDefaults } from '../vfs/stored-attributes.js';
import { unlimitedSpace } from '../vfs/node-replies.js';
import { BucketList } from './bucket-list.js';
import type { BucketFacts, Buckets } from './buckets.js';
import { inodeWithin, isTopOfBucket, placeOf, Places, rootNumber } from './inode-space.js';
import { ShownBucket } from './shown-bucket.js';
import { TopDirectory } from './top-directory.js';

export interface AccountFileSystemOptions {
  readonly buckets: Buckets;
  /** What the top, and buckets at their top, show. */
  readonly defaults: AttributeDefaults;
  readonly metadataTtlMs: number;
  /** How long the answer counts that a bucket does not exist. */
  readonly negativeTtlMs: number;
  readonly isReadOnly: boolean;
  /** A bucket is closed after this time without use, if the kernel knows nothing of it. Default 5 min. */
  readonly idleMs?: number;
  readonly clock?: Clock;
  readonly log: Log;
}

const defaultIdleMs = 300_000;
const sweepMs = 60_000;

export class AccountFileSystem implements FileSystem {
  readonly #options: AccountFileSystemOptions;
  readonly #clock: Clock;
  readonly #list: BucketList;
  readonly #top: TopDirectory;
  readonly #places = new Places<ShownBucket>();
  readonly #shown = new Map<string, ShownBucket>();
  /** Ends what is asked of the server beside the calls of programs. */
  readonly #stopping = new AbortController();
  #kernel: KernelCaches | undefined;
  #cancelSweep: () => void = () => undefined;
  #isAbandoned = false;

  constructor(options: AccountFileSystemOptions) {
    const { buckets, defaults, metadataTtlMs, negativeTtlMs, log } = options;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#list = new BucketList({
      buckets,
      metadataTtlMs,
      negativeTtlMs,
      clock: this.#clock,
      log,
      signal: this.#stopping.signal,
    });
    this.#top = new TopDirectory({
      list: this.#list,
      make: buckets.make,
      show: (bucket) => this.#show(bucket),
      defaults,
      metadataTtlMs,
      clock: this.#clock,
    });
  }

  start(kernel: KernelCaches): void {
    this.#kernel = kernel;
    this.#sweepLater();
  }

  /** Keeps trying until every bucket has everything; `abandon` ends that. */
  async stop(): Promise<void> {
    this.#cancelSweep();
    this.#stopping.abort();
    await endAll([...this.#shown.values()].map((bucket) => bucket.stop()));
  }

  /** Resolves when the buckets have everything that was changed before the call, or only what was closed, as `scope` says. */
  async synchronizeAll(scope: Scope): Promise<void> {
    await endAll(this.#openFileSystems().map((fileSystem) => fileSystem.synchronizeAll(scope)));
  }

  /** As of each bucket's file system. */
  async abandon(): Promise<void> {
    this.#isAbandoned = true;
    await Promise.all(this.#openFileSystems().map((fileSystem) => fileSystem.abandon()));
  }

  /** What the buckets do not have yet, as BUCKET/KEY. */
  pending(): Pending[] {
    return [...this.#shown.values()].flatMap(({ facts, fileSystem }) =>
      (fileSystem?.pending() ?? []).map(({ path, reason }) => ({ path: `${facts.name}/${path}`, reason })),
    );
  }

  get openHandles(): number {
    return this.#openFileSystems().reduce((sum, each) => sum + each.statisticsOfCaches().openHandles, 0);
  }

  /** The names of the buckets whose file system is open. */
  openBuckets(): string[] {
    return [...this.#shown.values()].flatMap(({ facts, fileSystem }) => (fileSystem ? [facts.name] : []));
  }

  async closeIdleBuckets(): Promise<void> {
    const idleMs = this.#options.idleMs ?? defaultIdleMs;
    for (const bucket of [...this.#shown.values()]) {
      await bucket.closeIfIdle(idleMs);
      this.#forgetIfUnused(bucket);
    }
  }

  async lookup(request: EntryRequest, call: Call): Promise<Entry> {
    if (request.parent === rootInode) return await this.#top.lookup(request.name, call);
    return await this.#forEntry(request, call, (files, within) => files.lookup(within, call));
  }

  forget(inode: InodeId, count: number): void {
    if (inode === rootInode) return;
    const bucket = this.#places.get(placeOf(inode));
    if (!bucket) {
      this.#options.log.debug({ inode }, 'forget of an inode that is not known');
      return;
    }
    if (isTopOfBucket(inode)) bucket.lookups = Math.max(0, bucket.lookups - count);
    else bucket.fileSystem?.forget(inodeWithin(inode), count);
    this.#forgetIfUnused(bucket);
  }

  async getAttributes(request: GetAttributesRequest, call: Call): Promise<AttributesReply> {
    if (request.inode === rootInode) return this.#top.attributes();
    const unopened = this.#unopenedTop(request.inode);
    if (unopened) return this.#top.attributesOfBucket(unopened);
    return await this.#inBucket(request, call, async (files, within, bucket) =>
      replyOf(bucket, await files.getAttributes(within, call)),
    );
  }

  async setAttributes(request: SetAttributesRequest, call: Call): Promise<AttributesReply> {
    this.#refuseAtTop(request.inode, 'changing the attributes of the top');
    return await this.#inBucket(request, call, async (files, within, bucket) => {
      const reply = replyOf(bucket, await files.setAttributes(within, call));
      if (isTopOfBucket(request.inode)) bucket.hasOwnAttributes = true;
      return reply;
    });
  }

  async access(request: AccessRequest, call: Call): Promise<void> {
    const { inode, mask } = request;
    const unopened = this.#unopenedTop(inode);
    if (inode !== rootInode && !unopened) {
      await this.#inBucket(request, call, (files, within) => files.access(within, call));
      return;
    }
    const what = unopened ? `access ${unopened.facts.name}` : 'access of the top';
    if ((mask & accessMasks.write) !== 0 && this.#options.isReadOnly) throw readOnly(what);
    const { uid, gid, directoryPermissions } = this.#options.defaults;
    const shift = call.uid === uid ? 6 : call.gid === gid ? 3 : 0;
    if (call.uid === 0 || ((directoryPermissions >> shift) & mask) === mask) return;
    throw new FsError('EACCES', `${what}: permission denied`);
  }

  async readLink(request: InodeRequest, call: Call): Promise<string> {
    if (request.inode === rootInode) throw new FsError('EINVAL', 'readlink: the top is a directory');
    return await this.#inBucket(request, call, (files, within) => files.readLink(within, call));
  }

  async makeSymlink(request: MakeSymlinkRequest, call: Call): Promise<Entry> {
    this.#refuseAtTop(request.parent, `symlink ${request.name}`);
    return await this.#forEntry(request, call, (files, within) => files.makeSymlink(within, call));
  }

  async makeNode(request: MakeNodeRequest, call: Call): Promise<Entry> {
    this.#refuseAtTop(request.parent, `mknod ${request.name}`);
    return await this.#forEntry(request, call, (files, within) => files.makeNode(within, call));
  }

  async makeDirectory(request: MakeDirectoryRequest, call: Call): Promise<Entry> {
    const { parent, name } = request;
    if (parent !== rootInode) {
      return await this.#forEntry(request, call, (files, within) => files.makeDirectory(within, call));
    }
    if (this.#options.isReadOnly) throw readOnly(`mkdir ${name}`);
    return await this.#top.makeBucket(name, call);
  }

  makeLink({ newName }: MakeLinkRequest): Promise<Entry> {
    return Promise.reject(new FsError('EPERM', `link ${newName}: S3 has no hard links`));
  }

  async unlink(request: EntryRequest, call: Call): Promise<void> {
    this.#refuseAtTop(request.parent, `unlink ${request.name}`);
    await this.#inDirectory(request, call, (files, within) => files.unlink(within, call));
  }

  /** The mount never deletes a bucket, not even an empty one: somebody else could take its name. */
  async removeDirectory(request: EntryRequest, call: Call): Promise<void> {
    this.#refuseAtTop(request.parent, `rmdir ${request.name}`);
    await this.#inDirectory(request, call, (files, within) => files.removeDirectory(within, call));
  }

  async rename(request: RenameRequest, call: Call): Promise<void> {
    const { parent, name, newParent, newName } = request;
    const what = `rename ${name} to ${newName}`;
    this.#refuseAtTop(parent, what);
    this.#refuseAtTop(newParent, what);
    this.#requireOneBucket(parent, newParent, what);
    await this.#inDirectory(request, call, (files, within) =>
      files.rename({ ...within, newParent: inodeWithin(newParent) }, call),
    );
  }

  async create(request: CreateRequest, call: Call): Promise<CreateReply> {
    this.#refuseAtTop(request.parent, `create ${request.name}`);
    return await this.#inDirectory(request, call, async (files, within, bucket) => {
      const reply = await files.create(within, call);
      return { ...reply, entry: bucket.entryOf(reply.entry) };
    });
  }

  async open(request: OpenRequest, call: Call): Promise<OpenReply> {
    if (request.inode === rootInode) throw new FsError('EISDIR', 'open: the top is a directory');
    return await this.#inBucket(request, call, (files, within) => files.open(within, call));
  }

  read(request: ReadRequest, call: Call): Promise<readonly Uint8Array[]> {
    return this.#inBucket(request, call, (files, within) => files.read(within, call));
  }

  tryWrite(request: WriteRequest, call: Call): boolean {
    const files = this.#places.get(placeOf(request.inode))?.fileSystem;
    return files?.tryWrite(inodeIn(request), call) ?? false;
  }

  write(request: WriteRequest, call: Call): Promise<void> {
    return this.#inBucket(request, call, (files, within) => files.write(within, call));
  }

  flush(request: HandleRequest, call: Call): Promise<void> {
    return this.#inBucket(request, call, (files, within) => files.flush(within, call));
  }

  synchronize(request: HandleRequest, call: Call): Promise<void> {
    return this.#inBucket(request, call, (files, within) => files.synchronize(within, call));
  }

  async release(request: HandleRequest): Promise<void> {
    await this.#places.get(placeOf(request.inode))?.fileSystem?.release(inodeIn(request));
  }

  fallocate(request: FallocateRequest, call: Call): Promise<void> {
    return this.#inBucket(request, call, (files, within) => files.fallocate(within, call));
  }

  seek(request: SeekRequest, call: Call): Promise<number> {
    return this.#inBucket(request, call, (files, within) => files.seek(within));
  }

  /** Across buckets the answer is EXDEV, and the kernel copies by reading and writing. */
  async copyFileRange({ from, to, length }: CopyFileRangeRequest, call: Call): Promise<number> {
    this.#requireOneBucket(from.inode, to.inode, 'copy_file_range');
    return await this.#inBucket(from, call, (files, within) =>
      files.copyFileRange({ from: within, to: inodeIn(to), length }, call),
    );
  }

  async openDirectory(request: InodeRequest, call: Call): Promise<OpenDirectoryReply> {
    if (request.inode === rootInode) return { handle: this.#top.open() };
    return await this.#inBucket(request, call, async (files, within, bucket) => {
      const reply = await files.openDirectory(within);
      bucket.openDirectories += 1;
      return reply;
    });
  }

  async readDirectory(request: ReadDirectoryRequest, call: Call): Promise<void> {
    const { inode, add } = request;
    if (inode === rootInode) {
      await this.#top.read(request, call);
      return;
    }
    await this.#inBucket(request, call, (files, within, bucket) =>
      files.readDirectory({ ...within, add: (entry) => add(numbered(entry, inode, bucket)) }, call),
    );
  }

  async readDirectoryPlus(request: ReadDirectoryPlusRequest, call: Call): Promise<void> {
    const { inode } = request;
    if (inode === rootInode) {
      await this.#top.readPlus(request, call);
      return;
    }
    await this.#inBucket(request, call, (files, within, bucket) => {
      const add = (entry: DirectoryEntry, full: Entry | undefined) =>
        request.add(numbered(entry, inode, bucket), full && bucket.entryOf(full));
      return files.readDirectoryPlus({ ...within, add }, call);
    });
  }

  async synchronizeDirectory(request: HandleRequest, call: Call): Promise<void> {
    if (request.inode === rootInode) return; // a bucket is there when mkdir returns
    await this.#inBucket(request, call, (files, within) => files.synchronizeDirectory(within, call));
  }

  releaseDirectory(request: HandleRequest): void {
    if (request.inode === rootInode) {
      this.#top.release(request.handle);
      return;
    }
    const bucket = this.#places.get(placeOf(request.inode));
    if (!bucket) return;
    bucket.fileSystem?.releaseDirectory(inodeIn(request));
    bucket.openDirectories -= 1;
  }

  statistics(): Promise<FileSystemStatistics> {
    return Promise.resolve(unlimitedSpace);
  }

  async getExtendedAttribute(request: ExtendedAttributeRequest, call: Call): Promise<Uint8Array> {
    this.#refuseWhereBare(request, 'getxattr');
    return await this.#inBucket(request, call, (files, within) => files.getExtendedAttribute(within, call));
  }

  async setExtendedAttribute(request: SetExtendedAttributeRequest, call: Call): Promise<void> {
    this.#refuseAtTop(request.inode, `setxattr ${request.name}`);
    await this.#inBucket(request, call, async (files, within, bucket) => {
      await files.setExtendedAttribute(within, call);
      if (isTopOfBucket(request.inode)) bucket.hasOwnAttributes = true;
    });
  }

  async listExtendedAttributes(request: InodeRequest, call: Call): Promise<readonly string[]> {
    if (this.#isBare(request.inode)) return [];
    return await this.#inBucket(request, call, (files, within) => files.listExtendedAttributes(within, call));
  }

  async removeExtendedAttribute(request: ExtendedAttributeRequest, call: Call): Promise<void> {
    this.#refuseWhereBare(request, 'removexattr');
    await this.#inBucket(request, call, (files, within) => files.removeExtendedAttribute(within, call));
  }

  /** Runs `action` on the file system of the inode's bucket, with the request in that file system's inodes. */
  #inBucket<Request extends InodeRequest, T>(
    request: Request,
    call: Call,
    action: (files: BucketFileSystem, within: Request, bucket: ShownBucket) => Promise<T>,
  ): Promise<T> {
    return this.#at(request.inode, call, (files, bucket) => action(files, inodeIn(request), bucket));
  }

  /** As `#inBucket`, for an entry of a directory. */
  #inDirectory<Request extends EntryRequest, T>(
    request: Request,
    call: Call,
    action: (files: BucketFileSystem, within: Request, bucket: ShownBucket) => Promise<T>,
  ): Promise<T> {
    const within = { ...request, parent: inodeWithin(request.parent) };
    return this.#at(request.parent, call, (files, bucket) => action(files, within, bucket));
  }

  #forEntry<Request extends EntryRequest>(
    request: Request,
    call: Call,
    make: (files: BucketFileSystem, within: Request) => Promise<Entry>,
  ): Promise<Entry> {
    return this.#inDirectory(request, call, async (files, within, bucket) =>
      bucket.entryOf(await make(files, within)),
    );
  }

  async #at<T>(
    inode: InodeId,
    call: Call,
    action: (files: BucketFileSystem, bucket: ShownBucket) => Promise<T>,
  ): Promise<T> {
    const bucket = this.#places.get(placeOf(inode));
    if (!bucket) throw new FsError('ESTALE', `inode ${inode} is not known`);
    return await bucket.use(call.signal, (files) => action(files, bucket));
  }

  /** The bucket whose top directory the inode is, while its file system is not open. */
  #unopenedTop(inode: InodeId): ShownBucket | undefined {
    const bucket = isTopOfBucket(inode) ? this.#places.get(placeOf(inode)) : undefined;
    return bucket?.fileSystem ? undefined : bucket;
  }

  /** Has no attributes of its own, without asking anybody. */
  #isBare(inode: InodeId): boolean {
    return inode === rootInode || this.#unopenedTop(inode) !== undefined;
  }

  #refuseWhereBare({ inode, name }: ExtendedAttributeRequest, operation: string): void {
    if (this.#isBare(inode)) throw new FsError('ENODATA', `${operation} ${name}: there is none`);
  }

  #refuseAtTop(inode: InodeId, what: string): void {
    if (inode !== rootInode) return;
    if (this.#options.isReadOnly) throw readOnly(what);
    throw new FsError('EPERM', `${what}: the top has only buckets, which cannot be removed or renamed here`);
  }

  #requireOneBucket(inode: InodeId, other: InodeId, what: string): void {
    if (placeOf(inode) === placeOf(other)) return;
    throw new FsError('EXDEV', `${what}: from one bucket to another`);
  }

  #sweepLater(): void {
    this.#cancelSweep = this.#clock.startTimer(sweepMs, () => {
      void this.closeIdleBuckets().finally(() => {
        if (!this.#stopping.signal.aborted) this.#sweepLater();
      });
    });
  }

  #show(facts: BucketFacts): ShownBucket {
    const known = this.#shown.get(facts.name);
    if (known) return known;
    const { buckets, metadataTtlMs, log } = this.#options;
    const made = this.#places.take(
      (place) =>
        new ShownBucket(place, facts, {
          open: async (bucket, signal) => {
            const opened = await buckets.open(bucket, signal);
            if (this.#isAbandoned) await opened.fileSystem.abandon();
            return opened;
          },
          kernel: {
            dropInode: async (inode, offset, length) => this.#kernel?.dropInode(inode, offset, length),
            dropEntry: async (parent, name) => this.#kernel?.dropEntry(parent, name),
          },
          refusalTtlMs: metadataTtlMs,
          onGone: (name) => this.#list.forget(name),
          clock: this.#clock,
          log,
          signal: this.#stopping.signal,
        }),
    );
    if (!made) throw new FsError('ENOMEM', `bucket ${facts.name}: too many buckets are known to the kernel`);
    this.#shown.set(facts.name, made);
    return made;
  }

  #forgetIfUnused(bucket: ShownBucket): void {
    if (!bucket.isUnused || this.#places.get(bucket.place) !== bucket) return;
    this.#places.giveBack(bucket.place);
    this.#shown.delete(bucket.facts.name);
  }

  #openFileSystems(): BucketFileSystem[] {
    return [...this.#shown.values()].flatMap(({ fileSystem }) => fileSystem ?? []);
  }
}

/** As the file system of its bucket knows it. */
function inodeIn<Request extends InodeRequest>(request: Request): Request {
  return { ...request, inode: inodeWithin(request.inode) };
}

function replyOf(bucket: ShownBucket, reply: AttributesReply): AttributesReply {
  return { ...reply, attributes: bucket.attributesOf(reply.attributes) };
}

function numbered(entry: DirectoryEntry, directory: InodeId, bucket: ShownBucket): DirectoryEntry {
  const isAbove = entry.name === '..' && isTopOfBucket(directory);
  return { ...entry, ino: isAbove ? rootNumber : bucket.numberOf(entry.ino) };
}

function readOnly(what: string): FsError {
  return new FsError('EROFS', `${what}: the mount is read-only`);
}

/** Waits for all of them, then rejects with what went wrong. */
async function endAll(promises: readonly Promise<void>[]): Promise<void> {
  const failures = (await Promise.allSettled(promises)).flatMap((result) =>
    result.status === 'rejected' ? [result.reason as unknown] : [],
  );
  if (failures.length > 1) {
    const messages = failures.map((failure) =>
      failure instanceof Error ? failure.message : String(failure),
    );
    throw new FsError('EIO', messages.join('; '), { cause: failures[0] });
  }
  if (failures.length === 1) throw failures[0];
}
