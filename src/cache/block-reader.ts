/**
 * Reads ranges of object versions from the block cache, or from the store into the cache, ahead of sequential readers. It puts
 * the pieces together: `read-ahead.ts` decides, `block-fetcher.ts` fetches and waits, `block-cache.ts` keeps.
 */
import { abortionOf, StoreError } from '../errors.js';
import type { Log } from '../log.js';
import type { ObjectInfo, ObjectStore } from '../object-store.js';
import { isSameVersion, type ObjectVersion } from '../object-version.js';
import { BlockCache } from './block-cache.js';
import type { BlockFetch, FetchOwner } from './block-fetch.js';
import { BlockFetcher, copyOf } from './block-fetcher.js';
import { type BlockRange, blocksCovering, blocksWithin, bytesOfBlocks, runsOf } from './block-range.js';
import {
  maxFetchBytes,
  maxStartWindowBytes,
  planReadAhead,
  type ReadAheadRequest,
  startWindowBytes,
} from './read-ahead.js';
import type { ReadMemory } from './read-memory.js';
import { ReadStream } from './read-stream.js';
import { RestFetch } from './rest-fetch.js';

export type { ReadStream } from './read-stream.js';

export interface BlockReaderOptions {
  readonly store: ObjectStore;
  /** May be shared with readers of other stores. */
  readonly memory: ReadMemory;
  /** Default 128 KiB, the kernel's buffered requests. */
  readonly blockBytes?: number;
  /** How far ahead of one sequential reader to fetch; less if the cache is small or readers are many. Default 32 MiB. */
  readonly maxReadAheadBytes?: number;
  readonly log: Log;
}

const defaultBlockBytes = 128 * 1024;
const defaultMaxReadAheadBytes = 32 * 1024 * 1024;

/** How many fetches are on their way at once ahead of the only reader. */
const fetchesOfOnlyReader = 4;
/**
 * The same for each of several readers. Together they have enough on their way, and fewer, larger requests cost the server and
 * this process less.
 */
const fetchesOfEachReader = 2;

/** An object of up to this size comes in one request when its start is read. 1 MiB takes 10 ms on Ceph, a request 2.5 ms. */
export const wholeObjectBytes = 1024 * 1024;

/** `length` bytes of a version from `offset` on, cut at its size. */
export interface VersionRange {
  readonly version: ObjectVersion;
  readonly offset: number;
  readonly length: number;
  /** The reader that goes through the version. Without it nothing is fetched ahead. */
  readonly stream?: ReadStream | undefined;
}

export class BlockReader {
  readonly #blockBytes: number;
  readonly #maxReadAheadBytes: number;
  readonly #log: Log;
  readonly #memory: ReadMemory;
  readonly #cache: BlockCache;
  readonly #fetcher: BlockFetcher;
  /** What a reader gets ahead at its first read. It is more after another reader has read its file whole. */
  #startWindowBytes = startWindowBytes;
  /** Owns what `fetchWhole` fetches. */
  readonly #openSoon: FetchOwner = { fetches: new Set() };
  #isStopped = false;

  constructor(options: BlockReaderOptions) {
    const { store, memory, log } = options;
    this.#blockBytes = options.blockBytes ?? defaultBlockBytes;
    this.#maxReadAheadBytes = options.maxReadAheadBytes ?? defaultMaxReadAheadBytes;
    this.#log = log;
    this.#memory = memory;
    this.#cache = new BlockCache(memory.blocks);
    this.#fetcher = new BlockFetcher({ store, cache: this.#cache, memory, blockBytes: this.#blockBytes });
  }

  /** The state of one sequential or random reader, to be closed with `closeStream`. */
  createStream(): ReadStream {
    return new ReadStream();
  }

  /** Aborts what is fetched ahead for this reader only. */
  closeStream(stream: ReadStream): void {
    stream.isClosed = true;
    this.#learnFrom(stream);
    this.#endStream(stream);
  }

