/**
 * The memory and the disk that the staged bytes of all files share. Within its limits chunks are in memory or spilled, and
 * writers wait. `MemoryLedger` counts, `Spiller` chooses. It does not know files or uploads.
 */
import { FsError } from '../errors.js';
import type { Log } from '../log.js';
import { MemoryLedger } from './memory-ledger.js';
import { SpillFile } from './spill-file.js';
import { Spiller } from './spiller.js';
import type { StagedChunk, Standing } from './staged-chunk.js';

interface StagingAreaOptions {
  /** How many staged bytes may be in memory, over all files. */
  readonly memoryBytes: number;
  /** The directory of the spill file. It exists. */
  readonly spillDirectory: string;
  /** How much may be spilled. 0: nothing. */
  readonly spillBytes: number;
  /** 64 times a power of two, at most a quarter of `memoryBytes`. Default 256 KiB. */
  readonly chunkBytes?: number;
  readonly log: Log;
}

interface StagingStatistics {
  /** Staged bytes in memory, with those that are being sent. */
  readonly memoryBytes: number;
  readonly peakMemoryBytes: number;
  readonly spilledBytes: number;
  /** Callers that wait for memory. */
  readonly waiting: number;
  /** Chunks that were given up because their bytes were in an upload already. */
  readonly discardedChunks: number;
}

/** The window of a chunk, as in `StagedChunk`. */
interface Window {
  readonly offset: number;
  readonly length: number;
}

/** A chunk has so many steps by which its window grows: 4 KiB with the default chunk, so that a small file takes little. */
const windowSteps = 64;
export class StagingArea {
  readonly chunkBytes: number;
  readonly #windowBytes: number;
  readonly #spillLimitBytes: number;
  readonly #memory: MemoryLedger;
  readonly #spillFile: SpillFile;
  readonly #spiller: Spiller;
  #isStopped = false;

