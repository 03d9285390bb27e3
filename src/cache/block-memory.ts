/**
 * The bytes of blocks in memory, up to a limit. The least recently used go first, across all caches that share this memory. The
 * caches know to which object a block belongs, see `block-cache.ts`.
 */
import { LRUCache } from 'lru-cache';
import { BlockBuffers } from './block-buffers.js';

/**
 * What a block costs beside its bytes: the buffer object, map entries, the place in the LRU. Measured on Node 20 with blocks of
 * 100 bytes: 640 bytes each in one object, 1,420 in objects of one block.
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

  /** With fewer bytes than a block needs, it never keeps anything. */
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

  /** What all blocks cost, in bytes. Never above `maxBytes`. */
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

  /** Does not count as a use. */
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