  /**
   * The bytes of the range. The pieces are views into the cache: do not write to them, and call `done` when they are not looked
   * at any more, if that is known. Rejects with a StoreError: `PreconditionFailed` if the object is no longer this version,
   * `NotFound` if it is gone, `Aborted`, and others.
   */
  async read(
    { version, offset, length, stream }: VersionRange,
    signal: AbortSignal,
  ): Promise<readonly Uint8Array[]> {
    if (signal.aborted) throw abortionOf(signal, `read ${version.key}`);
    if (this.#isStopped) throw new StoreError('Aborted', `read ${version.key}: aborted`);
    const end = Math.min(offset + length, version.size);
    if (end <= offset) return [];
    const range = { offset, length: end - offset };
    const wanted = blocksCovering(range, this.#blockBytes);
    const { cached, fetches, missCount } = this.#lookUp(version, wanted);
    this.#memory.countLookups({ hits: wanted.end - wanted.first - missCount, misses: missCount });
    // Waiting begins before anything is fetched ahead: what a reader waits for goes first, and is not aborted with the rest.
    const arrival = fetches.size === 0 ? undefined : this.#fetcher.wait(version, fetches, signal);
    const isMiss = missCount > 0;
    const isJump = stream !== undefined && this.#readAhead(stream, version, { ...range, isMiss });
    const beganMs = isJump && isMiss ? this.#memory.now() : 0;
    await arrival;
    if (isJump && isMiss) this.#restOf(stream, version)?.noteMiss(wanted.end, this.#memory.now() - beganMs);
    else if (isJump) stream.rest?.noteHit();
    const arrived = new Map(cached);
    for (const fetch of fetches) {
      for (const [position, bytes] of (await fetch.arrival).entries()) {
        const block = fetch.blocks.first + position;
        // They were lent to this read, as to every read that waited.
        if (block >= wanted.first && block < wanted.end) arrived.set(block, bytes);
        else this.#memory.blocks.buffers.done(bytes);
      }
    }
    return cutPieces(arrived, wanted, range, this.#blockBytes);
  }

  /**
   * The caller does not look at these pieces of `read` any more. Pieces from elsewhere among them are ignored. To be called at
   * most once for a piece.
   */
  done(pieces: readonly Uint8Array[]): void {
    for (const piece of pieces) this.#memory.blocks.buffers.done(piece);
  }

  /**
   * Puts bytes that are known to be the content of `version` at `offset` into the cache, for example after an upload. Copies the
   * whole blocks (the object's last may be short) and ignores the rest.
   */
  seed(version: ObjectVersion, offset: number, bytes: Uint8Array): void {
    const whole = blocksWithin({ offset, length: bytes.length }, version.size, this.#blockBytes);
    for (let block = whole.first; block < whole.end; block += 1) {
      const range = bytesOfBlocks({ first: block, end: block + 1 }, version.size, this.#blockBytes);
      const start = range.offset - offset;
      this.#cache.put(version, block, copyOf(bytes.subarray(start, start + range.length)));
    }
  }

  /** Whether all of this version is in the cache or on its way. */
  holds(version: ObjectVersion): boolean {
    const [missing] = this.#missingRuns(version, this.#allBlocks(version));
    return missing === undefined;
  }

  /**
   * Fetches all of an object in one request before it is opened, and resolves with what the reply says about it. Undefined if a
   * part of it is in the cache or on its way, or if it would take more than an eighth of the cache. Rejects as `read` does.
   */
  fetchWhole(version: ObjectVersion): Promise<ObjectInfo> | undefined {
    const { maxBytes } = this.#memory.blocks;
    if (this.#isStopped || version.size > Math.min(maxFetchBytes, maxBytes / 8)) return undefined;
    const all = this.#allBlocks(version);
    const [missing] = this.#missingRuns(version, all);
    if (missing?.first !== all.first || missing.end !== all.end) return undefined;
    const fetch = this.#fetcher.fetchAhead(version, all, this.#openSoon);
    return fetch.arrival.then(() => {
      if (!fetch.info) throw new Error(`${version.key} has arrived without a reply`);
      return fetch.info;
    });
  }

  /** `to` has the bytes of `from` (a copy on the server, a rename, a chmod). Moves the cached blocks over. */
  relabel(from: ObjectVersion, to: ObjectVersion): void {
    this.#cache.relabel(from, to);
  }

  /** Drops all blocks of all versions of the key, and aborts what is fetched ahead of it. */
  drop(key: string): void {
    this.#fetcher.drop(key);
    this.#cache.drop(key);
  }

  /** Aborts everything. Reads under way and later ones reject with `Aborted`. */
  stop(): void {
    this.#isStopped = true;
    this.#fetcher.stop();
    this.#cache.clear();
  }

  /** For tests: throws if the cache or the fetches contradict themselves. */
  checkInvariants(): void {
    this.#cache.checkInvariants();
    this.#fetcher.checkInvariants();
  }

  /** Finds each wanted block in the cache or on its way, and begins fetches for those that are neither. */
  #lookUp(version: ObjectVersion, wanted: BlockRange) {
    const cached: [number, Uint8Array][] = [];
    const fetches = new Set<BlockFetch>();
    const missing: number[] = [];
    for (let block = wanted.first; block < wanted.end; block += 1) {
      const bytes = this.#cache.get(version, block);
      const fetch = bytes ? undefined : this.#fetcher.find(version, block);
      if (bytes) {
        this.#memory.blocks.buffers.lend(bytes);
        cached.push([block, bytes]);
      } else if (fetch) fetches.add(fetch);
      else missing.push(block);
    }
    if (missing.length > 0) {
      const isWholeWanted = missing[0] === 0 && version.size <= wholeObjectBytes;
      const range = isWholeWanted ? this.#allBlocks(version) : wanted;
      for (const run of this.#missingRuns(version, range)) {
        if (run.first < wanted.end) fetches.add(this.#fetcher.fetchNow(version, run));
      }
    }
    return { cached, fetches, missCount: missing.length };
  }

  /** Programs that read one large file whole mostly read the next one whole too. */
  #learnFrom({ version, state }: ReadStream): void {
    if (!version || version.size <= startWindowBytes || state?.runStart !== 0) return;
    const isWhole = state.runEnd === version.size;
    this.#startWindowBytes = isWhole ? Math.min(version.size, maxStartWindowBytes) : startWindowBytes;
  }

  /** Whether the reader has jumped to a place where it will probably not go on. */
  #readAhead(stream: ReadStream, version: ObjectVersion, request: ReadAheadRequest): boolean {
    if (stream.isClosed) return false;
    if (!stream.version || !isSameVersion(stream.version, version)) {
      this.#endStream(stream);
      stream.version = version;
    }
    if (stream.isHalted) return false;
    const window = this.#memory.windowFor(stream);
    const plan = planReadAhead(stream.state, request, {
      size: version.size,
      blockBytes: this.#blockBytes,
      startWindowBytes: this.#startWindowBytes,
      maxWindowBytes: Math.min(this.#maxReadAheadBytes, window.bytes),
      fetchesPerWindow: window.readers === 1 ? fetchesOfOnlyReader : fetchesOfEachReader,
    });
    stream.state = plan.state;
    if (plan.isNewRun) {
      this.#fetcher.disown(stream, 'waiting');
      this.#memory.noteNotSequential(stream);
    }
    if (plan.windowBytes > 0) this.#memory.noteSequential(stream);
    for (const range of plan.fetches) {
      const blocks = blocksCovering(range, this.#blockBytes);
      for (let block = blocks.first; block < blocks.end; block += 1) {
        const fetch = this.#fetcher.find(version, block);
        if (fetch) this.#fetcher.own(fetch, stream);
      }
      for (const run of this.#missingRuns(version, blocks)) this.#fetchAhead(stream, version, run);
    }
    return plan.isNewRun && plan.windowBytes === 0;
  }

  #fetchAhead(stream: ReadStream, version: ObjectVersion, blocks: BlockRange): BlockFetch {
    const fetch = this.#fetcher.fetchAhead(version, blocks, stream);
    fetch.arrival.catch((error: unknown) => this.#onFetchAheadFailed(stream, fetch, error));
    return fetch;
  }

  /** Undefined if the reader has gone on to another version, or has ended, during the wait. */
  #restOf(stream: ReadStream, version: ObjectVersion): RestFetch | undefined {
    if (!stream.version || !isSameVersion(stream.version, version)) return undefined;
    stream.rest ??= new RestFetch({
      minFetchBytes: this.#blockBytes,
      maxFetchBytes,
      blockBytes: this.#blockBytes,
      version,
      isMissing: (block) => this.#isMissing(version, block),
      hasRoom: () => !stream.isHalted && this.#memory.claimRoom(stream, version),
      fetchAhead: (blocks) => this.#fetchAhead(stream, version, blocks),
      now: this.#memory.now,
    });
    return stream.rest;
  }

  /** The read that comes to these blocks fetches them again, and reports the error if it is still there. */
  #onFetchAheadFailed(stream: ReadStream, { version }: BlockFetch, error: unknown): void {
    if (error instanceof StoreError && error.code === 'Aborted') return;
    this.#log.debug({ key: version.key, err: error }, 'fetching ahead failed');
    const isGone =
      error instanceof StoreError && (error.code === 'PreconditionFailed' || error.code === 'NotFound');
    if (!isGone || !stream.version || !isSameVersion(stream.version, version)) return;
    stream.isHalted = true;
    this.#fetcher.disown(stream, 'all');
  }

  #endStream(stream: ReadStream): void {
    this.#fetcher.disown(stream, 'all');
    this.#memory.noteNotSequential(stream);
    this.#memory.giveUpRoom(stream);
    stream.rest?.stop();
    stream.rest = undefined;
    stream.version = undefined;
    stream.state = undefined;
    stream.isHalted = false;
  }

  #missingRuns(version: ObjectVersion, range: BlockRange): Iterable<BlockRange> {
    const maxCount = Math.max(1, Math.floor(maxFetchBytes / this.#blockBytes));
    return runsOf(range, (block) => this.#isMissing(version, block), maxCount);
  }

  #isMissing(version: ObjectVersion, block: number): boolean {
    return !this.#cache.has(version, block) && this.#fetcher.find(version, block) === undefined;
  }

  #allBlocks(version: ObjectVersion): BlockRange {
    return blocksCovering({ offset: 0, length: version.size }, this.#blockBytes);
  }
}

/** The bytes of `range`, which lies within the `wanted` blocks. */
function cutPieces(
  blocks: ReadonlyMap<number, Uint8Array>,
  wanted: BlockRange,
  range: { readonly offset: number; readonly length: number },
  blockBytes: number,
): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let block = wanted.first; block < wanted.end; block += 1) {
    const bytes = blocks.get(block);
    if (!bytes) throw new RangeError(`block ${block} did not arrive`);
    const start = Math.max(0, range.offset - block * blockBytes);
    const end = Math.min(bytes.length, range.offset + range.length - block * blockBytes);
    pieces.push(bytes.subarray(start, end));
  }
  return pieces;
}
