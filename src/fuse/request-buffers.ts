/** Buffers that requests are received into: reused, and bounded, since the data of a write stays in its buffer. */
import { requestBufferSize } from './protocol.js';

/** Large writes whose data stays where it was received, at once: 64 MiB. That of others is to be copied. */
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
