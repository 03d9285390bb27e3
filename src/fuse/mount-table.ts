/** Finds out what is mounted where, without touching it, from /proc/self/mountinfo (proc_pid_mountinfo(5)). */
import { readFile } from 'node:fs/promises';

export interface Mount {
  /** Unique among the mounts that exist; may be used again after this one is gone. */
  readonly id: string;
  /** `major:minor` of the file system. */
  readonly device: string;
  /** Absolute and without symbolic links. */
  readonly mountpoint: string;
  /** For example `fuse.osirisfs`. */
  readonly type: string;
  readonly source: string;
  /** The uid of the user that mounted it, if it is a FUSE mount. */
  readonly userId: number | undefined;
}

/** The mount at `mountpoint`, an absolute path without symbolic links; the uppermost if there are several. */
export async function findMount(mountpoint: string): Promise<Mount | undefined> {
  return parseMountTable(await readFile('/proc/self/mountinfo', 'utf8')).findLast(
    (mount) => mount.mountpoint === mountpoint,
  );
}

/** Lines that are no mounts are left out. */
export function parseMountTable(text: string): Mount[] {
  const mounts: Mount[] = [];
  for (const line of text.split('\n')) {
    const fields = line.split(' ');
    const separator = fields.indexOf('-', 6);
    const [id, , device, , mountpoint] = fields;
    const [type, source, options = ''] = separator === -1 ? [] : fields.slice(separator + 1);
    if (id === undefined || device === undefined || mountpoint === undefined) continue;
    if (type === undefined || source === undefined) continue;
    mounts.push({
      id,
      device,
      mountpoint: unescapeField(mountpoint),
      type: unescapeField(type),
      source: unescapeField(source),
      userId: userIdOf(options),
    });
  }
  return mounts;
}

/** The `user_id` among the options of a FUSE file system, fuse(8). */
function userIdOf(options: string): number | undefined {
  const [, digits] = /(?:^|,)user_id=(\d+)(?:,|$)/.exec(options) ?? [];
  return digits === undefined ? undefined : Number(digits);
}

/** Spaces, tabs, newlines and backslashes are written as three octal digits. */
function unescapeField(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_match, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

/** As the kernel writes a path in /proc/self/mountinfo. */
export function escapeField(path: string): string {
  return path.replace(
    /[ \t\n\\]/g,
    (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`,
  );
}
