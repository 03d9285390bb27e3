/**
 * Fetches runs of blocks from the store into the block cache. Each block is fetched at most once at a time: a reader that needs a
 * block on its way waits for the same fetch. `block-reader.ts` decides which blocks to fetch.
 */
import { abortable } from '../concurrency/abortable.js';
import { StoreError } from '../errors.js';
import type { ObjectStore } from '../object-store.js';
import type { PieceMemory } from '../piece-memory.js';
import type { ObjectVersion } from '../object-version.js';
import type { BlockCache } from './block-cache.js';
import { BlockFetch, type FetchOwner } from './block-fetch.js';
import { type BlockRange, bytesOfBlocks } from './block-range.js';
import type { FetchQueue } from './fetch-queue.js';
import type { ReadMemory } from './read-memory.js';
import { VersionMap } from './version-map.js';

interface BlockFetcherOptions {
  readonly store: ObjectStore;
  readonly cache: BlockCache;
  readonly memory: ReadMemory;
  readonly blockBytes: number;
}

export class BlockFetcher {
  readonly #store: ObjectStore;
  readonly #cache: BlockCache;
  readonly #blockBytes: number;
  readonly #memory: ReadMemory;
  readonly #queue: FetchQueue<BlockFetch>;
  readonly #pieceMemory: PieceMemory;
  /** The fetches under way, by block number. Each is there under all of its blocks. No inner map is empty. */
  readonly #underWay = new VersionMap<Map<number, BlockFetch>>();

