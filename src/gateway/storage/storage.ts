/** Everything that the gateway stores, in one directory: the state at the start, and the buckets. */
import { randomBytes } from 'node:crypto';
import { readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Log } from '../../log.js';
import { Bucket } from './bucket.js';
import { DataFiles } from './data-files.js';
import { makeDirectoryDurably, syncDirectory } from './durable-files.js';
import { KeyedMutex } from '../../concurrency/mutex.js';

export class Storage {
  readonly data: DataFiles;
  readonly #bucketsDirectory: string;
  /** Buckets are moved here before they are deleted, so that a crash leaves no half of one. */
  readonly #removedDirectory: string;
  readonly #buckets = new Map<string, Bucket>();
  readonly #locks = new KeyedMutex();

  private constructor(directory: string) {
    this.data = new DataFiles(path.join(directory, 'data'));
    this.#bucketsDirectory = path.join(directory, 'buckets');
    this.#removedDirectory = path.join(directory, 'removed');
  }

  /** Reads every record, and deletes what a crash left unfinished. Only this gateway may use the directory. */
  static async open(directory: string, log: Log): Promise<Storage> {
    const storage = new Storage(directory);
    await makeDirectoryDurably(path.join(directory, 'data'));
    await makeDirectoryDurably(storage.#bucketsDirectory);
    await rm(storage.#removedDirectory, { recursive: true, force: true });
    await makeDirectoryDurably(storage.#removedDirectory);
    const named = new Set<string>();
    let damagedCount = 0;
    for (const name of await readdir(storage.#bucketsDirectory)) {
      const found = await Bucket.load(path.join(storage.#bucketsDirectory, name), storage.data);
      if (found === undefined) {
        await rm(path.join(storage.#bucketsDirectory, name), { recursive: true });
        continue;
      }
      storage.#buckets.set(name, found.bucket);
      for (const file of found.files) named.add(file);
      for (const file of found.damaged) log.error({ file }, 'this record of an object is damaged');
      damagedCount += found.damaged.length;
    }
    // A damaged record may name any of the files.
    if (damagedCount === 0) {
      const removed = await storage.data.removeAllBut(named);
      if (removed > 0) log.info({ files: removed }, 'deleted what was not stored to the end');
    }
    return storage;
  }

  /** In the order of their names. */
  get buckets(): readonly Bucket[] {
    return [...this.#buckets.values()].sort((a, b) => (a.info.name < b.info.name ? -1 : 1));
  }

  bucket(name: string): Bucket | undefined {
    return this.#buckets.get(name);
  }

  /** The name must be a valid one. False if a bucket has it. */
  async createBucket(name: string, location: string, createdMs: number): Promise<boolean> {
    return this.#locks.run(name, async () => {
      if (this.#buckets.has(name)) return false;
      const directory = path.join(this.#bucketsDirectory, name);
      this.#buckets.set(name, await Bucket.create(directory, { name, location, createdMs }, this.data));
      return true;
    });
  }

  /** False if it is not empty, or deleted already. Its unfinished uploads go with it. */
  async deleteBucket(bucket: Bucket): Promise<boolean> {
    const { name } = bucket.info;
    return this.#locks.run(name, async () => {
      if (this.#buckets.get(name) !== bucket || !bucket.isEmpty) return false;
      bucket.markDeleted();
      this.#buckets.delete(name);
      const removed = path.join(this.#removedDirectory, randomBytes(16).toString('hex'));
      await rename(path.join(this.#bucketsDirectory, name), removed);
      await syncDirectory(this.#bucketsDirectory);
      await this.data.remove(bucket.uploads.flatMap(({ parts }) => parts.map(({ segment }) => segment)));
      await rm(removed, { recursive: true });
      return true;
    });
  }
}
