/**
 * How the content of one file gets into the bucket, and what of it is there. It is streamed while it is written, or stored by one
 * PUT or a planned upload at the commit. The methods are called under the file's lock, which a commit holds from beginning to
 * end, so there is no state for a commit under way.
 */
import { FsError, isAccessDenied, StoreError } from '../errors.js';
import { isSameHeaders } from '../object-headers.js';
import type { ObjectHeaders, WriteCondition } from '../object-store.js';
import { isSameVersion, type ObjectVersion } from '../object-version.js';
import type { UploadServices, UploadSignals } from './multipart-upload.js';
import type { Placement, StoreTarget } from './placement.js';
import { storeContent, type ContentOrder } from './store-content.js';
import {
  planAround,
  planStreamStart,
  streamPartBytes,
  type PartsAround,
  type StreamLimits,
} from './stream-plan.js';
import { StreamedUpload } from './streamed-upload.js';
import type { VersionReader } from './version-reader.js';

interface ContentUploaderOptions {
  readonly services: Omit<UploadServices, 'onCleanup'>;
  readonly reader: VersionReader;
  readonly base: ObjectVersion | undefined;
  /** Says where uploads go that begin while the file is written. */
  readonly owner: Placement;
  readonly limits: StreamLimits;
}

/**
 * What the bucket has, or is getting, of the content.
 * - `idle`: nothing but what is in the base.
 * - `streaming`: the parts before the frontier of `stream` are in an upload or on their way to it. Bytes whose extent is `sent`
 *   are nowhere else. `isGone`: the server does not have the upload any more.
 */
type UploadState =
  | { readonly kind: 'idle' }
  | { readonly kind: 'streaming'; readonly stream: StreamedUpload; isGone: boolean };

/** The object that has this file's content, as it was when it was stored. */
interface StoredBase {
  readonly version: ObjectVersion;
  /** It is not yet under the key, or does not have the headers, that it should have. */
  readonly isMisplaced: boolean;
}

const idle = { kind: 'idle' } as const;

export class ContentUploader {
  readonly #services: UploadServices;
  readonly #reader: VersionReader;
  readonly #owner: Placement;
  readonly #limits: StreamLimits;
  #mayStream = true;
  #base: StoredBase | undefined;
  #state: UploadState = idle;
  /** Bytes that were sent were asked for, or changed, once. */
  #keepsSent = false;
  /** Aborts of uploads that nothing waits for. They never reject. */
  readonly #cleanups = new Set<Promise<void>>();

  constructor(options: ContentUploaderOptions) {
    this.#services = { ...options.services, onCleanup: (cleanup) => this.#track(cleanup) };
    this.#reader = options.reader;
    this.#base = options.base && { version: options.base, isMisplaced: false };
    this.#owner = options.owner;
    this.#limits = options.limits;
  }

  get base(): ObjectVersion | undefined {
    return this.#base?.version;
  }

  /** Whether the bucket lacks something. True for a new file to which nothing was written. */
  get isDirty(): boolean {
    return this.#base === undefined || this.#base.isMisplaced || !this.#isExactly(this.#base);
  }

  /** The error that keeps streaming from going on, if there is one. */
  get failure(): unknown {
    return this.#stream?.failure;
  }

  /** Whether the sent bytes of the chunk at `offset` will hardly be needed here. */
  isExpendable(offset: number): boolean {
    return !this.#keepsSent && this.#stream?.isExpendable(offset) === true;
  }

  /** Bytes that are sent from now on will be needed here. */
  keepSent(): void {
    this.#keepsSent = true;
  }

  /** Whether bytes are lost because they were only in an upload that is gone. */
  get isUploadGone(): boolean {
    return this.#state.kind === 'streaming' && this.#state.isGone && this.#hasSent();
  }

  /** The key to which parts were sent whose bytes are nowhere else now, if there are any. */
  get sentTo(): string | undefined {
    return this.#stream && this.#hasSent() ? this.#stream.key : undefined;
  }

  /** The bytes of `from` are the object `to` now. */
  relabel(from: ObjectVersion, to: ObjectVersion): void {
    const base = this.#base;
    if (base && isSameVersion(base.version, from)) this.#base = { ...base, version: to };
  }

