/** One bucket: its objects and uploads. Every change is stored as a whole or not at all. */
import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import type { CustomerKey } from '../../keys/customer-key.js';
import type { DataFiles } from './data-files.js';
import { makeDirectoryDurably, NotFlushedError, removeDurably, writeDurably } from './durable-files.js';
import { KeyIndex } from './key-index.js';
import { KeyedMutex } from '../../concurrency/mutex.js';
import { checkAuthentic, type ObjectRecord, type StoredRecord } from './object-record.js';
import { RecordFiles } from './record-files.js';
import { Upload, type StoredPart, type UploadInfo } from './upload.js';

interface BucketInfo {
  readonly name: string;
  readonly createdMs: number;
  /** From LocationConstraint; '' without one. */
  readonly location: string;
}

/** An object whose bytes stay until `release`. */
export interface HeldObject {
  readonly record: ObjectRecord;
  readonly tags: string | undefined;
  /** Throws a `DamagedFileError` if the record was changed. `customerKey` must be the object's. */
  check(customerKey: CustomerKey): void;
  release(): Promise<void>;
}

/** Stored with a record. */
interface WriteFields {
  /** Of the record's protection, if it has one. */
  readonly recordKey?: Uint8Array | undefined;
  /** In the form of `x-amz-tagging`. */
  readonly tags?: string | undefined;
}

/** Throws if the object as it is now forbids the change. Undefined: there is no object. */
type Precondition = (current: ObjectRecord | undefined) => void;

interface FoundAtStart {
  readonly bucket: Bucket;
  /** The data files of records and parts. */
  readonly files: readonly string[];
  readonly damaged: readonly string[];
}

const infoFile = 'bucket.json';
const policyFile = 'policy.json';
const objectsFolder = 'objects';
const uploadsFolder = 'uploads';

export class Bucket {
  readonly info: BucketInfo;
  readonly #directory: string;
  readonly #data: DataFiles;
  readonly #records: RecordFiles;
  readonly #uploads = new Map<string, Upload>();
  readonly #locks = new KeyedMutex();
  #index = new KeyIndex([]);
  #policy: string | undefined;
  /** Running changes. A bucket with running changes is not empty. */
  #changing = 0;
  #isDeleted = false;

  private constructor(directory: string, info: BucketInfo, data: DataFiles) {
    this.info = info;
    this.#directory = directory;
    this.#data = data;
    this.#records = new RecordFiles(path.join(directory, objectsFolder), info.name);
  }

  /** Writes the bucket's information last: a directory without it is no bucket. */
  static async create(directory: string, info: BucketInfo, data: DataFiles): Promise<Bucket> {
    for (const folder of ['', objectsFolder, uploadsFolder])
      await makeDirectoryDurably(path.join(directory, folder));
    await writeDurably(path.join(directory, infoFile), JSON.stringify(info));
    return new Bucket(directory, info, data);
  }

  /** Undefined if the directory is no bucket. */
  static async load(directory: string, data: DataFiles): Promise<FoundAtStart | undefined> {
    const info = await readIfThere(path.join(directory, infoFile));
    if (info === undefined) return undefined;
    const bucket = new Bucket(directory, JSON.parse(info) as BucketInfo, data);
    bucket.#policy = await readIfThere(path.join(directory, policyFile));
    const { records, damaged } = await bucket.#records.readAll();
    bucket.#index = new KeyIndex(records.map(listedOf));
    const files = records.flatMap(({ segments }) => segments.map(({ file }) => file));
    const inObjects = new Set(files);
    for (const id of await readdir(path.join(directory, uploadsFolder))) {
      const upload = await Upload.load(path.join(directory, uploadsFolder, id));
      if (upload === undefined) continue;
      const partFiles = upload.parts.map(({ segment }) => segment.file);
      // Completed just before a crash: its parts are the object's now.
      if (partFiles.some((file) => inObjects.has(file))) await upload.remove();
      else {
        bucket.#uploads.set(id, upload);
        files.push(...partFiles);
      }
    }
    return { bucket, files, damaged };
  }

  get index(): KeyIndex {
    return this.#index;
  }

  get isEmpty(): boolean {
    return this.#index.size === 0 && this.#changing === 0;
  }

  /** The JSON text as it was given. */
  get policy(): string | undefined {
    return this.#policy;
  }

  async setPolicy(policy: string | undefined): Promise<void> {
    const file = path.join(this.#directory, policyFile);
    await (policy === undefined ? removeDurably(file) : writeDurably(file, policy));
    this.#policy = policy;
  }

  /** Makes further changes reject with `BucketDeletedError`. The bucket must be empty. */
  markDeleted(): void {
    this.#isDeleted = true;
  }

  /** Undefined if there is no such object. */
  async read(key: string): Promise<ObjectRecord | undefined> {
    return (await this.#records.read(key))?.record;
  }

  /** As `read`, and keeps the bytes until the caller releases them. */
  async hold(key: string): Promise<HeldObject | undefined> {
    return this.#locks.run(`object ${key}`, async () => {
      const stored = await this.#records.read(key);
      return stored && this.#held(stored);
    });
  }

