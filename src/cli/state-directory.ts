/** Where this user's logs and records of uploads are kept. */
import { access, constants, mkdir, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { prepareRegistry } from './serving/mount-registry.js';
import { xdgDirectory } from './user-directories.js';

interface StateDirectory {
  readonly directory: string;
  /** Why the directory is not in its usual place, in one line. */
  readonly problem: string | undefined;
}

/**
 * `$XDG_STATE_HOME/osirisfs`, which is made if it is missing. Users of services often cannot write there: then the directory in
 * which mounts are registered, which lasts until the end of the session or the next boot. Rejects with a `CommandError` if
 * neither can be used.
 */
export async function findStateDirectory(environment: NodeJS.ProcessEnv): Promise<StateDirectory> {
  const home = os.homedir();
  const named = xdgDirectory(environment, 'XDG_STATE_HOME');
  const directory = path.join(named ?? path.join(home, '.local', 'state'), 'osirisfs');
  try {
    // A missing home directory is not made: nobody asked for one.
    if (named === undefined) await stat(home);
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await access(directory, constants.W_OK | constants.X_OK);
    return { directory, problem: undefined };
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    const fallback = await prepareRegistry(process.getuid?.() ?? 0, environment);
    return {
      directory: fallback,
      problem: `${directory} cannot be written (${code}), and ${fallback} is used in its place; set HOME or XDG_STATE_HOME`,
    };
  }
}