  constructor({ memoryBytes, spillDirectory, spillBytes, chunkBytes = 256 * 1024, log }: StagingAreaOptions) {
    if (memoryBytes < 4 * chunkBytes) {
      throw new RangeError(`${memoryBytes} bytes of memory are too few for chunks of ${chunkBytes}`);
    }
    this.chunkBytes = chunkBytes;
    this.#windowBytes = chunkBytes / windowSteps;
    this.#memory = new MemoryLedger(memoryBytes, chunkBytes);
    this.#spillLimitBytes = spillBytes;
    this.#spillFile = new SpillFile({
      directory: spillDirectory,
      limitBytes: spillBytes,
      unitBytes: this.#windowBytes,
      maxSlotBytes: chunkBytes,
      log,
    });
    this.#spiller = new Spiller(this.#spillFile, this.#memory, () => this.#pump());
  }

  get memoryLimitBytes(): number {
    return this.#memory.limitBytes;
  }

  /** The largest streamed part that can be put together here, with room for others. */
  get maxPartBytes(): number {
    return (
      Math.floor((this.#memory.limitBytes + this.#spillLimitBytes) / 2 / this.chunkBytes) * this.chunkBytes
    );
  }

  statistics(): StagingStatistics {
    return {
      memoryBytes: this.#memory.usedBytes,
      peakMemoryBytes: this.#memory.peakBytes,
      spilledBytes: this.#spillFile.allocatedBytes,
      waiting: this.#memory.waiting,
      discardedChunks: this.#spiller.discardedChunks,
    };
  }

  /** Closes the spill file. Refuses those that wait for memory. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#memory.refuseAll(stoppedError());
    await this.#spiller.idle();
    await this.#spillFile.stop();
  }

  /**
   * Brings the chunk into memory with a window that covers [offset, end), and pins it; `unpin` must follow. Only one caller at a
   * time for one chunk. Waits while memory is short. Rejects with ENOSPC if neither the disk nor an upload can make room.
   */
  async hold(chunk: StagedChunk, offset: number, end: number, signal: AbortSignal): Promise<void> {
    if (!chunk.covers(offset, end)) {
      const window = this.#growWindow(chunk, offset, end);
      await this.#acquire(window.length, signal);
      chunk.pins += 1;
      try {
        await this.#fill(chunk, window);
      } catch (error) {
        this.#memory.giveBack(window.length);
        this.unpin(chunk, true);
        throw error;
      } finally {
        this.#memory.settleGrant();
      }
    } else {
      chunk.pins += 1;
    }
    this.#spiller.place(chunk);
    this.#pump();
  }

  /**
   * The same without waiting and without a pin. If that is not possible, it returns false and nothing has changed. The caller
   * writes into the chunk and calls `noteChange` in the same turn.
   */
  tryHold(chunk: StagedChunk, offset: number, end: number): boolean {
    if (chunk.covers(offset, end)) return true;
    if (chunk.slot || this.#isStopped) return false;
    const window = this.#growWindow(chunk, offset, end);
    if (!this.#memory.tryTake(window.length)) return false;
    this.#give(chunk, window, chunk.buffer);
    return true;
  }

  /** Something was written into the chunk's buffer. */
  noteChange(chunk: StagedChunk): void {
    this.#spiller.place(chunk);
    this.#pump();
  }

  /** The buffer stays until `unpin`. Undefined if the chunk is not in memory. */
  pin(chunk: StagedChunk): Buffer | undefined {
    if (!chunk.buffer) return undefined;
    chunk.pins += 1;
    this.#spiller.place(chunk);
    return chunk.buffer;
  }

  /** `isIntact`: nothing has a view of the buffer any more. */
  unpin(chunk: StagedChunk, isIntact: boolean): void {
    chunk.pins -= 1;
    if (!isIntact) chunk.isLeaked = true;
    if (chunk.isFreed && chunk.pins === 0) chunk.dropBuffer(this.#memory);
    this.#spiller.place(chunk);
    this.#pump();
  }

  /** Bytes of a chunk that is not in memory. `offset` counts from the beginning of its window. */
  async readSpilled(chunk: StagedChunk, offset: number, length: number): Promise<Buffer> {
    if (!chunk.slot) throw new Error('the chunk is not spilled');
    return this.#spillFile.read(chunk.slot, offset, length);
  }

  setStanding(chunk: StagedChunk, standing: Standing): void {
    chunk.standing = standing;
    this.#spiller.place(chunk);
    this.#pump();
  }

  free(chunk: StagedChunk): void {
    if (chunk.isFreed) return;
    chunk.isFreed = true;
    if (chunk.slot) this.#spillFile.release(chunk.slot);
    chunk.slot = undefined;
    if (chunk.pins === 0) chunk.dropBuffer(this.#memory);
    this.#spiller.place(chunk);
    this.#pump();
  }

  /** For tests. */
  checkInvariants(): void {
    const { usedBytes, limitBytes, grants } = this.#memory;
    const bytes = this.#spiller.checkInvariants();
    if (usedBytes > limitBytes) throw new Error('more memory than the limit');
    if (grants === 0 && bytes !== usedBytes) {
      throw new Error(`${bytes} bytes in chunks, ${usedBytes} counted`);
    }
  }

  #growWindow(chunk: StagedChunk, offset: number, end: number): Window {
    const place = { start: chunk.index * this.chunkBytes, end: (chunk.index + 1) * this.chunkBytes };
    let start = offset;
    let until = end;
    if (chunk.length > 0) {
      // Doubles the length each time, so that many small writes do not copy the same bytes often.
      start = offset < chunk.offset ? Math.min(offset, chunk.offset - chunk.length) : chunk.offset;
      until = end > chunk.end ? Math.max(end, chunk.end + chunk.length) : chunk.end;
    }
    start = Math.max(place.start, Math.floor(start / this.#windowBytes) * this.#windowBytes);
    until = Math.min(place.end, Math.ceil(until / this.#windowBytes) * this.#windowBytes);
    return { offset: start, length: until - start };
  }

  /** Gives a pinned chunk a buffer for the granted window, with the bytes that it has already. */
  async #fill(chunk: StagedChunk, window: Window): Promise<void> {
    const { slot } = chunk;
    const spilled = slot && (await this.#spillFile.read(slot, 0, chunk.length));
    this.#give(chunk, window, spilled ?? chunk.buffer);
    if (slot) this.#spillFile.release(slot);
    chunk.slot = undefined;
  }

  /** Copies `present`, the bytes of the former window, into a buffer for the new one. */
  #give(chunk: StagedChunk, window: Window, present: Buffer | undefined): void {
    const buffer = this.#memory.allocate(window.length);
    if (present) buffer.set(present, chunk.offset - window.offset);
    chunk.dropBuffer(this.#memory);
    chunk.buffer = buffer;
    chunk.offset = window.offset;
    chunk.length = window.length;
    chunk.changes += 1;
  }

  async #acquire(bytes: number, signal: AbortSignal): Promise<void> {
    if (this.#isStopped) throw stoppedError();
    const granted = this.#memory.wait(bytes, signal, () => this.#pump());
    this.#pump();
    await granted;
  }

  /** Grants what fits, in order, and makes room for the rest. Called after every change. */
  #pump(): void {
    const memory = this.#memory;
    const spiller = this.#spiller;
    for (;;) {
      if (memory.grantNext()) continue;
      if (memory.missingBytes <= spiller.spillingBytes || !spiller.canSpillMore) return;
      const isNeeded = memory.waiting > 0;
      if (spiller.makeRoom(isNeeded)) continue;
      if (!isNeeded || memory.grants > 0 || spiller.isMoving) return;
      memory.refuseNext(
        new FsError('ENOSPC', 'staged data fills the memory and the disk space that it may use'),
      );
    }
  }
}

function stoppedError(): FsError {
  return new FsError('EIO', 'the staging area is stopped');
}
