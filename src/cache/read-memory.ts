/**
 * What the block readers of one mount share, so that its limits hold for all of them together: the memory of blocks, the places
 * of fetches, and the claims of readers to read-ahead.
 */
import type { BlockFetch } from './block-fetch.js';
import { BlockMemory } from './block-memory.js';
import { FetchQueue } from './fetch-queue.js';
import { isSameVersion, type ObjectVersion } from '../object-version.js';
import type { ReadStream } from './read-stream.js';

export interface ReadMemoryOptions {
  /** How much memory blocks may take. Fetches under way come on top, each of at most 4 MiB. */
  readonly cacheBytes: number;
  /** Default 16. Fetches ahead may take half of them. */
  readonly maxConcurrentFetches?: number;
  /** Monotonic milliseconds. Default: `performance.now`. */
  readonly now?: () => number;
}

interface ReadStatistics {
  /** Blocks that a read found in the cache or already on their way. */
  readonly hits: number;
  /** Blocks that a read had to begin a fetch for. */
  readonly misses: number;
  readonly bytesCached: number;
  readonly fetchesInFlight: number;
}

const defaultMaxConcurrentFetches = 16;
/** A reader that has not read for this long has no claim to a share of the cache any more. */
const streamIdleMs = 5_000;

export class ReadMemory {
  readonly blocks: BlockMemory;
  readonly queue: FetchQueue<BlockFetch>;
  readonly now: () => number;
  /** The sequential readers and when each last read, the longest silent first. */
  readonly #sequentialStreams = new Map<ReadStream, number>();
  /** The readers for which all of an object is fetched, and when each last read. */
  readonly #rooms = new Map<ReadStream, { readonly version: ObjectVersion; lastReadMs: number }>();
  #hits = 0;
  #misses = 0;

  constructor({ cacheBytes, maxConcurrentFetches, now }: ReadMemoryOptions) {
    const maxRunning = maxConcurrentFetches ?? defaultMaxConcurrentFetches;
    this.blocks = new BlockMemory(cacheBytes);
    this.queue = new FetchQueue({ maxRunning, maxRunningAhead: Math.max(1, Math.floor(maxRunning / 2)) });
    this.now = now ?? (() => performance.now());
  }

  countLookups({ hits, misses }: { readonly hits: number; readonly misses: number }): void {
    this.#hits += hits;
    this.#misses += misses;
  }

  /** For all readers since the mount began. */
  statistics(): ReadStatistics {
    return {
      hits: this.#hits,
      misses: this.#misses,
      bytesCached: this.blocks.bytes,
      fetchesInFlight: this.queue.runningCount,
    };
  }

  /** This reader is sequential and reads now. */
  noteSequential(stream: ReadStream): void {
    this.#sequentialStreams.delete(stream); // it becomes the last one
    this.#sequentialStreams.set(stream, this.now());
  }

  /** Its claim ends. */
  noteNotSequential(stream: ReadStream): void {
    this.#sequentialStreams.delete(stream);
  }

  /**
   * How far ahead of this reader to fetch at most. Half of the memory is for read-ahead; all sequential readers share it.
   * `readers` is their number, with this one.
   */
  windowFor(stream: ReadStream): { readonly bytes: number; readonly readers: number } {
    const silentSince = this.now() - streamIdleMs;
    for (const [other, lastReadMs] of this.#sequentialStreams) {
      if (lastReadMs >= silentSince) break;
      this.#sequentialStreams.delete(other);
    }
    const readers = this.#sequentialStreams.size + (this.#sequentialStreams.has(stream) ? 0 : 1);
    return { bytes: Math.floor(this.blocks.maxBytes / 2 / readers), readers };
  }

  /**
   * Whether all of an object may be fetched for this reader. Three quarters of the memory are for such objects. The claim lasts
   * as long as the reader asks. Several readers of one version need its room once.
   */
  claimRoom(stream: ReadStream, version: ObjectVersion): boolean {
    const nowMs = this.now();
    let claimedBytes = version.size;
    const counted: ObjectVersion[] = [version];
    for (const [other, room] of this.#rooms) {
      if (room.lastReadMs < nowMs - streamIdleMs) this.#rooms.delete(other);
      else if (!counted.some((each) => isSameVersion(each, room.version))) {
        counted.push(room.version);
        claimedBytes += room.version.size;
      }
    }
    if (claimedBytes > this.blocks.maxBytes * 0.75) return false;
    this.#rooms.set(stream, { version, lastReadMs: nowMs });
    return true;
  }

  giveUpRoom(stream: ReadStream): void {
    this.#rooms.delete(stream);
  }
}
