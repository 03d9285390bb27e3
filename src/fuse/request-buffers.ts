/** Buffers that requests are received into: reused, and bounded, since the data of a write stays in its buffer. */
import { requestBufferSize } from './protocol.js';

/** How many large writes may keep their data in the receive buffer at once: 64 MiB. The data of others is copied. */
const maxLent = 64;
/** Buffers kept for the next burst. */
const maxIdle = 8;

export class RequestBuffers {
  readonly #idle: Buffer[] = [];
  #lent = 0;

  /** Whether a buffer that was just taken may be kept until its request is answered. */
  get canLend(): boolean {
    return this.#lent <= maxLent;
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
