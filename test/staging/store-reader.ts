/** The simplest thing that reads versions: a ranged GET each time, nothing kept but what was seeded, to be looked at. */
import type { VersionRange } from '../../src/cache/block-reader.js';
import { ReadStream } from '../../src/cache/read-stream.js';
import type { VersionReader } from '../../src/staging/version-reader.js';
import { joinPieces, type ObjectStore } from '../../src/object-store.js';
import type { ObjectVersion } from '../../src/object-version.js';

export class StoreReader implements VersionReader {
  readonly seeded = new Map<string, Buffer>();
  readonly #store: ObjectStore;

  constructor(store: ObjectStore) {
    this.#store = store;
  }

  async read({ version, offset, length }: VersionRange, signal: AbortSignal): Promise<readonly Uint8Array[]> {
    const request = { range: { offset, length }, ifMatch: version.etag };
    const bytes = joinPieces((await this.#store.get({ key: version.key, ...request }, signal)).pieces);
    const half = bytes.length >>> 1;
    return [bytes.subarray(0, half), bytes.subarray(half)];
  }

  seed(version: ObjectVersion, offset: number, bytes: Uint8Array): void {
    this.seeded.set(`${version.key} ${version.etag} ${offset}`, Buffer.from(bytes));
  }

  createStream(): ReadStream {
    return new ReadStream();
  }

  closeStream(): void {
    // Nothing is fetched ahead here.
  }
}
