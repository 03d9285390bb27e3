/** Where this user's logs and records of uploads are kept. */
import { access, constants, mkdir, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { prepareRegistry } from './serving/mount-registry.js';
import { xdgDirectory } from './user-directories.js';

interface StateDirectory {
  readonly directory: string;
  /** Why it is not where the user expects it, in one line. */
  readonly problem: string | undefined;
}

/**
 * `$XDG_STATE_HOME/osirisfs`, which is made if it is missing; where it cannot be written, as for the users of services, the
 * directory that mounts are registered in, which does not outlive the session or the next start of the machine. Rejects with a
 * `CommandError` if there is neither.
 */
export async function findStateDirectory(environment: NodeJS.ProcessEnv): Promise<StateDirectory> {
  const home = os.homedir();
  const named = xdgDirectory(environment, 'XDG_STATE_HOME');
  const directory = path.join(named ?? path.join(home, '.local', 'state'), 'osirisfs');
  try {
    // A missing home is not made: it would be one that nobody has asked for.
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
