/**
 * All buckets of an account as the directories of one file system. What concerns the top is done by `top-directory.ts`; all
 * else goes on to the file system of the bucket, whose inodes have a place of their own among the mount's.
 */
import { FsError } from '../errors.js';
import {
  rootInode,
  type AttributeChanges,
  type AttributesReply,
  type Call,
  type CreateReply,
  type DirectoryEntry,
  type Entry,
  type FallocateMode,
  type FileSystem,
  type FileSystemStatistics,
  type HandleId,
  type InodeId,
  type KernelCaches,
  type OpenDirectoryReply,
  type OpenFlags,
  type OpenReply,
  type RenameFlags,
} from '../file-system.js';
import type { Log } from '../log.js';
import type { Pending } from '../mount-statistics.js';
import type { BucketFileSystem } from '../vfs/bucket-file-system.js';
import { systemClock, type Clock } from '../clock.js';
import type { Scope } from '../vfs/drain.js';
import type { AttributeDefaults } from '../vfs/stored-attributes.js';
import { unlimitedSpace } from '../vfs/unlimited-space.js';
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
  /** How long it is believed that there is no bucket of a name. */
  readonly negativeTtlMs: number;
  readonly isReadOnly: boolean;
  /** A bucket that was not used for so long is closed, if nothing of it is known to the kernel; default 5 min. */
  readonly idleMs?: number;
  readonly clock?: Clock;
  readonly log: Log;
}