  /** Whether a change of [offset, offset + length) needs bytes that are only in the upload. */
  needsCommitToChange(offset: number, length: number): boolean {
    const span = this.#stream?.spanOf(offset, length);
    return span !== undefined && this.#hasSent(span.offset, span.length);
  }

  /**
   * The same for cutting the file at `size`. The part that is cut through must be put together again, and the upload cannot be
   * completed without parts that are cut off.
   */
  needsCommitToCut(size: number): boolean {
    const span = this.#stream?.spanOf(size, 1);
    if (span !== undefined && this.#hasSent(span.offset, size - span.offset)) return true;
    return this.#stream?.hasOthersIfCut(size) === true && this.#hasSent(0, size);
  }

  /** [offset, offset + length) is about to change. From now on no chunk of its parts is given up. */
  touch(offset: number, length: number): void {
    if (this.#stream?.touch(offset, length)) this.#keepsSent = true;
  }

  /** The file is about to end at `size`. */
  cut(size: number): void {
    this.#stream?.cut(size);
    if (this.#stream?.partCount === 0) this.#dropStream();
  }

  /** More is staged. Sends what can be sent now, but nothing of [from, end), which is about to change. */
  advance(from: number, end: number): void {
    const stream = this.#stream ?? this.#beginStream();
    if (!stream) return;
    const { frontier } = stream;
    const stagedEnd = this.#services.content.extents.endOfRun(frontier, 'staged');
    stream.advance(frontier < end && from < end ? Math.min(stagedEnd, from) : stagedEnd);
  }

  /** Stops streaming. No byte may be `sent`. */
  stopStreaming(): void {
    this.#mayStream = false;
    this.#dropStream();
  }

  resumeStreaming(): void {
    this.#mayStream = true;
  }

  /** The bucket has this version, and so has the content. Aborts what is under way. */
  reset(base: ObjectVersion | undefined): void {
    this.#dropStream();
    this.#services.content.reset(base);
    this.#base = base && { version: base, isMisplaced: false };
  }

  /** The bucket has nothing of the content any more. */
  forgetBase(): void {
    this.#base = undefined;
  }

  /** Resolves when no abort is under way any more. */
  async settled(): Promise<void> {
    await Promise.all(this.#cleanups);
  }

  async commit(placement: Placement, signals: UploadSignals): Promise<ObjectVersion> {
    const base = this.#base;
    const isStored = base !== undefined && this.#isExactly(base);
    if (isStored && !base.isMisplaced) return base.version;
    const order = { placement, target: placement.target(), signals };
    if (isStored) return this.#place(base.version, order);
    return (await this.#completeStream(order)) ?? (await this.#storeAnew(order));
  }

  get #stream(): StreamedUpload | undefined {
    return this.#state.kind === 'streaming' ? this.#state.stream : undefined;
  }

  #beginStream(): StreamedUpload | undefined {
    const { content } = this.#services;
    const begun = this.#mayStream ? planStreamStart(content.extents, this.#limits) : undefined;
    if (!begun) return undefined;
    content.setFilling(true);
    const target = this.#owner.target();
    const stream = new StreamedUpload({
      services: this.#services,
      target: { ...target, headers: target.unfinishedHeaders ?? target.headers },
      ...begun,
      partBytes: (partNumber) => streamPartBytes(partNumber, this.#limits),
    });
    this.#state = { kind: 'streaming', stream, isGone: false };
    return stream;
  }

  #isExactly({ version }: StoredBase): boolean {
    return this.#services.content.extents.isExactly(version);
  }

  #hasSent(offset = 0, length = this.#services.content.size): boolean {
    return this.#services.content.extents.has('sent', offset, length);
  }

  #dropStream(): void {
    const stream = this.#stream;
    if (!stream) return;
    this.#state = idle;
    this.#services.content.setFilling(false);
    this.#track(stream.abort());
  }

  #track(work: Promise<void>): void {
    const cleanup = work.finally(() => this.#cleanups.delete(cleanup));
    this.#cleanups.add(cleanup);
  }

  async #storeAnew(order: StoreOrder): Promise<ObjectVersion> {
    const { target } = order;
    const { etag, bytes } = await storeContent(this.#services, this.#limits, order);
    const version = this.#settle(order, { key: target.key, etag, headers: target.headers });
    if (bytes) this.#reader.seed(version, 0, bytes);
    return version;
  }

  /** Undefined if there is no streamed upload to complete. */
  async #completeStream(order: StoreOrder): Promise<ObjectVersion | undefined> {
    const { target, signals } = order;
    const { log } = this.#services;
    const state = this.#state;
    if (state.kind !== 'streaming') return undefined;
    const { stream } = state;
    const around = this.#planCompletion(stream, target);
    if (!around) {
      this.#dropStream();
      return undefined;
    }
    const isElsewhere = stream.key !== target.key;
    // Nothing may be replaced under a key that is not the file's any more, unless that was asked for.
    const condition: WriteCondition = isElsewhere
      ? (target.through ?? { ifNoneMatch: '*' })
      : target.condition;
    let etag: string;
    try {
      ({ etag } = await stream.complete(around, condition, signals));
    } catch (error) {
      const isGone = error instanceof StoreError && error.code === 'NoSuchUpload';
      // For example a part that the server does not have as it was told. The same parts would be refused again and again.
      const isRefused = error instanceof StoreError && error.code === 'InvalidRequest';
      state.isGone = isGone;
      if (!(isGone || isRefused || isAccessDenied(error)) || this.#hasSent()) throw error;
      const reason = isAccessDenied(error)
        ? 'the upload is denied; trying one PUT'
        : 'the upload is gone or refused; the file is uploaded anew';
      log.warn({ err: error, key: stream.key }, reason);
      this.#dropStream();
      return undefined;
    }
    const isAsWanted = [target.headers, target.unfinishedHeaders].some(
      (headers) => headers !== undefined && isSameHeaders(stream.headers, headers),
    );
    const isMisplaced = isElsewhere || !isAsWanted;
    const version = this.#settle(order, { key: stream.key, etag, headers: stream.headers, isMisplaced });
    return isMisplaced ? this.#place(version, order) : version;
  }

  /** Undefined if the content is better stored anew, or must be. Then all its bytes are here. */
  #planCompletion(stream: StreamedUpload, target: StoreTarget): PartsAround | undefined {
    const { content } = this.#services;
    const mustComplete = this.#hasSent();
    const isSmall = content.size <= this.#limits.putBytes;
    if (!mustComplete && (isSmall || stream.key !== target.key)) return undefined;
    const around = planAround(stream, content.extents, this.#limits);
    if (mustComplete) {
      if (!around) throw new FsError('EFBIG', `${target.key}: too large for the store`);
      return around;
    }
    return around && !stream.hasOthers(around.head.length, around.tail.length) ? around : undefined;
  }

  /** Gives the stored content the key and headers that were decided after its upload had begun. */
  async #place(version: ObjectVersion, order: StoreOrder): Promise<ObjectVersion> {
    const { key, headers, condition, through } = order.target;
    const { signal, finalSignal } = order.signals;
    const { store, log } = this.#services;
    const info = await store.head(version.key, signal);
    if (info.etag !== version.etag) {
      throw new StoreError('PreconditionFailed', `${version.key}: changed by somebody else`);
    }
    const isInPlace = key === version.key;
    const copyCondition = isInPlace ? { ifMatch: version.etag } : condition;
    const { etag } = await store.copy(
      { source: info, targetKey: key, headers, condition: copyCondition },
      finalSignal,
    );
    const placed = this.#settle(order, { key, etag, headers });
    if (!isInPlace && !through) {
      try {
        await store.delete(version.key, finalSignal);
      } catch (error) {
        log.warn({ err: error, key: version.key }, 'the file is left under its earlier key as well');
      }
    }
    return placed;
  }

  /** The content is now the object that was just stored. */
  #settle(
    { placement }: StoreOrder,
    { key, etag, headers, isMisplaced = false }: StoredObject,
  ): ObjectVersion {
    const { content } = this.#services;
    const version = { key, etag, size: content.size };
    this.#state = idle;
    content.reset(version);
    this.#base = { version, isMisplaced };
    placement.onStored(version, headers);
    return version;
  }
}

/** One commit. */
interface StoreOrder extends ContentOrder {
  readonly placement: Placement;
}

interface StoredObject {
  readonly key: string;
  readonly etag: string;
  readonly headers: ObjectHeaders;
  /** It does not have the key or the headers yet that it should have. */
  readonly isMisplaced?: boolean;
}
