/**
 * The bytes of one open file wherever they are. It puts the extent map, the staged chunks and the stored objects together.
 * Reading needs no lock: a read decides what it returns before it waits. Uploading is left to others.
 */
import { StoreError } from '../errors.js';
import type { ObjectVersion } from '../object-version.js';
import { ExtentMap, isStored, type Extent } from './extent-map.js';
import type { ReadStream } from '../cache/block-reader.js';
import { StagedBytes, type LentBytes } from './staged-bytes.js';
import type { Standing } from './staged-chunk.js';
import type { StagingArea } from './staging-area.js';
import type { VersionReader } from './version-reader.js';

/** A request's body. The pieces do not change until `release`. `isIntact`: nothing uses them any more. */
interface Body {
  readonly pieces: readonly Uint8Array[];
  release(isIntact: boolean): void;
}

/** `length` bytes of a file from `offset` on. */
export interface ContentRange {
  readonly offset: number;
  readonly length: number;
  /** The reader that goes through the file. */
  readonly stream?: ReadStream | undefined;
}

interface FileContentOptions {
  readonly area: StagingArea;
  readonly reader: VersionReader;
  /** Undefined for a new, empty file. */
  readonly base: ObjectVersion | undefined;
  /** Whether the sent bytes of the chunk at `offset` need not be kept here. */
  readonly isExpendable: (offset: number) => boolean;
}

interface ContentWriteOptions {
  /** Ends the waits for memory. */
  readonly signal: AbortSignal;
  /** Called in the turn in which a piece is staged. Refuses the piece by throwing. */
  readonly mayStage?: () => void;
  /** Called with the end of each piece after it is staged. */
  readonly onStaged?: (end: number) => void;
}

/** Zeros are views of this. Never written to. */
const zeros = Buffer.alloc(1024 * 1024);

/** How much `stageStored` reads at once. The reader fetches ahead of it. */
const stagedAtOnceBytes = 1024 * 1024;

export class FileContent {
  readonly #reader: VersionReader;
  readonly #staged: StagedBytes;
  #extents: ExtentMap;
  #relocations = 0;