  constructor({ store, cache, memory, blockBytes }: BlockFetcherOptions) {
    this.#store = store;
    this.#cache = cache;
    this.#blockBytes = blockBytes;
    this.#memory = memory;
    this.#queue = memory.queue;
    const { buffers } = memory.blocks;
    this.#pieceMemory = {
      bytes: blockBytes,
      take: (length) => (length === blockBytes ? buffers.take(length) : Buffer.allocUnsafeSlow(length)),
    };
  }

  /** The fetch that will bring this block. */
  find(version: ObjectVersion, block: number): BlockFetch | undefined {
    return this.#underWay.get(version)?.get(block);
  }

  /** Begins a fetch for a reader. The caller passes it to `wait` in the same turn. */
  fetchNow(version: ObjectVersion, blocks: BlockRange): BlockFetch {
    return this.#begin(version, blocks, undefined);
  }

  /** Begins a fetch for later. It lasts as long as an owner wants it or a reader waits for it. */
  fetchAhead(version: ObjectVersion, blocks: BlockRange, owner: FetchOwner): BlockFetch {
    return this.#begin(version, blocks, owner);
  }

  /**
   * Resolves when all these fetches of the version have arrived, rejects when one fails. When `signal` aborts, it rejects with
   * `Aborted` at once; the fetches go on for others.
   */
  async wait(version: ObjectVersion, fetches: ReadonlySet<BlockFetch>, signal: AbortSignal): Promise<void> {
    for (const fetch of fetches) {
      fetch.waiterCount += 1;
      this.#queue.makeUrgent(fetch);
    }
    try {
      await abortable(Promise.all([...fetches].map(({ arrival }) => arrival)), signal, `read ${version.key}`);
    } finally {
      for (const fetch of fetches) {
        fetch.waiterCount -= 1;
        this.#abortIfUnwanted(fetch);
      }
    }
  }

  /** The owner wants this fetch too. */
  own(fetch: BlockFetch, owner: FetchOwner): void {
    fetch.owners.add(owner);
    owner.fetches.add(fetch);
  }

  /** The owner no longer wants what was fetched ahead for it: all of it, or only what has not begun. */
  disown(owner: FetchOwner, which: 'all' | 'waiting'): void {
    for (const fetch of owner.fetches) {
      if (which === 'waiting' && !this.#queue.isWaiting(fetch)) continue;
      fetch.owners.delete(owner);
      owner.fetches.delete(fetch);
      this.#abortIfUnwanted(fetch);
    }
  }

  /** From now on nothing of this key comes into the cache. Reads that wait still get their bytes. */
  drop(key: string): void {
    for (const byBlock of this.#underWay.ofKey(key)) {
      for (const fetch of new Set(byBlock.values())) {
        fetch.isToBeCached = false;
        this.#disownAll(fetch);
        this.#abortIfUnwanted(fetch);
      }
    }
  }

  /** Aborts everything; waiting reads reject with `Aborted`. */
  stop(): void {
    for (const [, byBlock] of [...this.#underWay.entries()]) {
      for (const fetch of new Set(byBlock.values())) this.#abort(fetch);
    }
  }

  /** For tests. Not to be called between `fetchNow` and `wait`. */
  checkInvariants(): void {
    this.#queue.checkInvariants();
    for (const [version, byBlock] of this.#underWay.entries()) {
      if (byBlock.size === 0) throw new Error(`${version.key} is under way without fetches`);
      for (const [block, fetch] of byBlock) {
        const { blocks, owners } = fetch;
        if (block < blocks.first || block >= blocks.end)
          throw new Error(`block ${block} has another's fetch`);
        for (let each = blocks.first; each < blocks.end; each += 1) {
          if (byBlock.get(each) !== fetch) throw new Error(`block ${each} is fetched twice at once`);
        }
        if (fetch.waiterCount === 0 && owners.size === 0) throw new Error(`nobody wants block ${block}`);
        if (!this.#queue.isRunning(fetch) && !this.#queue.isWaiting(fetch)) {
          throw new Error(`block ${block} is neither fetched nor waits for it`);
        }
        for (const owner of owners) {
          if (!owner.fetches.has(fetch)) throw new Error(`an owner does not know of block ${block}`);
        }
      }
    }
  }

  #begin(version: ObjectVersion, blocks: BlockRange, owner: FetchOwner | undefined): BlockFetch {
    const fetch = new BlockFetch(version, blocks, (begun) => this.#run(begun));
    let byBlock = this.#underWay.get(version);
    if (!byBlock) {
      byBlock = new Map();
      this.#underWay.set(version, byBlock);
    }
    for (let block = blocks.first; block < blocks.end; block += 1) byBlock.set(block, fetch);
    if (owner) this.own(fetch, owner);
    this.#queue.add(fetch, owner === undefined);
    return fetch;
  }

  /** Settles the fetch. Never rejects itself. */
  async #run(fetch: BlockFetch): Promise<void> {
    const { version, blocks, controller } = fetch;
    const range = bytesOfBlocks(blocks, version.size, this.#blockBytes);
    const isWhole = range.length === version.size;
    try {
      const part = isWhole ? { maxBytes: version.size } : { range };
      const request = { key: version.key, ifMatch: version.etag, ...part, memory: this.#pieceMemory };
      const { pieces, info } = await this.#store.get(request, controller.signal);
      const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
      if (length !== range.length) {
        throw new StoreError(
          'CorruptReply',
          `get ${version.key}: ${length} bytes instead of ${range.length} at ${range.offset}`,
        );
      }
      fetch.info = info;
      this.#forget(fetch);
      // The readers that wait look at them later. The cache may drop them before that.
      for (const piece of pieces) this.#memory.blocks.buffers.lend(piece, fetch.waiterCount);
      if (fetch.isToBeCached && !controller.signal.aborted) {
        for (const [position, piece] of pieces.entries()) {
          this.#cache.put(version, blocks.first + position, piece);
        }
      }
      fetch.resolve(pieces);
    } catch (error) {
      this.#forget(fetch);
      fetch.reject(error);
    }
  }

  #abortIfUnwanted(fetch: BlockFetch): void {
    if (fetch.waiterCount === 0 && fetch.owners.size === 0) this.#abort(fetch);
  }

  /** A running fetch keeps its place in the queue until the store has ended it. */
  #abort(fetch: BlockFetch): void {
    if (fetch.isSettled) return;
    this.#queue.remove(fetch);
    this.#forget(fetch);
    fetch.reject(new StoreError('Aborted', `get ${fetch.version.key}: aborted`));
    fetch.controller.abort();
  }

  #forget(fetch: BlockFetch): void {
    this.#disownAll(fetch);
    const { version, blocks } = fetch;
    const byBlock = this.#underWay.get(version);
    if (!byBlock) return;
    for (let block = blocks.first; block < blocks.end; block += 1) {
      if (byBlock.get(block) === fetch) byBlock.delete(block);
    }
    if (byBlock.size === 0) this.#underWay.delete(version, byBlock);
  }

  #disownAll(fetch: BlockFetch): void {
    for (const owner of fetch.owners) owner.fetches.delete(fetch);
    fetch.owners.clear();
  }
}

/** A copy in a buffer that holds nothing else, which Buffer.from does not promise. */
export function copyOf(bytes: Uint8Array): Uint8Array {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  copy.set(bytes);
  return copy;
}
