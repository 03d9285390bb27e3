/**
 * The memory and the disk that all files' staged bytes share. Within its limits it decides which chunks are in memory,
 * which are spilled, and who waits; it knows nothing of files or uploads.
 */
import { FsError } from '../errors.js';
import type { Log } from '../log.js';
import { createWaiter, type Waiter } from '../concurrency/abortable.js';
import { SpillFile, type SpillSlot } from './spill-file.js';
import type { StagedChunk, Standing } from './staged-chunk.js';

export interface StagingAreaOptions {
  /** Of staged bytes in memory, over all files. */
  readonly memoryBytes: number;
  /** Where the spill file goes: an existing directory. */
  readonly spillDirectory: string;
  /** The most that is spilled. 0: nothing. */
  readonly spillBytes: number;
  /** 64 times a power of two, at most a quarter of `memoryBytes`. Default 256 KiB. */
  readonly chunkBytes?: number;
  readonly log: Log;
}

export interface StagingStatistics {
  /** Staged bytes in memory, those being sent included. */
  readonly memoryBytes: number;
  readonly peakMemoryBytes: number;
  readonly spilledBytes: number;
  /** Callers that wait for memory. */
  readonly waiting: number;
  /** Chunks given up because their bytes were in an upload already. */
  readonly discardedChunks: number;
}

interface Waiting {
  readonly bytes: number;
  readonly waiter: Waiter;
}

/** Of a chunk, as in `StagedChunk`. */
interface Window {
  readonly offset: number;
  readonly length: number;
}

/** Windows grow in these steps: 4 KiB with the default chunk, so that a small file takes little. */
const windowSteps = 64;
/** Encrypted copies that exist at once: each as large as a chunk. */
const maxConcurrentSpills = 4;
/** Free buffers that are kept while nothing is staged. */
const maxIdleBuffers = 8;

export class StagingArea {
  readonly chunkBytes: number;
  readonly #windowBytes: number;
  readonly #limitBytes: number;
  readonly #spillLimitBytes: number;
  readonly #spillFile: SpillFile;

  /** Buffers of chunks, and what was granted for one that is about to get a buffer. At most the limit. */
  #usedBytes = 0;
  #peakBytes = 0;
  /** Of chunks, to be used again, which spares the garbage collector. With what is used at most the limit. */
  readonly #spare: Buffer[] = [];
  readonly #waiting: Waiting[] = [];
  /** Grants that have not become a buffer yet. */
  #grants = 0;

  // Every chunk with a buffer is in exactly one of these; each is in the order of the last change.
  readonly #dirty = new Set<StagedChunk>();
  readonly #filling = new Set<StagedChunk>();
  readonly #sent = new Set<StagedChunk>();
  // It becomes one of the above without anybody's help.
  readonly #queued = new Set<StagedChunk>();
  /** Pinned or being spilled, and not queued. */
  readonly #busy = new Set<StagedChunk>();
  /** Without a buffer, and could be given up. */
  readonly #spilledSent = new Set<StagedChunk>();

  /** The writes to the spill file under way. */
  readonly #spills = new Set<Promise<void>>();
  #spillingBytes = 0;
  #discardedChunks = 0;
  #isStopped = false;

