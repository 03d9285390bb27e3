/**
 * The content of one file while it is changed: stored objects underneath, staged changes on top, and how these get into
 * the bucket. What a file is (names, handles, attributes) is left to the caller.
 */
import { FsError, StoreError } from '../errors.js';
import type { Log } from '../log.js';
import type { ObjectHeaders, ObjectStore } from '../object-store.js';
import type { ObjectVersion } from '../object-version.js';
import { abortable, withLinkedController } from './abortable-wait.js';
import { isSameVersion, isStored } from './extent-map.js';
import { FileContent } from './file-content.js';
import type { UploadServices, UploadTarget } from './multipart-upload.js';
import { SerialLock } from './serial-lock.js';
import type { StagingArea } from './staging-area.js';
import { planOrRefuse, storeContent, type StoreSignals } from './store-content.js';
import { StreamedUpload } from './streamed-upload.js';
import type { UploadLimiter } from './upload-limiter.js';
import {
  defaultCopyPartBytes,
  defaultPartBytes,
  planParts,
  streamPartBytes,
  type PlanLimits,
} from './upload-plan.js';
import type { ReaderStream, VersionReader } from './version-reader.js';

export type { UploadTarget } from './multipart-upload.js';

export interface StagedFileOptions {
  readonly area: StagingArea;
  readonly reader: VersionReader;
  readonly store: ObjectStore;
  /** Shared by all files. */
  readonly uploads: UploadLimiter;
  /** What is in the bucket; undefined: a new, empty file. */
  readonly base: ObjectVersion | undefined;
  /**
   * Asked when an upload begins, and again when it is completed. Its condition should follow `base`, which an early
   * publication may have changed.
   */
  readonly target: () => UploadTarget;
  readonly log: Log;
  /** How much a new file must have before it is sent while it is being written. Default 32 MiB, less if memory is small. */
  readonly streamingThresholdBytes?: number;
  /** The largest content that is stored by one PUT. Default 8 MiB. */
  readonly putBytes?: number;
  /** Of the parts that are sent, if the server's limits permit. Default 8 MiB. */
  readonly partBytes?: number;
  /** Of the parts that the server copies. Default 64 MiB. */
  readonly copyPartBytes?: number;
}

export interface StoredRange {
  readonly version: ObjectVersion;
  readonly offset: number;
  readonly length: number;
}

export class StagedFile {
  readonly #store: ObjectStore;
  readonly #target: () => UploadTarget;
  readonly #log: Log;
  readonly #area: StagingArea;
  readonly #content: FileContent;
  readonly #services: UploadServices;
  readonly #reader: VersionReader;
  readonly #limits: PlanLimits;
  readonly #streamingThresholdBytes: number;

  /** Held by everything that changes the content or `#base`, commits included. Reads do without. */
  readonly #lock = new SerialLock();
  /** Aborted by `discard`. */
  readonly #controller = new AbortController();
  #base: ObjectVersion | undefined;
  #isMarked = false;
  /** The content is in the bucket, but not yet under the key and with the headers that it should have. */
  #isMisplaced = false;
  #isDetached = false;
  #hasPublishedEarly = false;
  /** While it is there, parts before its frontier are, or are about to be, in the bucket. */
  #stream: StreamedUpload | undefined;
  /** Aborts of uploads that go on by themselves. */
  readonly #cleanups = new Set<Promise<void>>();