const defaultIdleMs = 300_000;
const sweepMs = 60_000;
const writeMask = 2;

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
    await settleAll([...this.#shown.values()].map((bucket) => bucket.stop()));
  }

  /** Resolves when the buckets have everything that was changed before the call, or of that what was closed. */
  async synchronizeAll(scope: Scope): Promise<void> {
    await settleAll(this.#openFileSystems().map((fileSystem) => fileSystem.synchronizeAll(scope)));
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

  async lookup(parent: InodeId, name: string, call: Call): Promise<Entry> {
    if (parent === rootInode) return await this.#top.lookup(name, call);
    return await this.#inBucket(parent, call, async (files, inode, bucket) =>
      bucket.entryOf(await files.lookup(inode, name, call)),
    );
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

  async getAttributes(inode: InodeId, handle: HandleId | undefined, call: Call): Promise<AttributesReply> {
    if (inode === rootInode) return this.#top.attributes();
    const unopened = this.#unopenedTop(inode);
    if (unopened) return this.#top.attributesOfBucket(unopened);
    return await this.#inBucket(inode, call, async (files, within, bucket) =>
      replyOf(bucket, await files.getAttributes(within, handle, call)),
    );
  }

  async setAttributes(
    inode: InodeId,
    changes: AttributeChanges,
    handle: HandleId | undefined,
    call: Call,
  ): Promise<AttributesReply> {
    this.#refuseAtTop(inode, 'changing the attributes of the top');
    return await this.#inBucket(inode, call, async (files, within, bucket) => {
      const reply = replyOf(bucket, await files.setAttributes(within, changes, handle, call));
      if (isTopOfBucket(inode)) bucket.hasOwnAttributes = true;
      return reply;
    });
  }

  async access(inode: InodeId, mask: number, call: Call): Promise<void> {
    const unopened = this.#unopenedTop(inode);
    if (inode !== rootInode && !unopened) {
      await this.#inBucket(inode, call, (files, within) => files.access(within, mask, call));
      return;
    }
    const what = unopened ? `access ${unopened.facts.name}` : 'access of the top';
    if ((mask & writeMask) !== 0 && this.#options.isReadOnly) throw readOnly(what);
    const { uid, gid, directoryPermissions } = this.#options.defaults;
    const shift = call.uid === uid ? 6 : call.gid === gid ? 3 : 0;
    if (call.uid === 0 || ((directoryPermissions >> shift) & mask) === mask) return;
    throw new FsError('EACCES', `${what}: permission denied`);
  }

  async readLink(inode: InodeId, call: Call): Promise<string> {
    if (inode === rootInode) throw new FsError('EINVAL', 'readlink: the top is a directory');
    return await this.#inBucket(inode, call, (files, within) => files.readLink(within, call));
  }

  async makeSymlink(parent: InodeId, name: string, target: string, call: Call): Promise<Entry> {
    this.#refuseAtTop(parent, `symlink ${name}`);
    return await this.#inBucket(parent, call, async (files, within, bucket) =>
      bucket.entryOf(await files.makeSymlink(within, name, target, call)),
    );
  }

  async makeNode(
    parent: InodeId,
    name: string,
    mode: number,
    deviceNumber: number,
    call: Call,
  ): Promise<Entry> {
    this.#refuseAtTop(parent, `mknod ${name}`);
    return await this.#inBucket(parent, call, async (files, within, bucket) =>
      bucket.entryOf(await files.makeNode(within, name, mode, deviceNumber, call)),
    );
  }

  async makeDirectory(parent: InodeId, name: string, mode: number, call: Call): Promise<Entry> {
    if (parent === rootInode) {
      if (this.#options.isReadOnly) throw readOnly(`mkdir ${name}`);
      return await this.#top.makeBucket(name, call);
    }
    return await this.#inBucket(parent, call, async (files, within, bucket) =>
      bucket.entryOf(await files.makeDirectory(within, name, mode, call)),
    );
  }

  makeLink(_inode: InodeId, _newParent: InodeId, newName: string): Promise<Entry> {
    return Promise.reject(new FsError('EPERM', `link ${newName}: S3 has no hard links`));
  }

  async unlink(parent: InodeId, name: string, call: Call): Promise<void> {
    this.#refuseAtTop(parent, `unlink ${name}`);
    await this.#inBucket(parent, call, (files, within) => files.unlink(within, name, call));
  }

  /** A bucket is never deleted through the mount, also an empty one: another could take its name. */
  async removeDirectory(parent: InodeId, name: string, call: Call): Promise<void> {
    this.#refuseAtTop(parent, `rmdir ${name}`);
    await this.#inBucket(parent, call, (files, within) => files.removeDirectory(within, name, call));
  }

  async rename(
    parent: InodeId,
    name: string,
    newParent: InodeId,
    newName: string,
    flags: RenameFlags,
    call: Call,
  ): Promise<void> {
    const what = `rename ${name} to ${newName}`;
    this.#refuseAtTop(parent, what);
    this.#refuseAtTop(newParent, what);
    this.#requireOneBucket(parent, newParent, what);
    await this.#inBucket(parent, call, (files, within) =>
      files.rename(within, name, inodeWithin(newParent), newName, flags, call),
    );
  }

  async create(
    parent: InodeId,
    name: string,
    mode: number,
    flags: OpenFlags,
    call: Call,
  ): Promise<CreateReply> {
    this.#refuseAtTop(parent, `create ${name}`);
    return await this.#inBucket(parent, call, async (files, within, bucket) => {
      const reply = await files.create(within, name, mode, flags, call);
      return { ...reply, entry: bucket.entryOf(reply.entry) };
    });
  }

  async open(inode: InodeId, flags: OpenFlags, call: Call): Promise<OpenReply> {
    if (inode === rootInode) throw new FsError('EISDIR', 'open: the top is a directory');
    return await this.#inBucket(inode, call, (files, within) => files.open(within, flags, call));
  }

  async read(
    inode: InodeId,
    handle: HandleId,
    offset: number,
    length: number,
    call: Call,
  ): Promise<readonly Uint8Array[]> {
    return await this.#inBucket(inode, call, (files, within) =>
      files.read(within, handle, offset, length, call),
    );
  }

  tryWrite(inode: InodeId, handle: HandleId, offset: number, data: Uint8Array, call: Call): boolean {
    const files = this.#places.get(placeOf(inode))?.fileSystem;
    return files?.tryWrite(inodeWithin(inode), handle, offset, data, call) ?? false;
  }

  async write(inode: InodeId, handle: HandleId, offset: number, data: Uint8Array, call: Call): Promise<void> {
    await this.#inBucket(inode, call, (files, within) => files.write(within, handle, offset, data, call));
  }

  async flush(inode: InodeId, handle: HandleId, call: Call): Promise<void> {
    await this.#inBucket(inode, call, (files, within) => files.flush(within, handle, call));
  }

  async synchronize(inode: InodeId, handle: HandleId, dataOnly: boolean, call: Call): Promise<void> {
    await this.#inBucket(inode, call, (files, within) => files.synchronize(within, handle, dataOnly, call));
  }

  async release(inode: InodeId, handle: HandleId): Promise<void> {
    await this.#places.get(placeOf(inode))?.fileSystem?.release(inodeWithin(inode), handle);
  }

  async fallocate(
    inode: InodeId,
    handle: HandleId,
    offset: number,
    length: number,
    mode: FallocateMode,
    call: Call,
  ): Promise<void> {
    await this.#inBucket(inode, call, (files, within) =>
      files.fallocate(within, handle, offset, length, mode, call),
    );
  }

  async seek(
    inode: InodeId,
    handle: HandleId,
    offset: number,
    whence: 'data' | 'hole',
    call: Call,
  ): Promise<number> {
    return await this.#inBucket(inode, call, (files, within) => files.seek(within, handle, offset, whence));
  }

  /** Across buckets the kernel, told EXDEV, copies by reading and writing. */
  async copyFileRange(
    inode: InodeId,
    handle: HandleId,
    offset: number,
    targetInode: InodeId,
    targetHandle: HandleId,
    targetOffset: number,
    length: number,
    call: Call,
  ): Promise<number> {
    this.#requireOneBucket(inode, targetInode, 'copy_file_range');
    return await this.#inBucket(inode, call, (files, within) =>
      files.copyFileRange(
        within,
        handle,
        offset,
        inodeWithin(targetInode),
        targetHandle,
        targetOffset,
        length,
        call,
      ),
    );
  }

  async openDirectory(inode: InodeId, call: Call): Promise<OpenDirectoryReply> {
    if (inode === rootInode) return { handle: this.#top.open() };
    return await this.#inBucket(inode, call, async (files, within, bucket) => {
      const reply = await files.openDirectory(within);
      bucket.openDirectories += 1;
      return reply;
    });
  }

  async readDirectory(
    inode: InodeId,
    handle: HandleId,
    offset: number,
    add: (entry: DirectoryEntry) => boolean,
    call: Call,
  ): Promise<void> {
    if (inode === rootInode) {
      await this.#top.read(handle, offset, false, add, call);
      return;
    }
    await this.#inBucket(inode, call, (files, within, bucket) =>
      files.readDirectory(within, handle, offset, (entry) => add(numbered(entry, inode, bucket)), call),
    );
  }

  async readDirectoryPlus(
    inode: InodeId,
    handle: HandleId,
    offset: number,
    add: (entry: DirectoryEntry, full: Entry | undefined) => boolean,
    call: Call,
  ): Promise<void> {
    if (inode === rootInode) {
      await this.#top.read(handle, offset, true, add, call);
      return;
    }
    await this.#inBucket(inode, call, (files, within, bucket) =>
      files.readDirectoryPlus(
        within,
        handle,
        offset,
        (entry, full) => add(numbered(entry, inode, bucket), full && bucket.entryOf(full)),
        call,
      ),
    );
  }

  async synchronizeDirectory(inode: InodeId, handle: HandleId, call: Call): Promise<void> {
    if (inode === rootInode) return; // a bucket is there when mkdir returns
    await this.#inBucket(inode, call, (files, within) => files.synchronizeDirectory(within, handle, call));
  }

  releaseDirectory(inode: InodeId, handle: HandleId): void {
    if (inode === rootInode) {
      this.#top.release(handle);
      return;
    }
    const bucket = this.#places.get(placeOf(inode));
    if (!bucket) return;
    bucket.fileSystem?.releaseDirectory(inodeWithin(inode), handle);
    bucket.openDirectories -= 1;
  }

  statistics(): Promise<FileSystemStatistics> {
    return Promise.resolve(unlimitedSpace);
  }

  async getExtendedAttribute(inode: InodeId, name: string, call: Call): Promise<Uint8Array> {
    if (this.#isBare(inode)) throw new FsError('ENODATA', `getxattr ${name}: there is none`);
    return await this.#inBucket(inode, call, (files, within) =>
      files.getExtendedAttribute(within, name, call),
    );
  }

  async setExtendedAttribute(
    inode: InodeId,
    name: string,
    value: Uint8Array,
    mode: 'create' | 'replace' | 'either',
    call: Call,
  ): Promise<void> {
    this.#refuseAtTop(inode, `setxattr ${name}`);
    await this.#inBucket(inode, call, async (files, within, bucket) => {
      await files.setExtendedAttribute(within, name, value, mode, call);
      if (isTopOfBucket(inode)) bucket.hasOwnAttributes = true;
    });
  }

  async listExtendedAttributes(inode: InodeId, call: Call): Promise<readonly string[]> {
    if (this.#isBare(inode)) return [];
    return await this.#inBucket(inode, call, (files, within) => files.listExtendedAttributes(within, call));
  }

  async removeExtendedAttribute(inode: InodeId, name: string, call: Call): Promise<void> {
    if (this.#isBare(inode)) throw new FsError('ENODATA', `removexattr ${name}: there is none`);
    await this.#inBucket(inode, call, (files, within) => files.removeExtendedAttribute(within, name, call));
  }

  /** Runs `action` on the file system of the bucket that the inode is in. */
  async #inBucket<T>(
    inode: InodeId,
    call: Call,
    action: (files: BucketFileSystem, within: InodeId, bucket: ShownBucket) => Promise<T>,
  ): Promise<T> {
    const bucket = this.#places.get(placeOf(inode));
    if (!bucket) throw new FsError('ESTALE', `inode ${inode} is not known`);
    return await bucket.use(call.signal, (files) => action(files, inodeWithin(inode), bucket));
  }

  /** The bucket of an inode that is its top directory, while nothing in it was asked for. */
  #unopenedTop(inode: InodeId): ShownBucket | undefined {
    const bucket = isTopOfBucket(inode) ? this.#places.get(placeOf(inode)) : undefined;
    return bucket?.fileSystem ? undefined : bucket;
  }

  /** Has no attributes of its own, without asking anybody. */
  #isBare(inode: InodeId): boolean {
    return inode === rootInode || this.#unopenedTop(inode) !== undefined;
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
async function settleAll(promises: readonly Promise<void>[]): Promise<void> {
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
