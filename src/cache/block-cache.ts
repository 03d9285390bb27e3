/**
 * Which blocks of which object versions of one store are in memory. `block-memory.ts`, which several caches may share, decides
 * how much that may be and what goes first. `block-fetcher.ts` brings the blocks.
 */
import type { ObjectVersion } from '../object-version.js';
import { costOf, type BlockMemory, type RememberedBlock } from './block-memory.js';
import { VersionMap } from './version-map.js';

interface VersionBlocks {
  version: ObjectVersion;
  /** By block number; exactly the blocks in memory that belong to this version. */
  readonly blocks: Map<number, Block>;
  /** The map that has this version. */
  readonly versions: VersionMap<VersionBlocks>;
}

/** Stands for one block in memory. A version can get another key without a change of the order of use. */
class Block implements RememberedBlock {
  readonly number: number;
  owner: VersionBlocks;

  constructor(number: number, owner: VersionBlocks) {
    this.number = number;
    this.owner = owner;
  }

  forget(): void {
    const { version, blocks, versions } = this.owner;
    blocks.delete(this.number);
    if (blocks.size === 0) versions.delete(version, this.owner);
  }
}

export class BlockCache {
  readonly #memory: BlockMemory;
  /** Every version in it has blocks. */
  readonly #versions = new VersionMap<VersionBlocks>();

  constructor(memory: BlockMemory) {
    this.#memory = memory;
  }

  has(version: ObjectVersion, number: number): boolean {
    return this.#versions.get(version)?.blocks.has(number) === true;
  }

  /** Counts as a use. */
  get(version: ObjectVersion, number: number): Uint8Array | undefined {
    const block = this.#versions.get(version)?.blocks.get(number);
    return block && this.#memory.get(block);
  }

  /** `bytes` must own all of the buffer underneath, because all of it stays in memory, and must not change any more. */
  put(version: ObjectVersion, number: number, bytes: Uint8Array): void {
    if (!this.#memory.fits(bytes)) return;
    let owner = this.#versions.get(version);
    if (!owner) {
      owner = { version, blocks: new Map(), versions: this.#versions };
      this.#versions.set(version, owner);
    }
    const block = owner.blocks.get(number) ?? new Block(number, owner);
    owner.blocks.set(number, block);
    this.#memory.set(block, bytes);
  }

  /** Gives all blocks of `from` to `to`, which must have the same bytes. If the sizes differ, the blocks are dropped. */
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
        this.#memory.delete(block);
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

  /** Drops all blocks of this cache. */
  clear(): void {
    for (const [, owner] of [...this.#versions.entries()]) this.#dropBlocks(owner);
  }

  /** For tests. */
  checkInvariants(): void {
    const { bytes: bytesInMemory, maxBytes } = this.#memory;
    if (bytesInMemory > maxBytes) throw new Error(`${bytesInMemory} bytes cached of at most ${maxBytes}`);
    let count = 0;
    let cost = 0;
    for (const [version, owner] of this.#versions.entries()) {
      if (owner.version !== version) throw new Error(`blocks of ${version.key} carry another version`);
      if (owner.blocks.size === 0) throw new Error(`${version.key} is kept without blocks`);
      for (const [number, block] of owner.blocks) {
        const bytes = this.#memory.peek(block);
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
    const all = [...this.#memory.blocks()];
    const own = all.filter((block) => block instanceof Block && block.owner.versions === this.#versions);
    if (count !== own.length) throw new Error('blocks without a version');
    if (own.length === all.length ? cost !== bytesInMemory : cost > bytesInMemory) {
      throw new Error(`${cost} bytes in blocks, ${bytesInMemory} counted`);
    }
  }

  #dropBlocks(owner: VersionBlocks): void {
    for (const block of [...owner.blocks.values()]) this.#memory.delete(block);
  }
}
