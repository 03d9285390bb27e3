/** One multipart upload: what its object will be, and its parts, in memory and on disk. */
import { readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import type { CustomerKey } from '../../keys/customer-key.js';
import type { Segment } from './data-files.js';
import { makeDirectoryDurably, syncDirectory, temporarySuffix, writeDurably } from './durable-files.js';
import { isKeyOf, recordKeyOf, type Protection } from './protection.js';

export interface UploadInfo {
  readonly id: string;
  readonly bucket: string;
  readonly key: string;
  readonly startedMs: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly metadata: Readonly<Record<string, string>>;
  /** In the form of `x-amz-tagging`. */
  readonly tags?: string;
  readonly protection?: Protection;
  /**
   * Base64. Authenticates the record, since a completion comes without the customer key. It decrypts nothing, and is deleted
   * with the upload.
   */
  readonly recordKey?: string;
}

export interface StoredPart {
  readonly number: number;
  readonly etag: string;
  readonly modifiedMs: number;
  readonly segment: Segment;
}

const infoFile = 'upload.json';

export class Upload {
  readonly info: UploadInfo;
  readonly #directory: string;
  readonly #parts: Map<number, StoredPart>;
  /** Completed or aborted: no part is accepted any more. */
  isEnded = false;

  private constructor(directory: string, info: UploadInfo, parts: readonly StoredPart[]) {
    this.#directory = directory;
    this.info = info;
    this.#parts = new Map(parts.map((part) => [part.number, part]));
  }

  static async create(directory: string, info: UploadInfo): Promise<Upload> {
    await makeDirectoryDurably(directory);
    await writeDurably(path.join(directory, infoFile), JSON.stringify(info));
    return new Upload(directory, info, []);
  }

  /** Undefined if a crash interrupted its making. The remains are deleted then. */
  static async load(directory: string): Promise<Upload | undefined> {
    const names = await readdir(directory);
    if (!names.includes(infoFile)) {
      await rm(directory, { recursive: true });
      return undefined;
    }
    const parts: StoredPart[] = [];
    for (const name of names) {
      const file = path.join(directory, name);
      if (name.endsWith(temporarySuffix)) await rm(file);
      else if (name !== infoFile) parts.push(JSON.parse(await readFile(file, 'utf8')) as StoredPart);
    }
    return new Upload(
      directory,
      JSON.parse(await readFile(path.join(directory, infoFile), 'utf8')) as UploadInfo,
      parts,
    );
  }

  /** In the order of their numbers. */
  get parts(): readonly StoredPart[] {
    return [...this.#parts.values()].sort((a, b) => a.number - b.number);
  }

  part(number: number): StoredPart | undefined {
    return this.#parts.get(number);
  }

  /** Whether parts may be encrypted under this key. */
  isUnder(customerKey: CustomerKey): boolean {
    return this.info.protection !== undefined && isKeyOf(this.info.protection, customerKey);
  }

  /** Returns the part that it replaces. */
  async setPart(part: StoredPart): Promise<StoredPart | undefined> {
    await writeDurably(path.join(this.#directory, `part-${part.number}.json`), JSON.stringify(part));
    const replaced = this.#parts.get(part.number);
    this.#parts.set(part.number, part);
    return replaced;
  }

  /** Deletes only the upload's own files. The caller deletes the data files of the parts. */
  async remove(): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true });
    await syncDirectory(path.dirname(this.#directory));
  }
}

/** The fields of an upload's info that hold its encryption. */
export function uploadProtection(
  protection: Protection,
  customerKey: CustomerKey,
): Pick<UploadInfo, 'protection' | 'recordKey'> {
  return { protection, recordKey: recordKeyOf(protection, customerKey).toString('base64') };
}
