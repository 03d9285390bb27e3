/**
 * Remembers multipart uploads under way in small files of this user, so that the next run can go on with them. They hold the
 * upload's id and the identity of its content, nothing secret.
 */
import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { systemErrorCode } from '../errors.js';
import { parseJsonObject } from '../json-object.js';

interface JournalEntry {
  readonly uploadId: string;
  /** Identifies content and headers: only an upload of the same is continued. */
  readonly identity: string;
}

export class UploadJournal {
  readonly #directory: string;
  readonly #scope: string;

  /** `scope`: the server and the bucket. */
  constructor(directory: string, scope: string) {
    this.#directory = directory;
    this.#scope = scope;
  }

  async find(key: string): Promise<JournalEntry | undefined> {
    let text: string;
    try {
      text = await readFile(this.#fileOf(key), 'utf8');
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT') return undefined;
      throw error;
    }
    return parseEntry(text);
  }

  async write(key: string, entry: JournalEntry): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const file = this.#fileOf(key);
    await writeFile(`${file}.new`, JSON.stringify(entry), { mode: 0o600 });
    await rename(`${file}.new`, file);
  }

  async remove(key: string): Promise<void> {
    await rm(this.#fileOf(key), { force: true });
  }

  #fileOf(key: string): string {
    const name = createHash('sha256').update(`${this.#scope}\n${key}`).digest('hex');
    return path.join(this.#directory, `${name}.json`);
  }
}

/** Undefined for a damaged file: then the upload begins again. */
function parseEntry(text: string): JournalEntry | undefined {
  const fields: Partial<Record<keyof JournalEntry, unknown>> = parseJsonObject(text) ?? {};
  const { uploadId, identity } = fields;
  return typeof uploadId === 'string' && typeof identity === 'string' ? { uploadId, identity } : undefined;
}