  constructor({ area, reader, base, isExpendable }: FileContentOptions) {
    this.#reader = reader;
    this.#extents = new ExtentMap(base);
    this.#staged = new StagedBytes({
      area,
      onDiscard: (offset, length) => this.#onDiscard(offset, length),
      isExpendable,
    });
  }

  get size(): number {
    return this.#extents.size;
  }

  get extents(): Omit<ExtentMap, 'replace' | 'resize' | 'relabel' | 'checkInvariants'> {
    return this.#extents;
  }

  /** Counts how often the content became that of another version. */
  get relocations(): number {
    return this.#relocations;
  }

  /** Copies, or views of the reader's blocks. No byte of the range may be `sent`. */
  async read({ offset, length, stream }: ContentRange, signal: AbortSignal): Promise<Uint8Array[]> {
    const reads = this.#extents
      .slice(offset, length)
      .map((extent) =>
        extent.source === 'staged'
          ? Promise.all(this.#staged.copy(extent.offset, extent.length))
          : this.#readUnstaged(extent, stream, signal),
      );
    return (await Promise.all(reads)).flat();
  }

  /** [offset, offset + length) as a request's body. No byte of it may be `sent`. */
  async lend(offset: number, length: number, signal: AbortSignal): Promise<Body> {
    const lent: LentBytes[] = [];
    const release = (isIntact: boolean) => {
      for (const bytes of lent) bytes.release(isIntact);
    };
    try {
      const reads = this.#extents.slice(offset, length).map((extent) => {
        if (extent.source !== 'staged') return this.#readUnstaged(extent, undefined, signal);
        const bytes = this.#staged.lend(extent.offset, extent.length);
        lent.push(bytes);
        return Promise.all(bytes.pieces);
      });
      return { pieces: (await Promise.all(reads)).flat(), release };
    } catch (error) {
      release(true);
      throw error;
    }
  }

  /** How many bytes `lend` would have to bring into memory. */
  absentBytes(offset: number, length: number): number {
    return this.#extents.slice(offset, length).reduce((sum, extent) => {
      if (extent.source === 'staged') return sum + this.#staged.spilledBytes(extent.offset, extent.length);
      return extent.source === 'zero' ? sum : sum + extent.length;
    }, 0);
  }

  /** Stages a copy of `bytes`, piece by piece. If it rejects, a first part may be staged. */
  async write(
    offset: number,
    bytes: Uint8Array,
    { signal, mayStage, onStaged }: ContentWriteOptions,
  ): Promise<void> {
    for (const { at, piece } of this.#byChunk(offset, bytes)) {
      await this.#staged.write(at, piece, {
        signal,
        mayWrite: mayStage,
        onWritten: () => this.#extents.replace(at, piece.length, 'staged'),
      });
      onStaged?.(at + piece.length);
    }
  }

  /** Stages a copy of `bytes` at once if there is room. If not, it returns false, and a first part may be staged. */
  tryWrite(offset: number, bytes: Uint8Array): boolean {
    for (const { at, piece } of this.#byChunk(offset, bytes)) {
      if (!this.#staged.tryWrite(at, piece)) return false;
      this.#extents.replace(at, piece.length, 'staged');
    }
    return true;
  }

  resize(size: number): void {
    const previous = this.size;
    this.#extents.resize(size);
    if (size < previous) this.#free(size, previous);
  }

  /** From now on the range is zero, or a copy of the source. */
  replace(offset: number, length: number, source: ObjectVersion | 'zero', sourceOffset: number): void {
    this.#extents.replace(offset, length, source, sourceOffset);
    this.#free(offset, offset + length);
  }

  /**
   * Stages what is in the objects for which `isWanted` returns true. `onStaged` gets the end of each piece. If it rejects, a part
   * may be staged; the content stays the same.
   */
  async stageStored(
    isWanted: (version: ObjectVersion) => boolean,
    signal: AbortSignal,
    onStaged: (end: number) => void = () => undefined,
  ): Promise<void> {
    const stream = this.#reader.createStream();
    try {
      for (const { offset, length, source } of this.#extents.slice(0, this.size)) {
        if (!isStored(source) || !isWanted(source)) continue;
        for (let done = 0; done < length; done += stagedAtOnceBytes) {
          let at = offset + done;
          const step = Math.min(stagedAtOnceBytes, length - done);
          for (const piece of await this.read({ offset: at, length: step, stream }, signal)) {
            await this.write(at, piece, { signal });
            at += piece.length;
            onStaged(at);
          }
        }
      }
    } finally {
      this.#reader.closeStream(stream);
    }
  }

  /** Whether all that is staged, now and later, is sent as soon as a part is full. */
  setFilling(isFilling: boolean): void {
    this.#staged.newStanding = isFilling ? 'filling' : 'dirty';
    this.#staged.setStanding(0, this.size, this.#staged.newStanding);
  }

  setStanding(offset: number, length: number, standing: Standing): void {
    this.#staged.setStanding(offset, length, standing);
  }

  /** What was read from one version is read from another version with the same bytes from now on. */
  relabel(from: ObjectVersion, to: ObjectVersion): void {
    this.#extents.relabel(from, to);
    this.#relocations += 1;
  }

  /** From now on the content is the object's, or empty. Frees all that was staged. */
  reset(base: ObjectVersion | undefined): void {
    const end = this.size;
    this.#extents = new ExtentMap(base);
    this.#relocations += 1;
    this.#free(0, Math.max(end, this.size));
    this.setFilling(false);
  }

  /** For tests. */
  checkInvariants(): void {
    this.#extents.checkInvariants();
  }

  *#byChunk(
    offset: number,
    bytes: Uint8Array,
  ): Generator<{ readonly at: number; readonly piece: Uint8Array }> {
    for (let done = 0; done < bytes.length;) {
      const at = offset + done;
      const piece = bytes.subarray(done, done + this.#staged.endOfChunk(at) - at);
      yield { at, piece };
      done += piece.length;
    }
  }

  #onDiscard(offset: number, length: number): void {
    for (const extent of this.#extents.slice(offset, length)) {
      if (extent.source === 'staged') this.#extents.replace(extent.offset, extent.length, 'sent');
    }
  }

  #free(offset: number, end: number): void {
    this.#staged.free(offset, end, (at, length) => this.#extents.has('staged', at, length));
  }

  async #readUnstaged(
    { offset, length, source, sourceOffset }: Extent,
    stream: ReadStream | undefined,
    signal: AbortSignal,
  ): Promise<readonly Uint8Array[]> {
    if (source === 'zero') return zeroPieces(length);
    if (!isStored(source)) throw new Error(`the bytes at ${offset} are only in the upload`);
    const pieces = await this.#reader.read({ version: source, offset: sourceOffset, length, stream }, signal);
    const received = pieces.reduce((sum, piece) => sum + piece.length, 0);
    if (received !== length) {
      throw new StoreError('CorruptReply', `read ${source.key}: ${received} bytes instead of ${length}`);
    }
    return pieces;
  }
}

function zeroPieces(length: number): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let left = length; left > 0; left -= zeros.length) pieces.push(zeros.subarray(0, left));
  return pieces;
}
