/** The variables of the XDG Base Directory Specification that name a directory. */
import path from 'node:path';

/** Undefined where the default applies: the specification wants empty and relative values ignored. */
export function xdgDirectory(
  environment: NodeJS.ProcessEnv,
  name: 'XDG_CONFIG_HOME' | 'XDG_DATA_HOME' | 'XDG_RUNTIME_DIR' | 'XDG_STATE_HOME',
): string | undefined {
  const value = environment[name];
  return value !== undefined && path.isAbsolute(value) ? value : undefined;
}
