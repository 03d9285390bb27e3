/**
 * A piece of one file's staged bytes: a window that is in memory or in the spill file. The staging area moves it
 * between the two; which of its bytes mean anything is known to the file's extent map.
 */
import type { MemoryLedger } from './memory-ledger.js';
import type { SpillSlot } from './spill-file.js';

/**
 * `dirty`: only here. `filling`: the same, of a part that will be sent as soon as it is full: kept in memory as long as
 * others are on their way. `queued`: of a part that is being sent while the file is written; kept in memory for that. `sent`:
 * in the upload too, so that it can be given up in need.
 */
export type Standing = 'dirty' | 'filling' | 'queued' | 'sent';

export interface ChunkOwner {
  /** The area gives up a chunk whose standing is `sent`: from now on its bytes are only in the upload. */
  discard(chunk: StagedChunk): void;
  /** Whether a chunk whose standing is `sent` will hardly be asked for again, and is not worth a place on disk. */
  isExpendable(chunk: StagedChunk): boolean;
}

export class StagedChunk {
  readonly owner: ChunkOwner;
  /** Its chunk-sized place in the file: [index * chunkBytes, (index + 1) * chunkBytes). */
  readonly index: number;
  /** The window within that place, as an offset in the file. It only grows. */
  offset = 0;
  /** Of the window, and of the buffer or what is in the slot. */
  length = 0;
  /** At most one of `buffer` and `slot` is there; neither before the first write. */
  buffer: Buffer | undefined;
  slot: SpillSlot | undefined;
  standing: Standing;
  /** The spiller's: those that it may do the same with. This is one of them. */
  place: Set<StagedChunk> | undefined;
  /** While it is positive the buffer stays. */
  pins = 0;
  /** Counts what was written, so that a spill that was overtaken by a write is noticed. */
  changes = 0;
  isSpilling = false;
  isFreed = false;
  /** A request that failed had views of the buffer, which may still be on their way: the buffer is not used again. */
  isLeaked = false;

  constructor(owner: ChunkOwner, index: number, standing: Standing) {
    this.owner = owner;
    this.index = index;
    this.standing = standing;
  }

  get end(): number {
    return this.offset + this.length;
  }

  /** Whether [offset, end) is in memory, with room for it. */
  covers(offset: number, end: number): boolean {
    return this.buffer !== undefined && offset >= this.offset && end <= this.end;
  }

  /** Leaves the memory: its bytes are elsewhere by now, or not wanted any more. */
  dropBuffer(memory: MemoryLedger): void {
    const { buffer } = this;
    if (!buffer) return;
    this.buffer = undefined;
    memory.free(buffer, !this.isLeaked);
    this.isLeaked = false;
  }

  /** Copies into the buffer, which must cover it. */
  write(offset: number, bytes: Uint8Array): void {
    if (!this.buffer || !this.covers(offset, offset + bytes.length)) {
      throw new RangeError(`[${offset}, ${offset + bytes.length}) is outside the chunk's window`);
    }
    this.buffer.set(bytes, offset - this.offset);
    this.changes += 1;
  }
}
