/**
 * One bucket among the directories of a mount. Its file system is opened when something in it is first asked for, and closed
 * when it has not been used for a while and the kernel has forgotten everything in it.
 */
import { SingleFlight } from '../concurrency/single-flight.js';
import { FsError } from '../errors.js';
import type { Attributes, Entry, KernelCaches } from '../file-system.js';
import type { Log } from '../log.js';
import type { BucketFileSystem } from '../vfs/bucket-file-system.js';
import type { Clock } from '../clock.js';
import { isStoreError, isTransient, toFsError } from '../vfs/fs-errors.js';
import { abortable } from '../concurrency/abortable.js';
import type { BucketFacts, OpenBucket } from './buckets.js';
import { inodeAt, numbersOf } from './inode-space.js';

interface ShownBucketOptions {
  readonly open: (bucket: BucketFacts, signal: AbortSignal) => Promise<OpenBucket>;
  readonly kernel: KernelCaches;
  /** How long the answer counts that a bucket cannot be entered. */
  readonly refusalTtlMs: number;
  /** Called when the bucket is gone. */
  readonly onGone: (name: string) => void;
  readonly clock: Clock;
  readonly log: Log;
  /** Ends the opening. */
  readonly signal: AbortSignal;
}

export class ShownBucket {
  readonly place: number;
  readonly facts: BucketFacts;
  /** How often the kernel holds its top directory. */
  lookups = 0;
  /** Handles on its top directory and those below. */
  openDirectories = 0;
  /** The top directory has attributes of its own, which last as long as its file system. */
  hasOwnAttributes = false;
  readonly #options: ShownBucketOptions;
  readonly #numberOf: (number: bigint) => bigint;
  #opened: OpenBucket | undefined;
  readonly #opening = new SingleFlight<BucketFileSystem>();
  #closing: Promise<void> | undefined;
  #refusal: { readonly error: FsError; readonly atMs: number } | undefined;
  /** Calls under way. */
  #users = 0;
  #usedAtMs: number;

  constructor(place: number, facts: BucketFacts, options: ShownBucketOptions) {
    this.place = place;
    this.facts = facts;
    this.#options = options;
    this.#numberOf = numbersOf(facts.name);
    this.#usedAtMs = options.clock.monotonicMs();
  }

  /** Undefined while it is not open. */
  get fileSystem(): BucketFileSystem | undefined {
    return this.#opened?.fileSystem;
  }

  /** Whether the bucket can be forgotten. */
  get isUnused(): boolean {
    return (
      this.lookups <= 0 && this.#users === 0 && !this.#opened && !this.#opening.isUnderWay && !this.#closing
    );
  }

  /** Runs `action` on the bucket's file system, opened if need be. Rejects with an FsError. */
  async use<T>(signal: AbortSignal, action: (fileSystem: BucketFileSystem) => Promise<T>): Promise<T> {
    this.#users += 1;
    try {
      return await action(this.#opened?.fileSystem ?? (await this.#open(signal)));
    } finally {
      this.#users -= 1;
      this.#usedAtMs = this.#options.clock.monotonicMs();
    }
  }

  attributesOf(attributes: Attributes): Attributes {
    return { ...attributes, ino: this.numberOf(attributes.ino) };
  }

  /** As the mount shows it. */
  entryOf(entry: Entry): Entry {
    return {
      ...entry,
      inode: inodeAt(this.place, entry.inode),
      attributes: this.attributesOf(entry.attributes),
    };
  }

  numberOf(number: bigint): bigint {
    return this.#numberOf(number);
  }

  /** Closes the file system after this time without use, if the kernel knows nothing in it and nothing is left to store. */
  async closeIfIdle(idleMs: number): Promise<void> {
    const opened = this.#opened;
    if (!opened || this.#users > 0 || this.openDirectories > 0 || this.hasOwnAttributes) return;
    if (this.#options.clock.monotonicMs() - this.#usedAtMs < idleMs) return;
    const { inodes, openHandles } = opened.fileSystem.statisticsOfCaches();
    if (inodes > 1 || openHandles > 0 || opened.fileSystem.pendingKeys().length > 0) return;
    this.#opened = undefined;
    this.#closing = closeBucket(opened).catch((error: unknown) => {
      this.#options.log.error({ bucket: this.facts.name, err: error }, 'closing a bucket failed');
    });
    await this.#closing;
    this.#closing = undefined;
    this.#options.log.debug({ bucket: this.facts.name }, 'a bucket that was not used was closed');
  }

  /** Puts everything in the bucket, and closes it. Rejects if something could not be stored. */
  async stop(): Promise<void> {
    await this.#opening.settled();
    await this.#closing;
    const opened = this.#opened;
    this.#opened = undefined;
    if (opened) await closeBucket(opened);
  }

  async #open(signal: AbortSignal): Promise<BucketFileSystem> {
    await this.#closing;
    if (this.#opened) return this.#opened.fileSystem;
    const { clock, refusalTtlMs } = this.#options;
    if (this.#refusal && clock.monotonicMs() - this.#refusal.atMs < refusalTtlMs) throw this.#refusal.error;
    try {
      return await abortable(
        this.#opening.run(() => this.#openNow()),
        signal,
      );
    } catch (error) {
      throw toFsError(error, `bucket ${this.facts.name}`);
    }
  }

  async #openNow(): Promise<BucketFileSystem> {
    const { open, kernel, clock, log, signal, onGone } = this.#options;
    const { name } = this.facts;
    const atMs = clock.monotonicMs();
    try {
      const opened = await open(this.facts, signal);
      opened.fileSystem.start({
        dropInode: (inode, offset, length) => kernel.dropInode(inodeAt(this.place, inode), offset, length),
        dropEntry: (parent, entry) => kernel.dropEntry(inodeAt(this.place, parent), entry),
      });
      this.#opened = opened;
      this.#refusal = undefined;
      log.debug({ bucket: name }, 'a bucket is used');
      return opened.fileSystem;
    } catch (error) {
      if (isStoreError(error, 'NoSuchBucket')) {
        onGone(name);
        throw new FsError('ENOENT', `bucket ${name} is gone`, { cause: error });
      }
      const failure = toFsError(error, `bucket ${name}`);
      log.warn({ bucket: name, err: error }, 'a bucket cannot be entered');
      if (!isTransient(error)) this.#refusal = { error: failure, atMs };
      throw failure;
    }
  }
}

async function closeBucket({ fileSystem, close }: OpenBucket): Promise<void> {
  try {
    await fileSystem.stop();
  } finally {
    close();
  }
}
