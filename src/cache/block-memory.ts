/**
 * The bytes of blocks in memory, up to a number; the least recently used go first, whosever they are. To which object a
 * block belongs is known to the caches that share this memory, see `block-cache.ts`.
 */
import { LRUCache } from 'lru-cache';
import { BlockBuffers } from './block-buffers.js';

/**
 * What a block costs beside its bytes: the buffer's own, map entries, the place in the LRU. Measured on Node 20 with blocks
 * of 100 bytes: 640 bytes each in one object, 1,420 in objects of one block.
 */
export const blockOverheadBytes = 1536;

/** Stands for the bytes of one block. */
export interface RememberedBlock {
  /** Called once, when the bytes are gone, also after `delete`. */
  forget(): void;
}

export class BlockMemory {
  readonly maxBytes: number;
  readonly buffers = new BlockBuffers();
  readonly #blocks: LRUCache<RememberedBlock, Uint8Array>;

  /** With fewer bytes than a block needs, nothing is ever kept. */
  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
    this.#blocks = new LRUCache<RememberedBlock, Uint8Array>({
      maxSize: Math.max(1, maxBytes),
      sizeCalculation: costOf,
      dispose: (bytes, block, reason) => {
        this.buffers.uncached(bytes);
        if (reason !== 'set') block.forget();
      },
    });
  }

  /** What all blocks cost, in bytes: never above `maxBytes`. */
  get bytes(): number {
    return this.#blocks.calculatedSize;
  }

  /** For tests. */
  blocks(): IterableIterator<RememberedBlock> {
    return this.#blocks.keys();
  }

  fits(bytes: Uint8Array): boolean {
    return costOf(bytes) <= this.maxBytes;
  }

  /** Counts as a use. */
  get(block: RememberedBlock): Uint8Array | undefined {
    return this.#blocks.get(block);
  }

  /** No use. */
  peek(block: RememberedBlock): Uint8Array | undefined {
    return this.#blocks.peek(block);
  }

  set(block: RememberedBlock, bytes: Uint8Array): void {
    this.buffers.cached(bytes);
    this.#blocks.set(block, bytes);
  }

  delete(block: RememberedBlock): void {
    this.#blocks.delete(block);
  }
}

export function costOf(bytes: Uint8Array): number {
  return bytes.byteLength + blockOverheadBytes;
}
