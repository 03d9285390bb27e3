/** One GET of adjacent blocks of an object version: who wants it, and its result. */
import { makeDeferred } from '../concurrency/deferred.js';
import type { ObjectInfo } from '../object-store.js';
import type { ObjectVersion } from '../object-version.js';
import type { BlockRange } from './block-range.js';
import type { QueuedFetch } from './fetch-queue.js';

/** A reader, or another part of the cache, that wants blocks fetched ahead. */
export interface FetchOwner {
  /** Exactly the fetches under way that have this owner. */
  readonly fetches: Set<BlockFetch>;
}

export class BlockFetch implements QueuedFetch {
  readonly version: ObjectVersion;
  readonly blocks: BlockRange;
  /** Ends the GET. */
  readonly controller = new AbortController();
  /** The blocks, in their order. Rejects with the store's error, or `Aborted`. Never an unhandled rejection. */
  readonly #arriving = makeDeferred<readonly Uint8Array[]>();
  readonly arrival = this.#arriving.promise;
  /** What the reply said about the object, once it has arrived. */
  info: ObjectInfo | undefined;
  /** How many reads wait for it. */
  waiterCount = 0;
  readonly owners = new Set<FetchOwner>();
  /** False if its key was dropped after the fetch began. */
  isToBeCached = true;
  #isSettled = false;
  readonly #run: (fetch: BlockFetch) => Promise<void>;

  constructor(version: ObjectVersion, blocks: BlockRange, run: (fetch: BlockFetch) => Promise<void>) {
    this.version = version;
    this.blocks = blocks;
    this.#run = run;
    this.arrival.catch(() => undefined); // readers that wait get the error; there may be none
  }

  get isSettled(): boolean {
    return this.#isSettled;
  }

  run(): Promise<void> {
    return this.#run(this);
  }

  /** The first of `resolve` and `reject` counts. */
  resolve(blocks: readonly Uint8Array[]): void {
    this.#isSettled = true;
    this.#arriving.resolve(blocks);
  }

  reject(error: unknown): void {
    this.#isSettled = true;
    this.#arriving.reject(error);
  }
}
