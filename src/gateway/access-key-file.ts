/** The one access key of a gateway: made at the first start, in a file that only the owner can read. */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { writeDurably } from './storage/durable-files.js';
import type { AccessKey } from './signatures/access-keys.js';

/** Undefined if there is no such file. */
export async function readAccessKey(file: string): Promise<AccessKey | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as AccessKey;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

export async function loadAccessKey(file: string): Promise<AccessKey> {
  const known = await readAccessKey(file);
  if (known !== undefined) return known;
  const accessKey = {
    accessKeyId: `OFS${randomBytes(9).toString('hex').toUpperCase()}`.slice(0, 20),
    secretAccessKey: randomBytes(30).toString('base64url'),
  };
  await writeDurably(file, `${JSON.stringify(accessKey)}\n`);
  return accessKey;
}
