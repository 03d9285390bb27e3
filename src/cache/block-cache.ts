/**
 * Keeps the blocks of object versions in memory, up to a number of bytes; the least recently used go first. Where the
 * blocks come from is left to `block-fetcher.ts`.
 */
import { LRUCache } from 'lru-cache';
import type { ObjectVersion } from '../object-version.js';
import { VersionMap } from './version-map.js';

/**
 * What a block costs beside its bytes: the buffer's own, map entries, the place in the LRU. Measured on Node 20 with blocks
 * of 100 bytes: 640 bytes each in one object, 1,420 in objects of one block.
 */
export const blockOverheadBytes = 1536;

interface VersionBlocks {
  version: ObjectVersion;
  /** By block number; exactly the blocks in the LRU that belong to this version. */
  readonly blocks: Map<number, Block>;
}

/** Stands for one block in the LRU, so that a version can be given another key without touching the LRU. */
interface Block {
  readonly number: number;
  owner: VersionBlocks;
}

export class BlockCache {
  readonly maxBytes: number;
  readonly #blocks: LRUCache<Block, Uint8Array>;
  /** No version without blocks. */
  readonly #versions = new VersionMap<VersionBlocks>();

  /** With fewer bytes than a block needs, nothing is ever kept. */
  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
    this.#blocks = new LRUCache<Block, Uint8Array>({
      maxSize: Math.max(1, maxBytes),
      sizeCalculation: costOf,
      dispose: (_bytes, block, reason) => {
        if (reason !== 'set') this.#disown(block);
      },
    });
  }

  /** What the blocks cost, in bytes: never above `maxBytes`. */
  get bytes(): number {
    return this.#blocks.calculatedSize;
  }

  has(version: ObjectVersion, number: number): boolean {
    return this.#versions.get(version)?.blocks.has(number) === true;
  }

  /** Counts as a use. */
  get(version: ObjectVersion, number: number): Uint8Array | undefined {
    const block = this.#versions.get(version)?.blocks.get(number);
    return block && this.#blocks.get(block);
  }

  /** `bytes` must own all of the buffer underneath, since all of it stays in memory; it must not change any more. */
  put(version: ObjectVersion, number: number, bytes: Uint8Array): void {
    if (costOf(bytes) > this.maxBytes) return;
    let owner = this.#versions.get(version);
    if (!owner) {
      owner = { version, blocks: new Map() };
      this.#versions.set(version, owner);
    }
    const block = owner.blocks.get(number) ?? { number, owner };
    owner.blocks.set(number, block);
    this.#blocks.set(block, bytes);
  }

  /** Gives all blocks of `from` to `to`. Both must have the same bytes; with different sizes nothing is kept. */
  relabel(from: ObjectVersion, to: ObjectVersion): void {
    const moved = this.#versions.get(from);
    if (!moved || (from.key === to.key && from.etag === to.etag)) return;
    if (from.size !== to.size) {
      this.#dropBlocks(moved);
      return;
    }
    this.#versions.delete(from, moved);
    const existing = this.#versions.get(to);
    if (!existing) {
      moved.version = to;
      this.#versions.set(to, moved);
      return;
    }
    for (const [number, block] of [...moved.blocks]) {
      if (existing.blocks.has(number)) {
        this.#blocks.delete(block);
      } else {
        block.owner = existing;
        existing.blocks.set(number, block);
      }
    }
  }

  /** Drops the blocks of every version of the key. */
  drop(key: string): void {
    for (const owner of this.#versions.ofKey(key)) this.#dropBlocks(owner);
  }

  clear(): void {
    this.#blocks.clear();
  }

  /** For tests. */
  checkInvariants(): void {
    if (this.bytes > this.maxBytes) throw new Error(`${this.bytes} bytes cached of at most ${this.maxBytes}`);
    let count = 0;
    let cost = 0;
    for (const [version, owner] of this.#versions.entries()) {
      if (owner.version !== version) throw new Error(`blocks of ${version.key} carry another version`);
      if (owner.blocks.size === 0) throw new Error(`${version.key} is kept without blocks`);
      for (const [number, block] of owner.blocks) {
        const bytes = this.#blocks.peek(block);
        if (!bytes || block.owner !== owner || block.number !== number) {
          throw new Error(`block ${number} of ${version.key} is not where it should be`);
        }
        if (bytes.byteLength !== bytes.buffer.byteLength) {
          throw new Error(`block ${number} of ${version.key} keeps a larger buffer in memory`);
        }
        count += 1;
        cost += costOf(bytes);
      }
    }
    if (count !== this.#blocks.size || cost !== this.bytes) throw new Error('blocks without a version');
  }

  #dropBlocks(owner: VersionBlocks): void {
    for (const block of [...owner.blocks.values()]) this.#blocks.delete(block);
  }

  #disown(block: Block): void {
    const { owner, number } = block;
    owner.blocks.delete(number);
    if (owner.blocks.size === 0) this.#versions.delete(owner.version, owner);
  }
}

function costOf(bytes: Uint8Array): number {
  return bytes.byteLength + blockOverheadBytes;
}
