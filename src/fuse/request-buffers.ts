/** Buffers that requests are received into: reused, and bounded, since the data of a write stays in its buffer. */
import { requestBufferSize } from './protocol.js';

/** Large writes being worked on at once. The kernel keeps the others, and the programs wait. 64 MiB. */
const maxLent = 64;
/** Buffers kept for the next burst. */
const maxIdle = 8;

export class RequestBuffers {
  readonly #idle: Buffer[] = [];
  #lent = 0;

  get isExhausted(): boolean {
    return this.#lent >= maxLent;
  }

  take(): Buffer {
    this.#lent++;
    return this.#idle.pop() ?? Buffer.allocUnsafeSlow(requestBufferSize);
  }

  giveBack(buffer: Buffer): void {
    this.#lent--;
    if (this.#idle.length < maxIdle) this.#idle.push(buffer);
  }
}
