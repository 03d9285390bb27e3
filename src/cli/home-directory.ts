/** HOME, for this program and the libraries that read it. */
import os from 'node:os';
import path from 'node:path';

/**
 * Where HOME is missing, empty or relative, the user database counts, and for a user who is not in it `/`, as in containers. To be
 * called before anything asks for the home directory.
 */
export function settleHome(environment: NodeJS.ProcessEnv): void {
  if (path.isAbsolute(environment['HOME'] ?? '')) return;
  environment['HOME'] = homeInDatabase() ?? '/';
}

function homeInDatabase(): string | undefined {
  try {
    const { homedir } = os.userInfo();
    return path.isAbsolute(homedir) ? homedir : undefined;
  } catch {
    return undefined; // the user is not in it
  }
}
