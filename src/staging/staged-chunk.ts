/**
 * A piece of one file's staged bytes: a window that is in memory or in the spill file. The staging area moves it between the two.
 * The file's extent map knows which of its bytes are valid.
 */
import type { MemoryLedger } from './memory-ledger.js';
import type { SpillSlot } from './spill-file.js';

/**
 * - `dirty`: only here.
 * - `filling`: only here, in a part that is sent as soon as it is full. Kept in memory as long as other parts are on their way.
 * - `queued`: in a part that is being sent while the file is written. Kept in memory for that.
 * - `sent`: in the upload too, so it can be given up if necessary.
 */
export type Standing = 'dirty' | 'filling' | 'queued' | 'sent';

export interface ChunkOwner {
  /** The area gives up a chunk whose standing is `sent`. From now on its bytes are only in the upload. */
  discard(chunk: StagedChunk): void;
  /** Whether a chunk whose standing is `sent` will hardly be needed again, and is not worth a place on disk. */
  isExpendable(chunk: StagedChunk): boolean;
}

export class StagedChunk {
  readonly owner: ChunkOwner;
  /** Its chunk-sized place in the file: [index * chunkBytes, (index + 1) * chunkBytes). */
  readonly index: number;
  /** The window within that place, as an offset in the file. It only grows. */
  offset = 0;
  /** The length of the window, which the buffer or the slot has too. */
  length = 0;
  /** At most one of `buffer` and `slot` is there. Before the first write there is neither. */
  buffer: Buffer | undefined;
  slot: SpillSlot | undefined;
  standing: Standing;
  /** The spiller's set that has this chunk. */
  place: Set<StagedChunk> | undefined;
  /** While it is positive, the buffer stays. */
  pins = 0;
  /** Counts the writes, so that a spill notices a write that overtook it. */
  changes = 0;
  isSpilling = false;
  isFreed = false;
  /** A failed request had views of the buffer and may still send them: the buffer is not used again. */
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

  /** Leaves the memory. Its bytes are elsewhere by now, or not wanted any more. */
  dropBuffer(memory: MemoryLedger): void {
    const { buffer } = this;
    if (!buffer) return;
    this.buffer = undefined;
    memory.free(buffer, !this.isLeaked);
    this.isLeaked = false;
  }

  /** Copies into the buffer, which must cover the bytes. */
  write(offset: number, bytes: Uint8Array): void {
    if (!this.buffer || !this.covers(offset, offset + bytes.length)) {
      throw new RangeError(`[${offset}, ${offset + bytes.length}) is outside the chunk's window`);
    }
    this.buffer.set(bytes, offset - this.offset);
    this.changes += 1;
  }
}
