/**
 * The records of one bucket on disk: one file for each object, named by a hash of its key, so that any key has a file name
 * of the same short length and no key can lead out of the directory.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { makeDirectoryDurably, removeDurably, temporarySuffix, writeDurably } from './durable-files.js';
import {
  parseRecord,
  serializeRecord,
  serializeTags,
  type ObjectRecord,
  type StoredRecord,
} from './object-record.js';
import { DamagedFileError } from './sealing.js';

export class RecordFiles {
  readonly #directory: string;
  readonly #bucket: string;

  constructor(directory: string, bucket: string) {
    this.#directory = directory;
    this.#bucket = bucket;
  }

  /** Undefined if there is none. Rejects with a `DamagedFileError` if it is not readable or another object's. */
  async read(key: string): Promise<StoredRecord | undefined> {
    let content: string;
    try {
      content = await readFile(this.#pathOf(key), 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
    const stored = parseRecord(content);
    if (stored.record.key !== key || stored.record.bucket !== this.#bucket) {
      throw new DamagedFileError("a record is another object's");
    }
    return stored;
  }

  async write(
    record: ObjectRecord,
    recordKey: Uint8Array | undefined,
    tags: string | undefined,
  ): Promise<void> {
    const file = this.#pathOf(record.key);
    await makeDirectoryDurably(path.dirname(file));
    await writeDurably(file, serializeRecord(record, recordKey, tags));
  }

  async writeTags(stored: StoredRecord, tags: string | undefined): Promise<void> {
    await writeDurably(this.#pathOf(stored.record.key), serializeTags(stored, tags));
  }

  async remove(key: string): Promise<void> {
    await removeDurably(this.#pathOf(key));
  }

  /**
   * Every record, and the files without a valid one. Deletes what a crash left. Reads synchronously: a hundred thousand small
   * files take seconds that way, and several times as long through the thread pool. Only for the start, when no request waits.
   */
  async readAll(): Promise<{
    readonly records: readonly ObjectRecord[];
    readonly damaged: readonly string[];
  }> {
    const records: ObjectRecord[] = [];
    const damaged: string[] = [];
    for (const folder of readdirSync(this.#directory)) {
      for (const name of readdirSync(path.join(this.#directory, folder))) {
        const file = path.join(this.#directory, folder, name);
        if (name.endsWith(temporarySuffix)) {
          await rm(file, { force: true });
          continue;
        }
        try {
          const { record } = parseRecord(readFileSync(file, 'utf8'));
          if (this.#pathOf(record.key) !== file) throw new DamagedFileError("a record is another object's");
          records.push(record);
        } catch (error) {
          if (!(error instanceof DamagedFileError)) throw error;
          damaged.push(file);
        }
      }
    }
    return { records, damaged };
  }

  #pathOf(key: string): string {
    const name = createHash('sha256').update(key).digest('hex');
    return path.join(this.#directory, name.slice(0, 2), name);
  }
}
