/** Directories and key files of one test. */
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createHash, randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { User } from './user.js';

/** What sees to it that things are put away at its end, last made first. A test's `t` is one. */
export interface Scope {
  teardown(step: () => Promise<void>): void;
}

/** For what several tests of one file share: `test.after.always(() => scope.end())`. */
export class FileScope implements Scope {
  readonly #steps: (() => Promise<void>)[] = [];

  teardown(step: () => Promise<void>): void {
    this.#steps.push(step);
  }

  /** Takes every step, also after one has failed; rejects with what went wrong. */
  async end(): Promise<void> {
    const errors: unknown[] = [];
    for (const step of this.#steps.splice(0).reverse())
      await step().catch((error: unknown) => errors.push(error));
    if (errors.length > 0) throw new AggregateError(errors, errors.map(String).join('\n'));
  }
}

/** A path that no machine has: nothing can be made in /proc. */
export const nowhere = '/proc/nowhere';

/** A fresh directory on the local disk, deleted at the end of the test; `user`'s, if given. */
export async function makeDirectory(scope: Scope, user?: User): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), 'local-'));
  scope.teardown(() => removeTree(directory));
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
export async function makeKeyFile(scope: Scope, user?: User): Promise<KeyFile> {
  const directory = await makeDirectory(scope, user);
  const keystring = randomBytes(24).toString('base64url');
  const file = path.join(directory, 'customer.key');
  await writeFile(file, keystring, { mode: 0o600 });
  if (user !== undefined) await chown(file, user.uid, user.gid);
  return { path: file, keystring, fingerprint: createHash('md5').update(keystring).digest('base64') };
}
