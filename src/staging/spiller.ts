/**
 * Decides which staged chunks leave the memory, and how. A chunk goes to the spill file, or is given up if an upload has its
 * bytes too. The staging area decides how much room is needed.
 */
import type { MemoryLedger } from './memory-ledger.js';
import type { SpillFile, SpillSlot } from './spill-file.js';
import type { StagedChunk, Standing } from './staged-chunk.js';

/** How many encrypted copies exist at once, each as large as a chunk. */
const maxConcurrentSpills = 4;

export class Spiller {
  readonly #file: SpillFile;
  readonly #memory: MemoryLedger;
  readonly #onRoom: () => void;

  // Every chunk with a buffer is in exactly one of these sets. Each is in the order of the last change.
  readonly #dirty = new Set<StagedChunk>();
  readonly #filling = new Set<StagedChunk>();
  readonly #sent = new Set<StagedChunk>();
  /** They move to one of the sets above without the spiller. */
  readonly #queued = new Set<StagedChunk>();
  /** Pinned or on their way to disk, and not queued. */
  readonly #busy = new Set<StagedChunk>();
  /** Without a buffer. They can be given up. */
  readonly #spilledSent = new Set<StagedChunk>();

  /** The writes to the spill file that are under way. */
  readonly #spills = new Set<Promise<void>>();
  #spillingBytes = 0;
  #discardedChunks = 0;

  /** `onRoom` is called when a chunk has left the memory, or could not leave it. */
  constructor(file: SpillFile, memory: MemoryLedger, onRoom: () => void) {
    this.#file = file;
    this.#memory = memory;
    this.#onRoom = onRoom;
  }

  /** The bytes that are on their way to disk, and will leave the memory soon. */
  get spillingBytes(): number {
    return this.#spillingBytes;
  }

  get discardedChunks(): number {
    return this.#discardedChunks;
  }

  get canSpillMore(): boolean {
    return this.#spills.size < maxConcurrentSpills;
  }

  /** Whether memory becomes free, or may become free, without `makeRoom`. */
  get isMoving(): boolean {
    return this.#queued.size > 0 || this.#busy.size > 0 || this.#spills.size > 0;
  }

  /** Puts the chunk at the end of the set for its state. To be called after each change of it. */
  place(chunk: StagedChunk): void {
    chunk.place?.delete(chunk);
    chunk.place = this.#placeFor(chunk);
    chunk.place?.add(chunk);
  }

  /** Begins to spill a chunk, or gives one up. False if there is no chunk for it. `isNeeded`: somebody waits for the memory. */
  makeRoom(isNeeded: boolean): boolean {
    const [sent] = this.#sent;
    if (sent) {
      if (sent.owner.isExpendable(sent)) {
        this.#discard(sent);
        return true;
      }
      const slot = this.#file.reserve(sent.length);
      if (slot) this.#spill(sent, slot);
      else if (isNeeded) this.#discard(sent);
      else return false;
      return true;
    }
    let [dirty] = this.#dirty;
    // A writer that is faster than the store waits for the store: the way over the disk would only cost time. There is no other
    // way if no upload goes on, or if a part is larger than the memory.
    if (!dirty && isNeeded && this.#queued.size === 0) [dirty] = this.#filling;
    if (!dirty) return false;
    let slot = this.#file.reserve(dirty.length);
    while (!slot && isNeeded) {
      const [given] = this.#spilledSent;
      if (!given) return false;
      this.#discard(given);
      slot = this.#file.reserve(dirty.length);
    }
    if (slot) this.#spill(dirty, slot);
    return slot !== undefined;
  }

  /** Resolves when nothing is being written to the spill file. */
  async idle(): Promise<void> {
    await Promise.all(this.#spills);
  }

  /** For tests. Returns the bytes of all chunks in memory. */
  checkInvariants(): number {
    let bytes = 0;
    for (const set of [this.#dirty, this.#filling, this.#sent, this.#queued, this.#busy]) {
      for (const chunk of set) {
        if (!chunk.buffer) throw new Error('a chunk without a buffer counts as one in memory');
        if (chunk.slot) throw new Error('a chunk is in two places');
        bytes += chunk.buffer.length;
      }
    }
    return bytes;
  }

  #placeFor(chunk: StagedChunk): Set<StagedChunk> | undefined {
    if (chunk.buffer) {
      const isBusy = chunk.standing !== 'queued' && (chunk.pins > 0 || chunk.isSpilling);
      return isBusy ? this.#busy : this.#setOf(chunk.standing);
    }
    return chunk.slot && chunk.standing === 'sent' && chunk.pins === 0 ? this.#spilledSent : undefined;
  }

  #setOf(standing: Standing): Set<StagedChunk> {
    switch (standing) {
      case 'dirty':
        return this.#dirty;
      case 'filling':
        return this.#filling;
      case 'queued':
        return this.#queued;
      case 'sent':
        return this.#sent;
    }
  }

  #discard(chunk: StagedChunk): void {
    this.#discardedChunks += 1;
    chunk.isFreed = true;
    if (chunk.slot) this.#file.release(chunk.slot);
    chunk.slot = undefined;
    chunk.dropBuffer(this.#memory);
    this.place(chunk);
    chunk.owner.discard(chunk);
  }

  #spill(chunk: StagedChunk, slot: SpillSlot): void {
    const { changes, length, buffer } = chunk;
    if (!buffer) throw new Error('the chunk is not in memory');
    chunk.isSpilling = true;
    this.#spillingBytes += length;
    this.place(chunk);
    const spill = this.#file.write(slot, buffer).then((isWritten) => {
      chunk.isSpilling = false;
      this.#spills.delete(spill);
      this.#spillingBytes -= length;
      if (isWritten && !chunk.isFreed && chunk.pins === 0 && chunk.changes === changes) {
        chunk.slot = slot;
        chunk.dropBuffer(this.#memory);
      } else {
        this.#file.release(slot);
      }
      this.place(chunk);
      this.#onRoom();
    });
    this.#spills.add(spill);
  }
}
