/**
 * The bytes of objects, encrypted in chunks or plain, in files that are written once and never changed. Records say which
 * object a file belongs to. A file without a record is deleted at the next start.
 */
import { randomBytes } from 'node:crypto';
import { open, readdir, rm, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import type { CustomerKey } from '../../keys/customer-key.js';
import { makeDirectoryDurably, syncDirectory } from './durable-files.js';
import {
  chunkBytes,
  chunkCountOf,
  DamagedFileError,
  deriveKey,
  openChunk,
  saltBytes,
  sealChunk,
  sealedSizeOf,
  tagBytes,
} from './sealing.js';

/** One file and what is needed to read it. */
export interface Segment {
  /** The file's name: hexadecimal, random. */
  readonly file: string;
  /** Plaintext bytes. */
  readonly size: number;
  /** Base64; absent if the file is not encrypted. */
  readonly salt?: string;
}

/** Chunks that are read from the disk at once. */
const readAheadChunks = 16;

export class DataFiles {
  readonly #directory: string;
  /** How many readers each file has. Files without readers are absent. */
  readonly #readers = new Map<string, number>();
  /** Files to delete when their last reader ends. A subset of the files in `#readers`. */
  readonly #condemned = new Set<string>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Stores all of `body` and flushes it. Rejects with the error of the body or the system, and leaves nothing behind. */
  async write(body: AsyncIterable<Uint8Array>, customerKey: CustomerKey | undefined): Promise<Segment> {
    const file = randomBytes(16).toString('hex');
    const filePath = this.#pathOf(file);
    await makeDirectoryDurably(path.dirname(filePath));
    try {
      const handle = await open(filePath, 'wx', 0o600);
      let segment: Segment;
      try {
        segment =
          customerKey === undefined
            ? { file, size: await writePlain(handle, body) }
            : { file, ...(await writeSealed(handle, body, customerKey)) };
        await handle.sync();
      } finally {
        await handle.close();
      }
      await syncDirectory(path.dirname(filePath));
      return segment;
    } catch (error) {
      await rm(filePath, { force: true });
      throw error;
    }
  }

  /**
   * The plaintext from `offset` on, which must lie in the segment. Throws a `DamagedFileError` before it yields a changed byte.
   * For files that are not encrypted it checks only the size.
   */
  async *read(
    segment: Segment,
    customerKey: CustomerKey | undefined,
    offset: number,
    length: number,
  ): AsyncGenerator<Buffer> {
    const handle = await open(this.#pathOf(segment.file), 'r');
    try {
      const { size } = await handle.stat();
      if (segment.salt === undefined) {
        if (size !== segment.size) throw new DamagedFileError(`${segment.file} has ${size} bytes`);
        yield* readPlain(handle, offset, length);
        return;
      }
      if (size !== sealedSizeOf(segment.size))
        throw new DamagedFileError(`${segment.file} has ${size} bytes`);
      if (customerKey === undefined) throw new TypeError('an encrypted file is read with a customer key');
      const key = deriveKey(customerKey, Buffer.from(segment.salt, 'base64'), 'segment');
      yield* readSealed(handle, key, segment.size, offset, length);
    } finally {
      await handle.close();
    }
  }

  /** Keeps the files of `segments` until the function that it returns is called, even if they are removed meanwhile. */
  hold(segments: readonly Segment[]): () => Promise<void> {
    for (const { file } of segments) this.#readers.set(file, (this.#readers.get(file) ?? 0) + 1);
    let isHeld = true;
    return async () => {
      if (!isHeld) return;
      isHeld = false;
      for (const { file } of segments) await this.#release(file);
    };
  }

  async remove(segments: readonly Segment[]): Promise<void> {
    for (const { file } of segments) {
      if (this.#readers.has(file)) this.#condemned.add(file);
      else await rm(this.#pathOf(file), { force: true });
    }
  }

  /** Deletes every file that is not in `named`; for the start only. Returns how many there were. */
  async removeAllBut(named: ReadonlySet<string>): Promise<number> {
    let removed = 0;
    for (const folder of await readdir(this.#directory)) {
      for (const file of await readdir(path.join(this.#directory, folder))) {
        if (named.has(file)) continue;
        await rm(path.join(this.#directory, folder, file), { force: true });
        removed += 1;
      }
    }
    return removed;
  }

  async #release(file: string): Promise<void> {
    const readers = (this.#readers.get(file) ?? 1) - 1;
    if (readers > 0) {
      this.#readers.set(file, readers);
      return;
    }
    this.#readers.delete(file);
    if (this.#condemned.delete(file)) await rm(this.#pathOf(file), { force: true });
  }

  #pathOf(file: string): string {
    return path.join(this.#directory, file.slice(0, 2), file);
  }
}

async function writePlain(handle: FileHandle, body: AsyncIterable<Uint8Array>): Promise<number> {
  let size = 0;
  for await (const piece of body) {
    await writeAll(handle, piece);
    size += piece.length;
  }
  return size;
}

async function writeSealed(
  handle: FileHandle,
  body: AsyncIterable<Uint8Array>,
  customerKey: CustomerKey,
): Promise<{ readonly size: number; readonly salt: string }> {
  const salt = randomBytes(saltBytes);
  const key = deriveKey(customerKey, salt, 'segment');
  let size = 0;
  let index = 0;
  const chunk = Buffer.alloc(chunkBytes);
  let filled = 0;
  for await (const piece of body) {
    for (let taken = 0; taken < piece.length;) {
      // A full chunk waits for the next byte, which shows that it is not the last chunk.
      if (filled === chunkBytes) {
        await writeAll(handle, sealChunk(key, index, false, chunk));
        index += 1;
        filled = 0;
      }
      const length = Math.min(chunkBytes - filled, piece.length - taken);
      chunk.set(piece.subarray(taken, taken + length), filled);
      filled += length;
      taken += length;
    }
    size += piece.length;
  }
  await writeAll(handle, sealChunk(key, index, true, chunk.subarray(0, filled)));
  return { size, salt: salt.toString('base64') };
}

/** write(2) may write less than it was given, for example when the disk is about to be full. */
async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    const { bytesWritten } = await handle.write(bytes, written);
    written += bytesWritten;
  }
}

async function* readPlain(handle: FileHandle, offset: number, length: number): AsyncGenerator<Buffer> {
  for (let done = 0; done < length;) {
    const piece = await readExactly(
      handle,
      offset + done,
      Math.min(chunkBytes * readAheadChunks, length - done),
    );
    yield piece;
    done += piece.length;
  }
}

async function* readSealed(
  handle: FileHandle,
  key: Uint8Array,
  size: number,
  offset: number,
  length: number,
): AsyncGenerator<Buffer> {
  const sealedChunkBytes = chunkBytes + tagBytes;
  const sealedSize = sealedSizeOf(size);
  const lastIndex = chunkCountOf(size) - 1;
  const end = offset + length;
  // An empty read of an empty segment opens its chunk too: emptiness is authenticated.
  const endIndex = Math.max(Math.floor(offset / chunkBytes) + 1, Math.ceil(end / chunkBytes));
  for (let first = Math.floor(offset / chunkBytes); first < endIndex; first += readAheadChunks) {
    const behind = Math.min(first + readAheadChunks, endIndex);
    const start = first * sealedChunkBytes;
    const sealed = await readExactly(handle, start, Math.min(behind * sealedChunkBytes, sealedSize) - start);
    for (let index = first; index < behind; index += 1) {
      const at = (index - first) * sealedChunkBytes;
      const plaintext = openChunk(
        key,
        index,
        index === lastIndex,
        sealed.subarray(at, at + sealedChunkBytes),
      );
      const chunkStart = index * chunkBytes;
      const wanted = plaintext.subarray(
        Math.max(0, offset - chunkStart),
        Math.min(plaintext.length, end - chunkStart),
      );
      if (wanted.length > 0) yield wanted;
    }
  }
}

async function readExactly(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length);
  for (let done = 0; done < length;) {
    const { bytesRead } = await handle.read(bytes, done, length - done, position + done);
    if (bytesRead === 0) throw new DamagedFileError(`the file ends at ${position + done} bytes`);
    done += bytesRead;
  }
  return bytes;
}