  constructor({ memoryBytes, spillDirectory, spillBytes, chunkBytes = 256 * 1024, log }: StagingAreaOptions) {
    if (memoryBytes < 4 * chunkBytes) {
      throw new RangeError(`${memoryBytes} bytes of memory are too few for chunks of ${chunkBytes}`);
    }
    this.chunkBytes = chunkBytes;
    this.#windowBytes = chunkBytes / windowSteps;
    this.#limitBytes = memoryBytes;
    this.#spillLimitBytes = spillBytes;
    this.#spillFile = new SpillFile({
      directory: spillDirectory,
      limitBytes: spillBytes,
      unitBytes: this.#windowBytes,
      maxSlotBytes: chunkBytes,
      log,
    });
  }

  get memoryLimitBytes(): number {
    return this.#limitBytes;
  }

  /** The largest part of a stream that can be put together here, with room for others. */
  get maxPartBytes(): number {
    return Math.floor((this.#limitBytes + this.#spillLimitBytes) / 2 / this.chunkBytes) * this.chunkBytes;
  }

  statistics(): StagingStatistics {
    return {
      memoryBytes: this.#usedBytes,
      peakMemoryBytes: this.#peakBytes,
      spilledBytes: this.#spillFile.allocatedBytes,
      waiting: this.#waiting.length,
      discardedChunks: this.#discardedChunks,
    };
  }

  /** Lets go of the spill file. Whoever waits is refused. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    for (const { waiter } of this.#waiting.splice(0)) waiter.refuse(stoppedError());
    await Promise.all(this.#spills);
    await this.#spillFile.stop();
  }

  /**
   * Brings the chunk into memory with a window that covers [offset, end), and pins it: `unpin` must follow. One caller
   * at a time for one chunk. Waits while memory is short; rejects with ENOSPC if neither the disk nor an upload can make room.
   */
  async hold(chunk: StagedChunk, offset: number, end: number, signal: AbortSignal): Promise<void> {
    if (!chunk.covers(offset, end)) {
      const window = this.#growWindow(chunk, offset, end);
      await this.#acquire(window.length, signal);
      chunk.pins += 1;
      try {
        await this.#fill(chunk, window);
      } catch (error) {
        this.#release(window.length);
        this.unpin(chunk, true);
        throw error;
      } finally {
        this.#grants -= 1;
      }
    } else {
      chunk.pins += 1;
    }
    this.#file(chunk);
    this.#pump();
  }

  /**
   * The same without waiting, and without a pin: false, and nothing has changed, if that is not possible. The caller writes into
   * the chunk and says `noteChange` in the same turn.
   */
  tryHold(chunk: StagedChunk, offset: number, end: number): boolean {
    if (chunk.covers(offset, end)) return true;
    if (chunk.slot || this.#isStopped || this.#waiting.length > 0) return false;
    const window = this.#growWindow(chunk, offset, end);
    if (!this.#hasRoomFor(window.length)) return false;
    this.#take(window.length);
    this.#give(chunk, window, this.#allocate(window.length), chunk.buffer);
    return true;
  }

  /** Something was written into the chunk's buffer. */
  noteChange(chunk: StagedChunk): void {
    this.#file(chunk);
    this.#pump();
  }

  /** The buffer stays until `unpin`; undefined if the chunk is not in memory. */
  pin(chunk: StagedChunk): Buffer | undefined {
    if (!chunk.buffer) return undefined;
    chunk.pins += 1;
    this.#file(chunk);
    return chunk.buffer;
  }

  /** `isIntact`: nobody has a view of the buffer any more. */
  unpin(chunk: StagedChunk, isIntact: boolean): void {
    chunk.pins -= 1;
    if (!isIntact) chunk.isLeaked = true;
    if (chunk.isFreed && chunk.pins === 0) this.#dropBuffer(chunk);
    this.#file(chunk);
    this.#pump();
  }

  /** Bytes of a chunk that is not in memory, counted from the beginning of its window. */
  async readSpilled(chunk: StagedChunk, offset: number, length: number): Promise<Buffer> {
    if (!chunk.slot) throw new Error('the chunk is not spilled');
    return this.#spillFile.read(chunk.slot, offset, length);
  }

  setStanding(chunk: StagedChunk, standing: Standing): void {
    chunk.standing = standing;
    this.#file(chunk);
    this.#pump();
  }

  free(chunk: StagedChunk): void {
    if (chunk.isFreed) return;
    chunk.isFreed = true;
    if (chunk.slot) this.#spillFile.release(chunk.slot);
    chunk.slot = undefined;
    if (chunk.pins === 0) this.#dropBuffer(chunk);
    this.#file(chunk);
    this.#pump();
  }

  /** For tests. */
  checkInvariants(): void {
    let bytes = 0;
    for (const set of this.#inMemory()) {
      for (const chunk of set) {
        if (!chunk.buffer) throw new Error('a chunk without a buffer counts as one in memory');
        if (chunk.slot) throw new Error('a chunk is in two places');
        bytes += chunk.buffer.length;
      }
    }
    if (this.#usedBytes > this.#limitBytes) throw new Error('more memory than the limit');
    if (this.#grants === 0 && bytes !== this.#usedBytes) {
      throw new Error(`${bytes} bytes in chunks, ${this.#usedBytes} counted`);
    }
  }

  #growWindow(chunk: StagedChunk, offset: number, end: number): Window {
    const place = { start: chunk.index * this.chunkBytes, end: (chunk.index + 1) * this.chunkBytes };
    let start = offset;
    let until = end;
    if (chunk.length > 0) {
      // Twice the length each time, so that many small writes do not copy the same bytes often.
      start = offset < chunk.offset ? Math.min(offset, chunk.offset - chunk.length) : chunk.offset;
      until = end > chunk.end ? Math.max(end, chunk.end + chunk.length) : chunk.end;
    }
    start = Math.max(place.start, Math.floor(start / this.#windowBytes) * this.#windowBytes);
    until = Math.min(place.end, Math.ceil(until / this.#windowBytes) * this.#windowBytes);
    return { offset: start, length: until - start };
  }

  /** Gives a pinned chunk a buffer for the granted window, with what it has already. */
  async #fill(chunk: StagedChunk, window: Window): Promise<void> {
    const buffer = this.#allocate(window.length);
    const { slot } = chunk;
    const spilled = slot && (await this.#spillFile.read(slot, 0, chunk.length));
    this.#give(chunk, window, buffer, spilled ?? chunk.buffer);
    if (slot) this.#spillFile.release(slot);
    chunk.slot = undefined;
  }

  /** Copies what is present, the bytes of the former window, into the buffer of the new one. */
  #give(chunk: StagedChunk, window: Window, buffer: Buffer, present: Buffer | undefined): void {
    if (present) buffer.set(present, chunk.offset - window.offset);
    this.#dropBuffer(chunk);
    chunk.buffer = buffer;
    chunk.offset = window.offset;
    chunk.length = window.length;
    chunk.changes += 1;
  }

  #allocate(length: number): Buffer {
    const spare = length === this.chunkBytes ? this.#spare.pop() : undefined;
    this.#trimSpare();
    return spare ?? Buffer.allocUnsafeSlow(length);
  }

  #dropBuffer(chunk: StagedChunk): void {
    const { buffer } = chunk;
    if (!buffer) return;
    chunk.buffer = undefined;
    this.#release(buffer.length);
    if (buffer.length === this.chunkBytes && !chunk.isLeaked) this.#spare.push(buffer);
    chunk.isLeaked = false;
    this.#trimSpare();
  }

  #trimSpare(): void {
    const room = Math.floor((this.#limitBytes - this.#usedBytes) / this.chunkBytes);
    this.#spare.length = Math.min(
      this.#spare.length,
      this.#usedBytes === 0 ? maxIdleBuffers : Math.max(0, room),
    );
  }

  async #acquire(bytes: number, signal: AbortSignal): Promise<void> {
    if (this.#isStopped) throw stoppedError();
    const waiter = createWaiter(signal, 'waiting for memory', () => {
      const index = this.#waiting.findIndex((waiting) => waiting.waiter === waiter);
      if (index >= 0) this.#waiting.splice(index, 1);
      this.#pump();
    });
    this.#waiting.push({ bytes, waiter });
    this.#pump();
    await waiter.promise;
  }

  #hasRoomFor(bytes: number): boolean {
    return this.#usedBytes + bytes <= this.#limitBytes;
  }

  #take(bytes: number): void {
    this.#usedBytes += bytes;
    this.#peakBytes = Math.max(this.#peakBytes, this.#usedBytes);
  }

  #release(bytes: number): void {
    this.#usedBytes -= bytes;
  }

  /** Puts the chunk where its state belongs. */
  #file(chunk: StagedChunk): void {
    chunk.place?.delete(chunk);
    chunk.place = this.#placeFor(chunk);
    chunk.place?.add(chunk); // as the last
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

  #inMemory(): Set<StagedChunk>[] {
    return [this.#dirty, this.#filling, this.#sent, this.#queued, this.#busy];
  }

  /** Whether memory is becoming free, or may be, without anything being done here. */
  #isMoving(): boolean {
    return this.#queued.size > 0 || this.#busy.size > 0 || this.#grants > 0 || this.#spills.size > 0;
  }

  /** Grants what fits, in order, and makes room for what does not: called after every change. */
  #pump(): void {
    for (;;) {
      const next = this.#waiting[0];
      if (next && this.#hasRoomFor(next.bytes)) {
        this.#waiting.shift();
        this.#take(next.bytes);
        this.#grants += 1;
        next.waiter.grant();
        continue;
      }
      // An eighth is kept free, so that a writer seldom waits for the disk.
      const wantedBytes = next
        ? this.#usedBytes + next.bytes - this.#limitBytes
        : this.#usedBytes - (this.#limitBytes / 8) * 7;
      if (wantedBytes <= this.#spillingBytes || this.#spills.size >= maxConcurrentSpills) return;
      if (this.#makeRoom(next !== undefined)) continue;
      if (!next || this.#isMoving()) return;
      this.#waiting.shift();
      next.waiter.refuse(
        new FsError('ENOSPC', 'staged data fills the memory and the disk space that it may use'),
      );
    }
  }

  /** Begins to spill a chunk, or gives one up. False if there is none to be had. */
  #makeRoom(isNeeded: boolean): boolean {
    const [sent] = this.#sent;
    if (sent) {
      if (sent.owner.isExpendable(sent)) {
        this.#discard(sent);
        return true;
      }
      const slot = this.#spillFile.reserve(sent.length);
      if (slot) this.#spill(sent, slot);
      else if (isNeeded) this.#discard(sent);
      else return false;
      return true;
    }
    let [dirty] = this.#dirty;
    // A writer who is faster than the store waits for it: going by the disk would only cost time. But where no upload gets
    // on, or where a part is larger than the memory, there is no other way.
    if (!dirty && isNeeded && this.#queued.size === 0) [dirty] = this.#filling;
    if (!dirty) return false;
    let slot = this.#spillFile.reserve(dirty.length);
    while (!slot && isNeeded) {
      const [given] = this.#spilledSent;
      if (!given) return false;
      this.#discard(given);
      slot = this.#spillFile.reserve(dirty.length);
    }
    if (slot) this.#spill(dirty, slot);
    return slot !== undefined;
  }

  #discard(chunk: StagedChunk): void {
    this.#discardedChunks += 1;
    chunk.isFreed = true;
    if (chunk.slot) this.#spillFile.release(chunk.slot);
    chunk.slot = undefined;
    this.#dropBuffer(chunk);
    this.#file(chunk);
    chunk.owner.discard(chunk);
  }

  #spill(chunk: StagedChunk, slot: SpillSlot): void {
    const { changes, length, buffer } = chunk;
    if (!buffer) throw new Error('the chunk is not in memory');
    chunk.isSpilling = true;
    this.#spillingBytes += length;
    this.#file(chunk);
    const spill = this.#spillFile.write(slot, buffer).then((isWritten) => {
      chunk.isSpilling = false;
      this.#spills.delete(spill);
      this.#spillingBytes -= length;
      if (isWritten && !chunk.isFreed && chunk.pins === 0 && chunk.changes === changes) {
        chunk.slot = slot;
        this.#dropBuffer(chunk);
      } else {
        this.#spillFile.release(slot);
      }
      this.#file(chunk);
      this.#pump();
    });
    this.#spills.add(spill);
  }
}

function stoppedError(): FsError {
  return new FsError('EIO', 'the staging area is stopped');
}
