/**
 * The buffers of blocks, which are used again when nothing looks at them any more. Without this a reader would make as much
 * garbage as it reads, and collecting that took a fifth of the CPU of a sequential read. A buffer whose readers do not say that
 * they are done is left to the garbage collector.
 */
interface Use {
  /** How many readers have its bytes and have not said that they are done. */
  lookers: number;
  isCached: boolean;
}

/** How many free buffers are kept. */
const maxIdle = 64;

export class BlockBuffers {
  readonly #idle: Uint8Array[] = [];
  /** How the buffers that were taken here are used, by what is underneath them. */
  readonly #uses = new WeakMap<ArrayBufferLike, Use>();

  /** A buffer with undefined content. `length` should always be the same. */
  take(length: number): Uint8Array {
    const idle = this.#idle.pop();
    const bytes = idle?.length === length ? idle : Buffer.allocUnsafeSlow(length);
    this.#uses.set(bytes.buffer, { lookers: 0, isCached: false });
    return bytes;
  }

  /** The cache has it. */
  cached(bytes: Uint8Array): void {
    const use = this.#uses.get(bytes.buffer);
    if (use) use.isCached = true;
  }

  /** The cache has dropped it. */
  uncached(bytes: Uint8Array): void {
    const use = this.#uses.get(bytes.buffer);
    if (!use) return;
    use.isCached = false;
    this.#reuse(bytes, use);
  }

  /** `count` readers have it, or a part of it, from now on. */
  lend(bytes: Uint8Array, count = 1): void {
    const use = this.#uses.get(bytes.buffer);
    if (use) use.lookers += count;
  }

  /** One of these readers is done with it. `bytes` may be a part. */
  done(bytes: Uint8Array): void {
    const use = this.#uses.get(bytes.buffer);
    if (!use) return;
    use.lookers -= 1;
    this.#reuse(bytes, use);
  }

  #reuse({ buffer }: Uint8Array, use: Use): void {
    if (use.lookers > 0 || use.isCached) return;
    this.#uses.delete(buffer);
    if (this.#idle.length < maxIdle) this.#idle.push(Buffer.from(buffer));
  }
}
