/**
 * How much may be on its way to the store at once, over all files: a number of requests and the bytes of their bodies.
 * Whoever sends a body that has to be put together in memory first goes through here.
 */
import { createWaiter, throwIfAborted, type Waiter } from './abortable.js';

export interface UploadLimiterOptions {
  /** Requests in flight, over all files. Default 6. */
  readonly maxConcurrentUploads?: number;
  /** Bytes of the bodies in flight. Default 64 MiB. A larger body is let through when it is alone. */
  readonly maxBytesInFlight?: number;
}

interface Queued {
  readonly bytes: number;
  readonly waiter: Waiter;
}

export class UploadLimiter {
  readonly maxConcurrentUploads: number;
  readonly #maxBytesInFlight: number;
  readonly #queue: Queued[] = [];
  #uploads = 0;
  #bytes = 0;

  constructor({ maxConcurrentUploads = 6, maxBytesInFlight = 64 * 1024 * 1024 }: UploadLimiterOptions = {}) {
    if (maxConcurrentUploads < 1) throw new RangeError('maxConcurrentUploads must be at least 1');
    this.maxConcurrentUploads = maxConcurrentUploads;
    this.#maxBytesInFlight = maxBytesInFlight;
  }

  statistics(): {
    readonly uploadsInFlight: number;
    readonly bytesInFlight: number;
    readonly waiting: number;
  } {
    return { uploadsInFlight: this.#uploads, bytesInFlight: this.#bytes, waiting: this.#queue.length };
  }

  /** Runs `work`, which holds up to `bytes` in memory, in the order of the calls. */
  async run<T>(bytes: number, signal: AbortSignal, what: string, work: () => Promise<T>): Promise<T> {
    throwIfAborted(signal, what);
    if (this.#queue.length === 0 && this.#fits(bytes)) {
      this.#take(bytes);
    } else {
      const waiter = createWaiter(signal, what, () => {
        this.#queue.splice(
          this.#queue.findIndex((queued) => queued.waiter === waiter),
          1,
        );
        this.#admit();
      });
      this.#queue.push({ bytes, waiter });
      await waiter.promise;
    }
    try {
      return await work();
    } finally {
      this.#uploads -= 1;
      this.#bytes -= bytes;
      this.#admit();
    }
  }

  #fits(bytes: number): boolean {
    return (
      this.#uploads === 0 ||
      (this.#uploads < this.maxConcurrentUploads && this.#bytes + bytes <= this.#maxBytesInFlight)
    );
  }

  #take(bytes: number): void {
    this.#uploads += 1;
    this.#bytes += bytes;
  }

  #admit(): void {
    for (let next = this.#queue[0]; next && this.#fits(next.bytes); next = this.#queue[0]) {
      this.#queue.shift();
      this.#take(next.bytes);
      next.waiter.grant();
    }
  }
}