  /** Makes or replaces an object from stored segments. If it rejects, it removes them. */
  async put(
    record: ObjectRecord,
    { recordKey, tags }: WriteFields,
    precondition: Precondition,
  ): Promise<void> {
    let mayBeStored = false as boolean;
    try {
      await this.#replace(record, { recordKey, tags }, precondition, () => {
        mayBeStored = true;
      });
    } catch (error) {
      if (!mayBeStored) await this.#data.remove(record.segments);
      throw error;
    }
  }

  /** In the form of `x-amz-tagging`; undefined takes them away. False if there is no such object. */
  async setTags(key: string, tags: string | undefined): Promise<boolean> {
    return this.#change(`object ${key}`, async () => {
      const stored = await this.#records.read(key);
      if (stored === undefined) return false;
      await this.#records.writeTags(stored, tags);
      return true;
    });
  }

  /** No error if there is none. */
  async delete(key: string, precondition: Precondition): Promise<void> {
    await this.#change(`object ${key}`, async () => {
      const current = await this.#records.read(key);
      precondition(current?.record);
      if (current === undefined) return;
      await this.#records.remove(key);
      this.#index.delete(key);
      await this.#data.remove(current.record.segments);
    });
  }

  get uploads(): readonly Upload[] {
    return [...this.#uploads.values()];
  }

  upload(key: string, id: string): Upload | undefined {
    const upload = this.#uploads.get(id);
    return upload?.info.key === key && !upload.isEnded ? upload : undefined;
  }

  async createUpload(fields: Omit<UploadInfo, 'id' | 'bucket'>): Promise<Upload> {
    const id = randomBytes(20).toString('hex');
    const info = { ...fields, id, bucket: this.info.name };
    const upload = await this.#change(`upload ${id}`, () =>
      Upload.create(path.join(this.#directory, uploadsFolder, id), info),
    );
    this.#uploads.set(id, upload);
    return upload;
  }

  /** False if the upload has ended meanwhile. The part's bytes are removed then, and also if this rejects. */
  async addPart(upload: Upload, part: StoredPart): Promise<boolean> {
    try {
      return await this.#change(`upload ${upload.info.id}`, async () => {
        if (upload.isEnded) {
          await this.#data.remove([part.segment]);
          return false;
        }
        const replaced = await upload.setPart(part);
        if (replaced !== undefined) await this.#data.remove([replaced.segment]);
        return true;
      });
    } catch (error) {
      // The files that a part names must stay.
      if (!(error instanceof NotFlushedError)) await this.#data.remove([part.segment]);
      throw error;
    }
  }

  /**
   * Makes the object that `choose` assembles from the upload's parts, and removes the other parts. False if the upload has
   * ended meanwhile. If `choose` or `precondition` throws, the upload stays unchanged.
   */
  async completeUpload(
    upload: Upload,
    choose: (parts: readonly StoredPart[]) => ObjectRecord,
    precondition: Precondition,
  ): Promise<boolean> {
    const { id, recordKey, tags } = upload.info;
    return this.#change(`upload ${id}`, async () => {
      if (upload.isEnded) return false;
      const record = choose(upload.parts);
      const recordKeyBytes = recordKey === undefined ? undefined : Buffer.from(recordKey, 'base64');
      await this.#replace(record, { recordKey: recordKeyBytes, tags }, precondition, () => {
        upload.isEnded = true; // the parts are the object's, whatever fails from here on
      });
      await this.#endUpload(upload, new Set(record.segments.map(({ file }) => file)));
      return true;
    });
  }

  /** False if the upload has ended meanwhile. */
  async abortUpload(upload: Upload): Promise<boolean> {
    return this.#change(`upload ${upload.info.id}`, async () => {
      if (upload.isEnded) return false;
      await this.#endUpload(upload, new Set());
      return true;
    });
  }

  async #endUpload(upload: Upload, keptFiles: ReadonlySet<string>): Promise<void> {
    upload.isEnded = true;
    this.#uploads.delete(upload.info.id);
    await upload.remove();
    await this.#data.remove(
      upload.parts.map(({ segment }) => segment).filter(({ file }) => !keptFiles.has(file)),
    );
  }

  /** Calls `onStored` when the record is stored or may be stored. Its segments must stay then. */
  async #replace(
    record: ObjectRecord,
    { recordKey, tags }: WriteFields,
    precondition: Precondition,
    onStored: () => void,
  ): Promise<void> {
    await this.#change(`object ${record.key}`, async () => {
      const before = await this.#records.read(record.key);
      precondition(before?.record);
      try {
        await this.#records.write(record, recordKey, tags);
      } catch (error) {
        if (error instanceof NotFlushedError) onStored();
        throw error;
      }
      onStored();
      this.#index.set(listedOf(record));
      if (before !== undefined) await this.#data.remove(before.record.segments);
    });
  }

  async #change<T>(lock: string, action: () => Promise<T>): Promise<T> {
    if (this.#isDeleted) throw new BucketDeletedError(this.info.name);
    this.#changing += 1;
    try {
      return await this.#locks.run(lock, action);
    } finally {
      this.#changing -= 1;
    }
  }

  #held(stored: StoredRecord): HeldObject {
    const { record } = stored;
    return {
      record,
      tags: stored.tags,
      check: (customerKey) => checkAuthentic(stored, customerKey),
      release: this.#data.hold(record.segments),
    };
  }
}

/** The bucket was deleted while the request was under way. */
export class BucketDeletedError extends Error {
  override readonly name = 'BucketDeletedError';
}

function listedOf({ key, size, etag, modifiedMs }: ObjectRecord) {
  return { key, size, etag, modifiedMs };
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
