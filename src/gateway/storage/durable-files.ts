/**
 * Files that survive a crash: written beside their place, flushed, and renamed into it, so that the old or the new file is
 * there as a whole.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import path from 'node:path';

/** Files with this ending were not finished. They are deleted at the next start. */
export const temporarySuffix = '.tmp';

/** The file has its new content, but a crash may bring the old one back. */
export class NotFlushedError extends Error {
  override readonly name = 'NotFlushedError';
}

/**
 * Replaces or makes the file, by default for its owner only. Rejects with the system's error and leaves the old file, or with a
 * `NotFlushedError`.
 */
export async function writeDurably(file: string, content: string | Uint8Array, mode = 0o600): Promise<void> {
  const temporary = `${file}.${randomBytes(6).toString('hex')}${temporarySuffix}`;
  try {
    const handle = await open(temporary, 'wx', mode);
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  try {
    await syncDirectory(path.dirname(file));
  } catch (cause) {
    throw new NotFlushedError('the directory could not be flushed', { cause });
  }
}

export async function removeDurably(file: string): Promise<void> {
  await rm(file, { force: true });
  await syncDirectory(path.dirname(file));
}

/** The directory's parent must exist. */
export async function makeDirectoryDurably(directory: string): Promise<void> {
  if ((await mkdir(directory, { recursive: true, mode: 0o700 })) === undefined) return;
  await syncDirectory(path.dirname(directory));
}

/** A rename into a directory, or a removal from it, is only durable when the directory is flushed too. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
