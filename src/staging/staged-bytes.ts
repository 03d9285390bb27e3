/**
 * The staged bytes of one file, in chunks that the staging area keeps in memory or on disk. The caller knows which ranges are
 * valid.
 */
import { StagedChunk, type ChunkOwner, type Standing } from './staged-chunk.js';
import type { StagingArea } from './staging-area.js';

/** Pieces of staged bytes in order. Pieces in memory are views that do not change until `release`. */
export interface LentBytes {
  readonly pieces: readonly Promise<Uint8Array>[];
  /** `isIntact`: nothing uses the pieces any more. */
  release(isIntact: boolean): void;
}

interface StagedBytesOptions {
  readonly area: StagingArea;
  /** Called with ranges that are only in the upload from now on. */
  readonly onDiscard: (offset: number, length: number) => void;
  /** Whether the chunk at `offset` is given up first, once it is sent. */
  readonly isExpendable: (offset: number) => boolean;
}

interface StagedWriteOptions {
  /** Ends the wait for memory. */
  readonly signal: AbortSignal;
  /** Called in the turn in which the bytes are copied. Refuses the write by throwing. */
  readonly mayWrite?: (() => void) | undefined;
  /** Called in the same turn after the copy. */
  readonly onWritten: () => void;
}

export class StagedBytes implements ChunkOwner {
  readonly #area: StagingArea;
  readonly #onDiscard: (offset: number, length: number) => void;
  readonly #isExpendable: (offset: number) => boolean;
  readonly #chunks = new Map<number, StagedChunk>();
  /** The standing of new chunks. */
  newStanding: Standing = 'dirty';

  constructor({ area, onDiscard, isExpendable }: StagedBytesOptions) {
    this.#area = area;
    this.#onDiscard = onDiscard;
    this.#isExpendable = isExpendable;
  }

  /** The end of the chunk that has `offset`. */
  endOfChunk(offset: number): number {
    return (Math.floor(offset / this.#area.chunkBytes) + 1) * this.#area.chunkBytes;
  }

  /**
   * Waits for memory, then copies `bytes`, which must lie within one chunk. If it rejects, also with what `mayWrite` throws,
   * nothing was written. Only one write at a time, and only where no chunk's standing is `sent`.
   */
  async write(
    offset: number,
    bytes: Uint8Array,
    { signal, mayWrite, onWritten }: StagedWriteOptions,
  ): Promise<void> {
    const { chunk, end } = this.#chunkFor(offset, bytes.length);
    await this.#area.hold(chunk, offset, end, signal);
    try {
      mayWrite?.();
    } catch (error) {
      this.#area.unpin(chunk, true);
      if (!this.#chunks.has(chunk.index)) this.#area.free(chunk);
      throw error;
    }
    this.#chunks.set(chunk.index, chunk);
    chunk.write(offset, bytes);
    onWritten();
    this.#area.unpin(chunk, true);
  }

  /** The same without waiting for memory. False if there is none. */
  tryWrite(offset: number, bytes: Uint8Array): boolean {
    const { chunk, end } = this.#chunkFor(offset, bytes.length);
    if (!this.#area.tryHold(chunk, offset, end)) return false;
    this.#chunks.set(chunk.index, chunk);
    chunk.write(offset, bytes);
    this.#area.noteChange(chunk);
    return true;
  }

  /** Copies [offset, offset + length). Reads from disk have begun when this returns. */
  copy(offset: number, length: number): Promise<Uint8Array>[] {
    return this.#pieces(offset, length, (chunk, from, to) =>
      chunk.buffer
        ? Promise.resolve(Buffer.from(chunk.buffer.subarray(from, to)))
        : this.#area.readSpilled(chunk, from, to - from),
    );
  }

  /** Views for a request's body. */
  lend(offset: number, length: number): LentBytes {
    const pinned: StagedChunk[] = [];
    const pieces = this.#pieces<Promise<Uint8Array>>(offset, length, (chunk, from, to) => {
      const buffer = this.#area.pin(chunk);
      if (!buffer) return this.#area.readSpilled(chunk, from, to - from);
      pinned.push(chunk);
      return Promise.resolve(buffer.subarray(from, to));
    });
    const release = (isIntact: boolean) => {
      for (const chunk of pinned.splice(0)) this.#area.unpin(chunk, isIntact);
    };
    return { pieces, release };
  }

  /** How many bytes of [offset, offset + length) are not in memory. */
  spilledBytes(offset: number, length: number): number {
    let bytes = 0;
    for (const chunk of this.#overlapping(offset, offset + length)) {
      if (!chunk.buffer) bytes += Math.min(chunk.end, offset + length) - Math.max(chunk.offset, offset);
    }
    return bytes;
  }

  setStanding(offset: number, length: number, standing: Standing): void {
    for (const chunk of this.#overlapping(offset, offset + length)) this.#area.setStanding(chunk, standing);
  }

  /** Frees the chunks that overlap [offset, end), except those for which `isNeeded` returns true: something in them is valid. */
  free(offset: number, end: number, isNeeded: (offset: number, length: number) => boolean): void {
    for (const chunk of this.#overlapping(offset, end)) {
      if (isNeeded(chunk.index * this.#area.chunkBytes, this.#area.chunkBytes)) continue;
      this.#chunks.delete(chunk.index);
      this.#area.free(chunk);
    }
  }

  discard(chunk: StagedChunk): void {
    this.#chunks.delete(chunk.index);
    this.#onDiscard(chunk.offset, chunk.length);
  }

  isExpendable(chunk: StagedChunk): boolean {
    return this.#isExpendable(chunk.offset);
  }

  /** The chunk for a write, perhaps a new one, and up to where it needs memory. */
  #chunkFor(offset: number, length: number): { readonly chunk: StagedChunk; readonly end: number } {
    const index = Math.floor(offset / this.#area.chunkBytes);
    const known = this.#chunks.get(index);
    // A writer that goes on from one chunk to the next will fill it, so the buffer need not grow step by step.
    const isFilling = !known && offset === index * this.#area.chunkBytes && this.#chunks.has(index - 1);
    return {
      chunk: known ?? new StagedChunk(this, index, this.newStanding),
      end: isFilling ? this.endOfChunk(offset) : offset + length,
    };
  }

  #pieces<Piece>(
    offset: number,
    length: number,
    take: (chunk: StagedChunk, from: number, to: number) => Piece,
  ): Piece[] {
    const pieces: Piece[] = [];
    const end = offset + length;
    for (let at = offset; at < end;) {
      const until = Math.min(end, this.endOfChunk(at));
      const chunk = this.#chunks.get(Math.floor(at / this.#area.chunkBytes));
      if (!chunk || at < chunk.offset || until > chunk.end) throw new Error(`nothing is staged at ${at}`);
      pieces.push(take(chunk, at - chunk.offset, until - chunk.offset));
      at = until;
    }
    return pieces;
  }

  #overlapping(offset: number, end: number): StagedChunk[] {
    const first = Math.floor(offset / this.#area.chunkBytes);
    const last = Math.ceil(end / this.#area.chunkBytes) - 1;
    const found: StagedChunk[] = [];
    if (last - first >= this.#chunks.size) {
      for (const chunk of this.#chunks.values()) {
        if (chunk.index >= first && chunk.index <= last) found.push(chunk);
      }
    } else {
      for (let index = first; index <= last; index++) {
        const chunk = this.#chunks.get(index);
        if (chunk) found.push(chunk);
      }
    }
    return found;
  }
}