  constructor(options: StagedFileOptions) {
    const { area, reader, store, uploads, base, target, log } = options;
    this.#store = store;
    this.#target = target;
    this.#log = log;
    this.#area = area;
    this.#reader = reader;
    this.#base = base;
    this.#content = new FileContent(area, reader, base);
    this.#services = { store, limiter: uploads, content: this.#content, log };
    this.#limits = {
      minPartSize: store.limits.minPartSize,
      maxPartSize: store.limits.maxPartSize,
      maxParts: store.limits.maxParts,
      putBytes: options.putBytes ?? defaultPartBytes,
      sendPartBytes: options.partBytes ?? defaultPartBytes,
      copyPartBytes: options.copyPartBytes ?? defaultCopyPartBytes,
    };
    this.#streamingThresholdBytes = Math.max(
      Math.min(options.streamingThresholdBytes ?? 4 * defaultPartBytes, area.memoryLimitBytes / 4),
      this.#firstPartBytes(),
    );
  }

  get size(): number {
    return this.#content.size;
  }

  /** What is in the bucket as far as this file knows. */
  get base(): ObjectVersion | undefined {
    return this.#base;
  }

  /** There is something that the bucket does not have. */
  get isDirty(): boolean {
    return this.#isMarked || this.#isMisplaced || !this.#isStoredAsBase();
  }

  /** A new file must be stored although nothing was written. */
  markDirty(): void {
    this.#isMarked = true;
  }

  /**
   * The bytes of [offset, offset + length), cut at the size. Views of the reader's cache, which must not be changed, or
   * copies. Rejects as the reader does; with ESTALE's cause `PreconditionFailed` if an object underneath was replaced.
   */
  async read(
    offset: number,
    length: number,
    stream: ReaderStream | undefined,
    signal: AbortSignal,
  ): Promise<readonly Uint8Array[]> {
    while (this.#content.extents.has('sent', offset, length)) await this.#publishEarly(signal);
    return this.#content.read(offset, length, stream, signal);
  }

  /**
   * Copies `data` before it resolves; waits while memory is short. Rejects with EFBIG or ENOSPC, or with what keeps an
   * upload from freeing memory. A first part of the data may then be written.
   */
  async write(offset: number, data: Uint8Array, signal: AbortSignal): Promise<void> {
    if (data.length === 0) return;
    this.#checkSize(offset + data.length);
    await this.#changeRange('write', offset, data.length, signal, async (linked) => {
      try {
        await this.#content.write(offset, data, linked, () => {
          this.#advanceStream();
        });
      } catch (error) {
        const isFull = error instanceof FsError && error.code === 'ENOSPC';
        throw isFull && this.#stream?.failure instanceof Error ? this.#stream.failure : error;
      }
    });
  }

  async truncate(size: number, signal: AbortSignal): Promise<void> {
    this.#checkSize(size);
    const needsCommit = () => {
      // The part that is cut through has to be put together anew.
      const span = this.#stream?.spanOf(size, 1);
      return span !== undefined && this.#content.extents.has('sent', span.offset, size - span.offset);
    };
    await this.#change('truncate', signal, needsCommit, () => {
      this.#stream?.cut(size);
      if (this.#stream?.partCount === 0) this.#dropStream();
      this.#content.resize(size);
      return Promise.resolve();
    });
  }

  /** Makes [offset, offset + length) zero, cut at the size. */
  async zeroRange(offset: number, length: number, signal: AbortSignal): Promise<void> {
    await this.#changeRange('zero range', offset, length, signal, () => {
      const end = Math.min(offset + length, this.size);
      if (end > offset) this.#content.replace(offset, end - offset, 'zero', 0);
      return Promise.resolve();
    });
  }

  /**
   * Puts a range of a stored object at `offset`, without moving it: it is copied on the server at the commit, and read
   * from the source until then. If the source is replaced before, reading and committing reject with `PreconditionFailed`.
   */
  async insertCopy(
    offset: number,
    source: ObjectVersion,
    sourceOffset: number,
    length: number,
    signal: AbortSignal,
  ): Promise<void> {
    if (sourceOffset < 0 || sourceOffset + length > source.size) {
      throw new RangeError(`[${sourceOffset}, ${sourceOffset + length}) is outside ${source.key}`);
    }
    this.#checkSize(offset + length);
    await this.#changeRange('copy range', offset, length, signal, () => {
      this.#content.replace(offset, length, source, sourceOffset);
      return Promise.resolve();
    });
  }

  /** The object ranges that make up [offset, offset + length), if all of it is in objects. */
  storedRange(offset: number, length: number): StoredRange[] | undefined {
    if (offset + length > this.size) return undefined;
    const ranges: StoredRange[] = [];
    for (const extent of this.#content.extents.slice(offset, length)) {
      if (!isStored(extent.source)) return undefined;
      ranges.push({ version: extent.source, offset: extent.sourceOffset, length: extent.length });
    }
    return ranges;
  }

  /** As lseek(2) with SEEK_DATA or SEEK_HOLE; undefined: ENXIO. */
  seek(offset: number, whence: 'data' | 'hole'): number | undefined {
    return this.#content.extents.seek(offset, whence);
  }

  /** The object is now this one: changed elsewhere, or copied under another key or with other headers. */
  rebase(base: ObjectVersion | undefined): void {
    if (this.isDirty) throw new Error('only a file without changes can be rebased');
    this.#content.reset(base);
    this.#base = base;
  }

  /**
   * The bytes of `from` now are the object `to`, by a copy on the server. Staged changes stay; a commit under way may fail
   * with `PreconditionFailed`, and succeeds when it is called again.
   */
  relabel(from: ObjectVersion, to: ObjectVersion): void {
    this.#content.relabel(from, to);
    if (this.#base && isSameVersion(this.#base, from)) this.#base = to;
  }

  /**
   * Makes the bucket have what it lacks, and resolves with the version now stored. On failure everything is kept and it may
   * be called again. An abort before the last request stops it; during that request only the wait ends, and a later commit
   * finds what came of it. `PreconditionFailed`: somebody else changed the object, or one that parts are copied from.
   */
  async commit(signal: AbortSignal): Promise<ObjectVersion> {
    const work = this.#lock.run(signal, 'commit', () =>
      withLinkedController([signal, this.#controller.signal], (controller) =>
        this.#commitLocked({ signal: controller.signal, finalSignal: this.#controller.signal }),
      ),
    );
    return abortable(work, signal, 'commit');
  }

  /** Stages everything that is in objects, so that they may vanish. From then on nothing is in the bucket. */
  async detach(signal: AbortSignal): Promise<void> {
    const needsCommit = () => this.#content.extents.has('sent', 0, this.size);
    await this.#change('detach', signal, needsCommit, async (linked) => {
      this.#dropStream();
      this.#isDetached = true;
      await this.#content.detach(linked);
      this.#base = undefined;
    });
  }

  /** Ends everything under way, aborts uploads, frees what is staged. Resolves when all of that is done. */
  async discard(): Promise<void> {
    this.#controller.abort();
    await this.#lock.run(new AbortController().signal, 'discard', () => {
      this.#dropStream();
      this.#content.reset(undefined);
      this.#base = undefined;
      this.#isMarked = false;
      this.#isMisplaced = false;
      return Promise.resolve();
    });
    await Promise.all(this.#cleanups);
  }

  /** For tests. */
  checkInvariants(): void {
    this.#content.checkInvariants();
    if (this.#content.extents.has('sent', 0, this.size) && !this.#stream) {
      throw new Error('bytes are in an upload that does not exist');
    }
  }

  #isStoredAsBase(): boolean {
    return this.#base ? this.#content.extents.isExactly(this.#base) : this.size === 0;
  }

  #checkSize(size: number): void {
    if (size > this.#store.limits.maxObjectSize) {
      throw new FsError('EFBIG', `${size} bytes are more than an object can have`);
    }
  }

  /** A change of [offset, offset + length), after which parts that have a byte of it must be sent again. */
  async #changeRange(
    what: string,
    offset: number,
    length: number,
    signal: AbortSignal,
    work: (linked: AbortSignal) => Promise<void>,
  ): Promise<void> {
    const needsCommit = () => {
      const span = this.#stream?.spanOf(offset, length);
      return span !== undefined && this.#content.extents.has('sent', span.offset, span.length);
    };
    await this.#change(what, signal, needsCommit, (linked) => {
      // Before the work waits for anything: a chunk that is to be changed must not be given up.
      this.#stream?.touch(offset, length);
      return work(linked);
    });
  }

  /** Runs `work` alone. `needsCommit`: it concerns bytes that are only in the upload. */
  async #change(
    what: string,
    signal: AbortSignal,
    needsCommit: () => boolean,
    work: (linked: AbortSignal) => Promise<void>,
  ): Promise<void> {
    const tryOnce = async () => {
      if (needsCommit()) return false;
      await withLinkedController([signal, this.#controller.signal], (controller) => work(controller.signal));
      return true;
    };
    while (!(await this.#lock.run(signal, what, tryOnce))) await this.#publishEarly(signal);
  }

  async #publishEarly(signal: AbortSignal): Promise<void> {
    if (!this.#hasPublishedEarly) {
      this.#hasPublishedEarly = true;
      const { key } = this.#target();
      this.#log.info(
        { key },
        'stored before it is closed: there was no room to keep what was uploaded already',
      );
    }
    await this.commit(signal);
  }

  #firstPartBytes(): number {
    return streamPartBytes(1, this.#store.limits, this.#limits.sendPartBytes, this.#area.chunkBytes);
  }

  #advanceStream(): void {
    const { extents } = this.#content;
    if (!this.#stream) {
      if (this.#isDetached || extents.endOfRun(0, 'staged') < this.#streamingThresholdBytes) return;
      if (extents.hasStored()) return;
      this.#stream = new StreamedUpload({
        services: this.#services,
        target: this.#target(),
        partBytes: this.#limits.sendPartBytes,
        unitBytes: this.#area.chunkBytes,
      });
    }
    this.#stream.advance(extents.endOfRun(this.#stream.frontier, 'staged'));
  }

  #dropStream(): void {
    const stream = this.#stream;
    if (!stream) return;
    this.#stream = undefined;
    const cleanup = stream.abort().finally(() => this.#cleanups.delete(cleanup));
    this.#cleanups.add(cleanup);
  }

  async #commitLocked(signals: StoreSignals): Promise<ObjectVersion> {
    if (!this.isDirty && this.#base) return this.#base;
    const target = this.#target();
    if (this.#isMisplaced && this.#base && this.#isStoredAsBase())
      return this.#place(this.#base, target, signals);
    return (await this.#completeStream(target, signals)) ?? (await this.#storeAnew(target, signals));
  }

  async #storeAnew(target: UploadTarget, signals: StoreSignals): Promise<ObjectVersion> {
    const { etag, bytes } = await storeContent(this.#services, this.#limits, target, signals);
    const version = this.#settle({ key: target.key, etag, size: this.size });
    if (bytes) this.#reader.seed(version, 0, bytes);
    return version;
  }

  /** Undefined if there is no streamed upload that could be completed. */
  async #completeStream(target: UploadTarget, signals: StoreSignals): Promise<ObjectVersion | undefined> {
    const stream = this.#stream;
    if (!stream) return undefined;
    const hasSent = () => this.#content.extents.has('sent', 0, this.size);
    const isElsewhere = stream.key !== target.key;
    if (!hasSent() && (isElsewhere || this.size <= this.#limits.putBytes)) {
      this.#dropStream();
      return undefined;
    }
    const tail = planOrRefuse(target.key, () =>
      planParts(this.#content.extents.slice(stream.frontier, this.size - stream.frontier), {
        ...this.#limits,
        maxParts: this.#limits.maxParts - stream.partCount,
      }),
    );
    // Under a key that is not the file's any more nothing may be replaced.
    const condition = isElsewhere ? ({ ifNoneMatch: '*' } as const) : target.condition;
    let etag: string;
    try {
      ({ etag } = await stream.complete(tail, condition, signals.signal, signals.finalSignal));
    } catch (error) {
      if (!(error instanceof StoreError && error.code === 'NoSuchUpload') || hasSent()) throw error;
      this.#log.warn({ err: error, key: stream.key }, 'the upload is gone; the file is uploaded anew');
      this.#dropStream();
      return undefined;
    }
    const version = this.#settle({ key: stream.key, etag, size: this.size });
    if (!isElsewhere && isSameHeaders(stream.headers, target.headers)) return version;
    this.#isMisplaced = true;
    return this.#place(version, target, signals);
  }

  /** Gives the stored content the key and the headers that were decided on after its upload had begun. */
  async #place(
    version: ObjectVersion,
    { key, headers, condition }: UploadTarget,
    { signal, finalSignal }: StoreSignals,
  ): Promise<ObjectVersion> {
    const info = await this.#store.head(version.key, signal);
    if (info.etag !== version.etag) {
      throw new StoreError('PreconditionFailed', `${version.key}: changed by somebody else`);
    }
    const isInPlace = key === version.key;
    const copyCondition = isInPlace ? { ifMatch: version.etag } : condition;
    const { etag } = await this.#store.copy(info, key, headers, copyCondition, finalSignal);
    const placed = this.#settle({ key, etag, size: version.size });
    if (!isInPlace) {
      try {
        await this.#store.delete(version.key, finalSignal);
      } catch (error) {
        this.#log.warn({ err: error, key: version.key }, 'the file is left under its earlier key as well');
      }
    }
    return placed;
  }

  /** The content is what was just stored. */
  #settle(version: ObjectVersion): ObjectVersion {
    this.#stream = undefined;
    this.#content.reset(version);
    this.#base = version;
    this.#isMarked = false;
    this.#isMisplaced = false;
    return version;
  }
}

function isSameHeaders(a: ObjectHeaders, b: ObjectHeaders): boolean {
  const names = Object.keys(a.metadata);
  return (
    a.contentType === b.contentType &&
    names.length === Object.keys(b.metadata).length &&
    names.every((name) => a.metadata[name] === b.metadata[name])
  );
}
