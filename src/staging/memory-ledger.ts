/**
 * The memory that the staged bytes of all files share: how much is in use, and who waits for more, in order. It does not know
 * what the bytes are, or how room is made.
 */
import { createWaiter, type Waiter } from '../concurrency/abortable.js';

interface Waiting {
  readonly bytes: number;
  readonly waiter: Waiter;
}

/** How many free buffers are kept while nothing is staged. */
const maxIdleBuffers = 8;

export class MemoryLedger {
  readonly limitBytes: number;
  readonly #chunkBytes: number;
  /** All buffers, and what was granted for buffers that are about to be made. At most the limit. */
  #usedBytes = 0;
  #peakBytes = 0;
  /** How many grants have not become a buffer yet. */
  #grants = 0;
  readonly #waiting: Waiting[] = [];
  /** Free buffers of `chunkBytes`, kept to spare the garbage collector. With the used bytes they are at most the limit. */
  readonly #spare: Buffer[] = [];

  constructor(limitBytes: number, chunkBytes: number) {
    this.limitBytes = limitBytes;
    this.#chunkBytes = chunkBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  get peakBytes(): number {
    return this.#peakBytes;
  }

  get grants(): number {
    return this.#grants;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** How much must become free. If nobody waits, an eighth is kept free, so that a writer seldom waits for the disk. */
  get missingBytes(): number {
    const [next] = this.#waiting;
    return this.#usedBytes - (next ? this.limitBytes - next.bytes : (this.limitBytes / 8) * 7);
  }

  /** Takes `bytes` at once. False if there is no room for them, or somebody waits. */
  tryTake(bytes: number): boolean {
    if (this.#waiting.length > 0 || !this.#hasRoomFor(bytes)) return false;
    this.#take(bytes);
    return true;
  }

  /** Queues for `bytes`. `grantNext` resolves the promise, after which `settleGrant` must follow; `refuseNext` rejects it. */
  wait(bytes: number, signal: AbortSignal, onLeave: () => void): Promise<void> {
    const waiter = createWaiter(signal, 'waiting for memory', () => {
      const index = this.#waiting.findIndex((waiting) => waiting.waiter === waiter);
      if (index >= 0) this.#waiting.splice(index, 1);
      onLeave();
    });
    this.#waiting.push({ bytes, waiter });
    return waiter.promise;
  }

  /** Grants the first in the queue its bytes. False if the queue is empty, or there is no room. */
  grantNext(): boolean {
    const [next] = this.#waiting;
    if (!next || !this.#hasRoomFor(next.bytes)) return false;
    this.#waiting.shift();
    this.#take(next.bytes);
    this.#grants += 1;
    next.waiter.grant();
    return true;
  }

  /** A grant has become a buffer, or was given back. */
  settleGrant(): void {
    this.#grants -= 1;
  }

  refuseNext(error: Error): void {
    this.#waiting.shift()?.waiter.refuse(error);
  }

  refuseAll(error: Error): void {
    while (this.#waiting.length > 0) this.refuseNext(error);
  }

  giveBack(bytes: number): void {
    this.#usedBytes -= bytes;
  }

  /** Makes a buffer for bytes that were taken. */
  allocate(length: number): Buffer {
    const spare = length === this.#chunkBytes ? this.#spare.pop() : undefined;
    this.#trimSpare();
    return spare ?? Buffer.allocUnsafeSlow(length);
  }

  /** Gives back a buffer. `isReusable`: nothing has a view of it. */
  free(buffer: Buffer, isReusable: boolean): void {
    this.giveBack(buffer.length);
    if (buffer.length === this.#chunkBytes && isReusable) this.#spare.push(buffer);
    this.#trimSpare();
  }

  #hasRoomFor(bytes: number): boolean {
    return this.#usedBytes + bytes <= this.limitBytes;
  }

  #take(bytes: number): void {
    this.#usedBytes += bytes;
    this.#peakBytes = Math.max(this.#peakBytes, this.#usedBytes);
  }

  #trimSpare(): void {
    const room = Math.floor((this.limitBytes - this.#usedBytes) / this.#chunkBytes);
    const kept = this.#usedBytes === 0 ? maxIdleBuffers : Math.max(0, room);
    this.#spare.length = Math.min(this.#spare.length, kept);
  }
}
