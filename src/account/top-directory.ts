/** The root of a mount of all buckets: looks buckets up, lists them, and makes them where that is allowed. */
import { FsError } from '../errors.js';
import {
  dotEntries,
  rootInode,
  type Attributes,
  type AttributesReply,
  type Call,
  type DirectoryEntry,
  type Entry,
  type HandleId,
  type ReadDirectoryPlusRequest,
  type ReadDirectoryRequest,
} from '../file-system.js';
import { isBucketName } from '../bucket-name.js';
import type { Clock } from '../clock.js';
import { toFsError } from '../vfs/fs-errors.js';
import { typeDirectory } from '../vfs/modes.js';
import type { AttributeDefaults } from '../vfs/stored-attributes.js';
import { inodeNumberOf } from '../vfs/inode-numbers.js';
import type { BucketList } from './bucket-list.js';
import type { BucketFacts, Buckets } from './buckets.js';
import { inodeAt, rootNumber } from './inode-space.js';
import type { ShownBucket } from './shown-bucket.js';

interface TopDirectoryOptions {
  readonly list: BucketList;
  readonly make: Buckets['make'];
  /**
   * The bucket with a place in the kernel's inodes, which it gets if it has none. Throws an FsError if all places are taken.
   */
  readonly show: (bucket: BucketFacts) => ShownBucket;
  readonly defaults: AttributeDefaults;
  readonly metadataTtlMs: number;
  readonly clock: Clock;
}

const nanosecondsPerMillisecond = 1_000_000n;
type Add = ReadDirectoryPlusRequest['add'];

export class TopDirectory {
  readonly #options: TopDirectoryOptions;
  readonly #startedAtNs: bigint;
  /** The buckets as they were when the handle was read from its start. */
  readonly #handles = new Map<HandleId, readonly BucketFacts[]>();
  #nextHandle: HandleId = 1;

  constructor(options: TopDirectoryOptions) {
    this.#options = options;
    this.#startedAtNs = options.clock.nowNs();
  }

  attributes(): AttributesReply {
    return {
      attributes: this.#directoryAttributes(rootNumber, this.#startedAtNs),
      attributesTtlMs: this.#options.metadataTtlMs,
    };
  }

  /** The attributes of a bucket's top directory while its file system is not open. */
  attributesOfBucket(bucket: ShownBucket): AttributesReply {
    const { createdAtMs } = bucket.facts;
    const timeNs =
      createdAtMs === undefined ? this.#startedAtNs : BigInt(createdAtMs) * nanosecondsPerMillisecond;
    return {
      attributes: bucket.attributesOf(this.#directoryAttributes(inodeNumberOf(''), timeNs)),
      attributesTtlMs: this.#options.metadataTtlMs,
    };
  }

  async lookup(name: string, call: Call): Promise<Entry> {
    const { list, show } = this.#options;
    try {
      const found = await list.find(name, call.signal);
      if (!found) throw new FsError('ENOENT', `there is no bucket ${name}`);
      const bucket = show(found.bucket);
      return await this.#holdEntry(bucket, found.ttlMs, call);
    } catch (error) {
      throw toFsError(error, `looking up bucket ${name}`);
    }
  }

  async makeBucket(name: string, call: Call): Promise<Entry> {
    const { list, make, show, metadataTtlMs, clock } = this.#options;
    if (!make) throw new FsError('EPERM', `mkdir ${name}: buckets are made only by a mount with --create`);
    if (!isBucketName(name)) throw new FsError('EINVAL', `mkdir ${name}: not the name of a bucket`);
    try {
      if (await list.find(name, call.signal)) throw new FsError('EEXIST', `mkdir ${name}: exists`);
      await make(name, call.signal);
      const bucket = { name, createdAtMs: Number(clock.nowNs() / nanosecondsPerMillisecond) };
      list.add(bucket);
      return await this.#holdEntry(show(bucket), metadataTtlMs, call);
    } catch (error) {
      throw toFsError(error, `making bucket ${name}`);
    }
  }

  open(): HandleId {
    const handle = this.#nextHandle++;
    this.#handles.set(handle, []);
    return handle;
  }

  release(handle: HandleId): void {
    this.#handles.delete(handle);
  }

  read(request: ReadDirectoryRequest, call: Call): Promise<void> {
    return this.#walk(request, false, call);
  }

  readPlus(request: ReadDirectoryPlusRequest, call: Call): Promise<void> {
    return this.#walk(request, true, call);
  }

  /** `withEntries`: returns attributes with the names. */
  async #walk(
    { handle, offset, add }: ReadDirectoryPlusRequest,
    withEntries: boolean,
    call: Call,
  ): Promise<void> {
    const buckets = await this.#bucketsOf(handle, offset, call);
    for (let position = offset; position < buckets.length + dotEntries; position += 1) {
      const nextOffset = position + 1;
      const bucket = buckets[position - dotEntries];
      if (!bucket) {
        const name = position === 0 ? '.' : '..';
        if (!add({ name, ino: rootNumber, type: typeDirectory, nextOffset }, undefined)) return;
      } else if (!this.#addBucket(bucket, nextOffset, withEntries, add)) return;
    }
  }

  async #bucketsOf(handle: HandleId, offset: number, call: Call): Promise<readonly BucketFacts[]> {
    const known = this.#handles.get(handle);
    if (!known) throw new FsError('EBADF', `directory handle ${handle} is not open`);
    if (offset > 0) return known;
    try {
      const buckets = [...(await this.#options.list.all(call.signal))].sort(byName);
      this.#handles.set(handle, buckets);
      return buckets;
    } catch (error) {
      throw toFsError(error, 'listing the buckets');
    }
  }

  /** If the bucket's file system is open, the kernel asks for the attributes when it needs them. */
  #addBucket(facts: BucketFacts, nextOffset: number, withEntries: boolean, add: Add): boolean {
    const bucket = this.#options.show(facts);
    const { attributes } = this.attributesOfBucket(bucket);
    const entry: DirectoryEntry = { name: facts.name, ino: attributes.ino, type: typeDirectory, nextOffset };
    if (!withEntries || bucket.fileSystem) return add(entry, undefined);
    const isTaken = add(entry, this.#entryOf(bucket, attributes, this.#options.metadataTtlMs));
    if (isTaken) bucket.lookups += 1;
    return isTaken;
  }

  async #holdEntry(bucket: ShownBucket, ttlMs: number, call: Call): Promise<Entry> {
    bucket.lookups += 1;
    const open = bucket.fileSystem;
    if (!open) return this.#entryOf(bucket, this.attributesOfBucket(bucket).attributes, ttlMs);
    try {
      const { attributes } = await open.getAttributes({ inode: rootInode }, call);
      return this.#entryOf(bucket, bucket.attributesOf(attributes), ttlMs);
    } catch (error) {
      bucket.lookups -= 1;
      throw error;
    }
  }

  #entryOf(bucket: ShownBucket, attributes: Attributes, ttlMs: number): Entry {
    return {
      inode: inodeAt(bucket.place, rootInode),
      attributes,
      entryTtlMs: ttlMs,
      attributesTtlMs: ttlMs,
    };
  }

  #directoryAttributes(ino: bigint, timeNs: bigint): Attributes {
    const { uid, gid, directoryPermissions } = this.#options.defaults;
    return {
      ino,
      mode: typeDirectory | directoryPermissions,
      linkCount: 1,
      uid,
      gid,
      size: 0,
      blocks: 0,
      atimeNs: timeNs,
      mtimeNs: timeNs,
      ctimeNs: timeNs,
    };
  }
}

function byName(a: BucketFacts, b: BucketFacts): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}
