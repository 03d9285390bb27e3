/** Where the user's files are: by HOME, for this program and its libraries, and by the variables of XDG. */
import os from 'node:os';
import path from 'node:path';

/**
 * Where HOME is missing, empty or relative, takes it from the user database; for a user who is not in it, as in containers, takes
 * `/`. Call it before anything asks for the home directory.
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

/**
 * The directory that a variable of the XDG Base Directory Specification names. Undefined where the default applies: the
 * specification ignores empty and relative values.
 */
export function xdgDirectory(
  environment: NodeJS.ProcessEnv,
  name: 'XDG_CONFIG_HOME' | 'XDG_DATA_HOME' | 'XDG_RUNTIME_DIR' | 'XDG_STATE_HOME',
): string | undefined {
  const value = environment[name];
  return value !== undefined && path.isAbsolute(value) ? value : undefined;
}
