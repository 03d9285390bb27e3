/**
 * The content of one file that is changed here: stored objects underneath, staged changes on top, and how these get into the
 * bucket. A file that was only read has no StagedFile. The caller knows what a file is: names, handles, attributes.
 */
import { FsError, StoreError } from '../errors.js';
import { systemClock, type Clock } from '../clock.js';
import type { Log } from '../log.js';
import type { ObjectStore } from '../object-store.js';
import { isSameVersion, type ObjectVersion } from '../object-version.js';
import { abortable, withLinkedController } from '../concurrency/abortable.js';
import { ContentUploader } from './content-uploader.js';
import { isStored } from './extent-map.js';
import { FileContent, type ContentRange } from './file-content.js';
import type { Placement } from './placement.js';
import { lockRanks } from '../concurrency/lock-order.js';
import { Mutex } from '../concurrency/mutex.js';
import type { StagingArea } from './staging-area.js';
import { defaultHeldBytes } from './streamed-range.js';
import type { Limiter } from '../concurrency/limiter.js';
import { defaultCopyPartBytes, defaultPartBytes } from './upload-plan.js';
import type { VersionReader } from './version-reader.js';

/**
 * What a staged file asks of its owner, which knows the file. As a placement the owner says where the file goes when no commit
 * says it.
 */
export interface StagedFileOwner extends Placement {
  /** The key of the file, for messages. */
  readonly key: string;
  /** Called in the turn in which a change is made, also a change that had to wait. Refuses the change by throwing. */
  mayChange(): void;
  /** Whether no open handle can read it. Then sent bytes are given up before anything goes to disk. */
  isWriteOnly(): boolean;
  /** Awaited before an upload replaces this version of the object. Other files may have bytes in it. */
  beforeReplacing(base: ObjectVersion, signal: AbortSignal): Promise<void>;
  /**
   * Runs `work`, which makes an object appear, when the file's key does not change, and keeps the key until `work` is done. A
   * commit that a read or a write begins has no caller that does this. Called without the file's lock.
   */
  whileInPlace<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T>;
}

export interface StagedFileOptions {
  readonly area: StagingArea;
  readonly reader: VersionReader;
  readonly store: ObjectStore;
  /** Shared by all files. */
  readonly uploads: Limiter;
  /** What is in the bucket. Undefined for a new, empty file. */
  readonly base: ObjectVersion | undefined;
  readonly owner: StagedFileOwner;
  /** How many zeros may extend it between two commits. All of them are sent. More is EFBIG. Default: any number. */
  readonly maxHoleBytes?: number;
  readonly clock?: Clock;
  readonly log: Log;
  /** How much a new file must have before it is sent while it is being written. Default 32 MiB, less if memory is small. */
  readonly streamingThresholdBytes?: number;
  /** The largest content that is stored by one PUT. Default 8 MiB. */
  readonly putBytes?: number;
  /** How much of a part is brought into memory at once to send it. Default 4 MiB. */
  readonly heldBytes?: number;
  /** The length of parts that are sent, if the server's limits allow it. Default 8 MiB. */
  readonly partBytes?: number;
  /** The length of parts that the server copies. Default 64 MiB. */
  readonly copyPartBytes?: number;
}

/** One change of the content. `what` is for messages; `signal` ends its waits. */
interface Change {
  readonly what: string;
  readonly signal: AbortSignal;
  /** Whether it needs bytes that are only in the upload. */
  readonly needsCommit: () => boolean;
}

interface FileRange {
  readonly offset: number;
  readonly length: number;
}

type RangeChange = Omit<Change, 'needsCommit'> & FileRange;

/** Bytes of an object from `offset` on. */
interface StoredRange {
  readonly version: ObjectVersion;
  readonly offset: number;
}

