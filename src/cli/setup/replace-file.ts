/** Replaces a file of the user's settings as a whole, for its owner only; a link to it stays a link. */
import { mkdir, readFile, realpath } from 'node:fs/promises';
import path from 'node:path';
import { writeDurably } from '../../gateway/storage/durable-files.js';

/** '' if it is missing. Rejects with the system's error. */
export async function readIfThere(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

/** Rejects with the system's error, having left what was there. */
export async function replaceFile(file: string, text: string): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  const target = await realpath(file).catch(() => file);
  await writeDurably(target, text, 0o600);
}
