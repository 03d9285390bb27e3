/** Directories and key files of one test. */
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createHash, randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ExecutionContext } from 'ava';
import type { User } from './user.js';

/** A fresh directory on the local disk, deleted at the end of the test; `user`'s, if given. */
export async function makeDirectory(t: ExecutionContext, user?: User): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), 'local-'));
  t.teardown(() => removeTree(directory));
  if (user !== undefined) await chown(directory, user.uid, user.gid);
  return directory;
}

/** Deletes a tree on the local disk. Never for a directory that has a mount in it: that would delete in the bucket. */
export async function removeTree(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true });
}

export interface KeyFile {
  readonly path: string;
  /** The 32 characters in it, without a newline. */
  readonly keystring: string;
  /** Base64 of the MD5, as S3 shows it. */
  readonly fingerprint: string;
}

/** A key file in OSiRIS's form: 32 characters of text; readable by its owner only. */
export async function makeKeyFile(t: ExecutionContext, user?: User): Promise<KeyFile> {
  const directory = await makeDirectory(t, user);
  const keystring = randomBytes(24).toString('base64url');
  const file = path.join(directory, 'customer.key');
  await writeFile(file, keystring, { mode: 0o600 });
  if (user !== undefined) await chown(file, user.uid, user.gid);
  return { path: file, keystring, fingerprint: createHash('md5').update(keystring).digest('base64') };
}