export class StagedFile {
  readonly #owner: StagedFileOwner;
  readonly #log: Log;
  readonly #maxSize: number;
  readonly #maxHoleBytes: number;
  /** By how many zeros it was extended since it was stored. Zeros that were written over since still count. */
  #holeBytes = 0;
  readonly #content: FileContent;
  readonly #uploader: ContentUploader;
  /** Held by everything that changes the content or where it is, commits too. Reads do not need it. */
  readonly #lock = new Mutex(lockRanks.content);
  /** Aborted by `discard`. */
  readonly #controller = new AbortController();
  #hasPublishedEarly = false;
  /** Ranges of another object were copied into it. They may be overwritten by now. */
  #hasCopies = false;
  /** Counts the changes. Each counts in the turn in which it begins. */
  #changes = 0;

  constructor(options: StagedFileOptions) {
    const { area, reader, store, uploads, base, owner, log, clock = systemClock } = options;
    const { minPartSize, maxPartSize, maxParts, maxObjectSize } = store.limits;
    this.#owner = owner;
    this.#log = log;
    this.#maxSize = maxObjectSize;
    this.#maxHoleBytes = options.maxHoleBytes ?? Infinity;
    const isExpendable = (offset: number) => this.#uploader.isExpendable(offset) && owner.isWriteOnly();
    this.#content = new FileContent({ area, reader, base, isExpendable });
    this.#uploader = new ContentUploader({
      services: {
        store,
        limiter: uploads,
        content: this.#content,
        heldBytes: options.heldBytes ?? defaultHeldBytes,
        clock,
        log,
      },
      reader,
      base,
      owner,
      limits: {
        minPartSize,
        maxPartSize,
        maxParts,
        maxObjectSize,
        putBytes: options.putBytes ?? defaultPartBytes,
        sendPartBytes: options.partBytes ?? defaultPartBytes,
        copyPartBytes: options.copyPartBytes ?? defaultCopyPartBytes,
        thresholdBytes: Math.min(
          options.streamingThresholdBytes ?? 4 * defaultPartBytes,
          area.memoryLimitBytes / 4,
        ),
        chunkBytes: area.chunkBytes,
        maxStreamPartBytes: area.maxPartBytes,
      },
    });
  }

  get size(): number {
    return this.#content.size;
  }

  /** What is in the bucket, as far as this file knows. */
  get base(): ObjectVersion | undefined {
    return this.#uploader.base;
  }

  /** Whether the bucket lacks something. True for a new file to which nothing was written, false once the file is discarded. */
  get isDirty(): boolean {
    return !this.#controller.signal.aborted && this.#uploader.isDirty;
  }

  /**
   * The bytes of the range, cut at the size: copies, or views of the reader's cache, which must not be changed. Rejects as the
   * reader does, with `PreconditionFailed` if an object underneath was replaced.
   */
  async read(range: ContentRange, signal: AbortSignal): Promise<readonly Uint8Array[]> {
    for (;;) {
      while (this.#content.extents.has('sent', range.offset, range.length)) await this.#publishEarly(signal);
      const { relocations } = this.#content;
      try {
        return await this.#content.read(range, signal);
      } catch (error) {
        if (!isReplaced(error)) throw error;
        // Perhaps this file's own commit replaced it. That commit says so when it is done.
        await this.#lock.run(() => Promise.resolve(), signal, 'read');
        if (this.#content.relocations === relocations) throw error;
      }
    }
  }

  /**
   * Copies `data` before it resolves. Waits while memory is short. Rejects with EFBIG or ENOSPC, or with the error that keeps an
   * upload from freeing memory. Then a first part of the data may be written.
   */
  async write(offset: number, data: Uint8Array, signal: AbortSignal): Promise<void> {
    if (data.length === 0) return;
    this.#checkSize(offset + data.length);
    await this.#changeRange({ what: 'write', signal, offset, length: data.length }, async (linked) => {
      this.#extendTo(offset);
      try {
        const end = offset + data.length;
        await this.#content.write(offset, data, {
          signal: linked,
          mayStage: () => this.#owner.mayChange(),
          onStaged: (done) => this.#uploader.advance(done, end),
        });
      } catch (error) {
        const isFull = error instanceof FsError && error.code === 'ENOSPC';
        const { failure } = this.#uploader;
        throw isFull && failure instanceof Error ? failure : error;
      }
    });
  }

  /**
   * As `write`, but at once: only if there is memory for the data and nothing to wait for. False if not, and a first part may be
   * written then. Most writes go this way, because a wait costs more than the copy.
   */
  tryWrite(offset: number, data: Uint8Array): boolean {
    const end = offset + data.length;
    if (data.length === 0 || end > this.#maxSize || this.#lock.isBusy) return false;
    if (this.#controller.signal.aborted || this.#uploader.needsCommitToChange(offset, data.length))
      return false;
    if (offset > this.size) return false; // a hole, which has a limit
    this.#changes += 1;
    this.#uploader.touch(offset, data.length);
    if (!this.#content.tryWrite(offset, data)) return false;
    this.#uploader.advance(end, end);
    return true;
  }

  async truncate(size: number, signal: AbortSignal): Promise<void> {
    this.#checkSize(size);
    const needsCommit = () => this.#uploader.needsCommitToCut(size);
    await this.#changeIfMay({ what: 'truncate', signal, needsCommit }, () => {
      this.#extendTo(size);
      this.#uploader.cut(size);
      this.#content.resize(size);
      return Promise.resolve();
    });
  }

  /** Makes [offset, offset + length) zero, cut at the size. */
  async zeroRange(offset: number, length: number, signal: AbortSignal): Promise<void> {
    await this.#changeRange({ what: 'zero range', signal, offset, length }, () => {
      const end = Math.min(offset + length, this.size);
      if (end > offset) this.#content.replace(offset, end - offset, 'zero', 0);
      return Promise.resolve();
    });
  }

  /**
   * Puts a range of a stored object at `offset` without moving its bytes. The server copies it at the commit; until then it is
   * read from the source. `findSource` is called when nothing can come between it and the change. The result is false if it found
   * nothing, and then nothing was changed. If the source is replaced before the commit, reads and commits reject with
   * `PreconditionFailed`; call `stage` before replacing it.
   */
  async insertCopy(
    { offset, length }: FileRange,
    findSource: () => StoredRange | undefined,
    signal: AbortSignal,
  ): Promise<boolean> {
    this.#checkSize(offset + length);
    let isFound = false;
    const needsCommit = () => this.#uploader.needsCommitToChange(offset, length);
    await this.#changeIfMay({ what: 'copy range', signal, needsCommit }, () => {
      const source = findSource();
      if (source) {
        const { version } = source;
        if (source.offset < 0 || source.offset + length > version.size) {
          throw new RangeError(`[${source.offset}, ${source.offset + length}) is outside ${version.key}`);
        }
        this.#extendTo(offset);
        isFound = true;
        this.#hasCopies = true;
        this.#uploader.touch(offset, length);
        this.#content.replace(offset, length, version, source.offset);
      }
      return Promise.resolve();
    });
    return isFound;
  }

  /**
   * Where [offset, offset + length) is in the object. Undefined if a part of it is not there, or if the file waits to be stored:
   * its commit would replace the object.
   */
  storedRange(offset: number, length: number): StoredRange | undefined {
    const { base } = this;
    if (!base || this.isDirty || offset + length > base.size) return undefined;
    return { version: base, offset };
  }

  /** Stages what comes from this version, which is about to go, so that none of it is lost. */
  async stage(version: ObjectVersion, signal: AbortSignal): Promise<void> {
    const isWanted = (source: ObjectVersion) => isSameVersion(source, version);
    const ranges = () =>
      this.#content.extents.slice(0, this.size).filter(({ source }) => isStored(source) && isWanted(source));
    const needsCommit = () =>
      ranges().some(({ offset, length }) => this.#uploader.needsCommitToChange(offset, length));
    await this.#change({ what: 'stage', signal, needsCommit }, async (linked) => {
      for (const { offset, length } of ranges()) this.#uploader.touch(offset, length);
      await this.#content.stageStored(isWanted, linked, (end) => {
        this.#uploader.advance(end, end);
      });
    });
  }

  /** Whether bytes are to be copied from this version of another object at the commit. */
  hasCopiedFrom(version: ObjectVersion): boolean {
    if (!this.#hasCopies || (this.base && isSameVersion(this.base, version))) return false;
    return this.storedVersions().some((other) => isSameVersion(other, version));
  }

  /** Every object version that bytes are to be copied from at the commit, or are read from until then. */
  storedVersions(): ObjectVersion[] {
    const found: ObjectVersion[] = [];
    for (const { source } of this.#content.extents.slice(0, this.size)) {
      if (isStored(source) && !found.some((version) => isSameVersion(version, source))) found.push(source);
    }
    return found;
  }

  /**
   * Makes the ranges zero that are lost, because their version is gone or the server does not have their upload any more. Returns
   * these ranges.
   */
  async giveUp(
    isGone: (version: ObjectVersion) => boolean,
    signal: AbortSignal,
  ): Promise<readonly { readonly offset: number; readonly length: number }[]> {
    const ranges: { offset: number; length: number }[] = [];
    await this.#change({ what: 'give up', signal, needsCommit: () => false }, () => {
      const { isUploadGone } = this.#uploader;
      for (const { offset, length, source } of this.#content.extents.slice(0, this.size)) {
        const isLost = isStored(source) ? isGone(source) : source === 'sent' && isUploadGone;
        if (!isLost) continue;
        this.#uploader.touch(offset, length);
        this.#content.replace(offset, length, 'zero', 0);
        ranges.push({ offset, length });
      }
      return Promise.resolve();
    });
    return ranges;
  }

  /** Whether bytes are lost because they were only in an upload that is gone. Until they are given up, no commit succeeds. */
  get isUploadGone(): boolean {
    return this.#uploader.isUploadGone;
  }

  /** The key to which parts were sent whose bytes are nowhere else now, if there are any. */
  get sentTo(): string | undefined {
    return this.#uploader.sentTo;
  }

  /** As lseek(2) with SEEK_DATA or SEEK_HOLE; undefined: ENXIO. */
  seek(offset: number, whence: 'data' | 'hole'): number | undefined {
    return this.#content.extents.seek(offset, whence);
  }

  /**
   * The bytes of `from` are the object `to` now, by a copy on the server. Staged changes stay. A commit under way may fail with
   * `PreconditionFailed`; the next one succeeds.
   */
  relabel(from: ObjectVersion, to: ObjectVersion): void {
    this.#content.relabel(from, to);
    this.#uploader.relabel(from, to);
  }

  /**
   * Stores what the bucket lacks, and resolves with the version that is stored now. After a failure everything is kept, and it
   * may be called again. An abort before the last request stops it. During the last request it ends only the wait, and a later
   * commit finds the result. `PreconditionFailed`: another client changed the object, or one that parts are copied from.
   */
  async commit(signal: AbortSignal, placement: Placement = this.#owner): Promise<ObjectVersion> {
    return abortable(this.#commit(placement, signal), signal, 'commit');
  }

  async #commit(placement: Placement, signal: AbortSignal): Promise<ObjectVersion> {
    for (;;) {
      // Without the lock: others may be waiting for this file in the same way, with their own lock.
      const announced = this.isDirty ? this.base : undefined;
      if (announced) await this.#owner.beforeReplacing(announced, signal);
      const version = await this.#owner.whileInPlace(signal, () =>
        this.#lock.run(() => this.#commitLocked(placement, announced, signal), signal, 'commit'),
      );
      if (version) return version;
    }
  }

  /** Undefined if another object than the announced one would be replaced. */
  async #commitLocked(
    placement: Placement,
    announced: ObjectVersion | undefined,
    signal: AbortSignal,
  ): Promise<ObjectVersion | undefined> {
    if (this.isDirty && this.base && this.base !== announced) return undefined;
    return withLinkedController([signal, this.#controller.signal], (controller) =>
      this.#uploader.commit(placement, {
        signal: controller.signal,
        finalSignal: this.#controller.signal,
      }),
    );
  }

  /** Resolves when no change and no commit is under way, also none whose caller has gone. */
  async idle(signal: AbortSignal): Promise<void> {
    await this.#lock.run(() => Promise.resolve(), signal, 'idle');
  }

  /**
   * Stages everything that is in objects, so that they may vanish. From then on nothing is in the bucket. Returns a function to
   * call if they have not vanished. It restores a file that had no changes before and has none since.
   */
  async detach(signal: AbortSignal): Promise<() => void> {
    const needsCommit = () => this.#content.extents.has('sent', 0, this.size);
    let base: ObjectVersion | undefined;
    let changes = 0;
    await this.#change({ what: 'detach', signal, needsCommit }, async (linked) => {
      base = this.isDirty ? undefined : this.base;
      changes = this.#changes;
      this.#uploader.stopStreaming();
      await this.#content.stageStored(() => true, linked);
      this.#uploader.forgetBase();
    });
    return () => {
      this.#uploader.resumeStreaming();
      if (base && changes === this.#changes && !this.#lock.isBusy) this.#uploader.reset(base);
    };
  }

  /** Ends everything under way, aborts uploads, and frees what is staged. Resolves when all of that is done. */
  async discard(): Promise<void> {
    this.#controller.abort(discarded);
    await this.#lock.run(() => {
      this.#uploader.reset(undefined);
      return Promise.resolve();
    });
    await this.#uploader.settled();
  }

  /** For tests. */
  checkInvariants(): void {
    this.#content.checkInvariants();
  }

  #checkSize(size: number): void {
    if (size > this.#maxSize) {
      throw new FsError('EFBIG', `${size} bytes are more than an object can have`);
    }
  }

  /** The file is about to get zeros from its end to `end`, or to be cut there. Throws EFBIG. */
  #extendTo(end: number): void {
    const { size } = this;
    if (!this.isDirty) this.#holeBytes = 0;
    const holeBytes = Math.min(this.#holeBytes, size, end) + Math.max(0, end - size);
    if (end > size && holeBytes > this.#maxHoleBytes) {
      const { key } = this.#owner;
      const message = `${key}: ${holeBytes} zeros would have to be sent, which is more than --max-hole`;
      this.#log.error({ key, size, end, maxHoleBytes: this.#maxHoleBytes }, message);
      throw new FsError('EFBIG', message);
    }
    this.#holeBytes = holeBytes;
  }

  /** A change of [offset, offset + length). Its parts must be sent again. */
  async #changeRange(
    { offset, length, ...change }: RangeChange,
    work: (linked: AbortSignal) => Promise<void>,
  ): Promise<void> {
    const needsCommit = () => this.#uploader.needsCommitToChange(offset, length);
    await this.#changeIfMay({ ...change, needsCommit }, (linked) => {
      // Before the work waits: a chunk that is about to change must not be given up.
      this.#uploader.touch(offset, length);
      return work(linked);
    });
  }

  /** As `#change`, for what a program does. The owner may refuse it in the turn in which `work` begins. */
  async #changeIfMay(change: Change, work: (linked: AbortSignal) => Promise<void>): Promise<void> {
    const needsCommit = () => {
      this.#owner.mayChange();
      return change.needsCommit();
    };
    await this.#change({ ...change, needsCommit }, (linked) => {
      this.#changes += 1;
      return work(linked);
    });
  }

  /** Runs `work` alone, after a commit if it needs one. */
  async #change(
    { what, signal, needsCommit }: Change,
    work: (linked: AbortSignal) => Promise<void>,
  ): Promise<void> {
    const tryOnce = async () => {
      if (needsCommit()) return false;
      await withLinkedController([signal, this.#controller.signal], (controller) => work(controller.signal));
      return true;
    };
    while (!(await this.#lock.run(tryOnce, signal, what))) await this.#publishEarly(signal);
  }

  async #publishEarly(signal: AbortSignal): Promise<void> {
    this.#uploader.keepSent();
    if (!this.#hasPublishedEarly) {
      this.#hasPublishedEarly = true;
      const { key } = this.#owner;
      this.#log.info(
        { key },
        'stored before it is closed: there was no room to keep what was uploaded already',
      );
    }
    await this.commit(signal);
  }
}

/** An abort without a reason makes a DOMException with a stack, which takes a tenth of the time of opening and closing a file. */
const discarded = new StoreError('Aborted', 'discarded');

function isReplaced(error: unknown): boolean {
  return error instanceof StoreError && (error.code === 'PreconditionFailed' || error.code === 'NotFound');
}
