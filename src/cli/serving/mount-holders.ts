/** Finds the programs that keep a mount busy, from /proc, proc(5), without touching the mount. */
import { readdir, readFile, readlink } from 'node:fs/promises';

export interface Holder {
  readonly pid: number;
  /** As /proc/PID/comm has it. */
  readonly command: string;
  /** For people: `working directory`, or the path of an open or mapped file. */
  readonly use: string;
}

/** Only root sees processes of other users. This process is left out. */
export async function findHolders(mountpoint: string): Promise<Holder[]> {
  const holders: Holder[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue;
    const use = await findUse(`/proc/${name}`, mountpoint);
    if (use === undefined) continue;
    const command = await readFile(`/proc/${name}/comm`, 'utf8').catch(() => '?');
    holders.push({ pid: Number(name), command: command.trim(), use });
  }
  return holders;
}

/** In one line. */
export function describeHolders(holders: readonly Holder[]): string {
  const shown = holders.slice(0, 5).map(({ pid, command, use }) => `${command} (pid ${pid}: ${use})`);
  const rest = holders.length - shown.length;
  return shown.join(', ') + (rest > 0 ? ` and ${rest} more` : '');
}

async function findUse(directory: string, mountpoint: string): Promise<string | undefined> {
  const isInside = (file: string): boolean => file === mountpoint || file.startsWith(`${mountpoint}/`);
  const linksTo = async (link: string): Promise<string | undefined> => {
    // A process that has ended or belongs to somebody else has no links to read.
    const target = await readlink(`${directory}/${link}`).catch(() => '');
    return isInside(target) ? target : undefined;
  };
  if (await linksTo('cwd')) return 'working directory';
  if (await linksTo('root')) return 'root directory';
  const program = await linksTo('exe');
  if (program) return `runs ${program}`;
  for (const descriptor of await readdir(`${directory}/fd`).catch(() => [])) {
    const file = await linksTo(`fd/${descriptor}`);
    if (file) return file;
  }
  const maps = await readFile(`${directory}/maps`, 'utf8').catch(() => '');
  for (const line of maps.split('\n')) {
    // address perms offset device inode path, the path with newlines as \012
    const file = /^\S+ \S+ \S+ \S+ \d+ +(\/.*)$/.exec(line)?.[1]?.replaceAll('\\012', '\n');
    if (file !== undefined && isInside(file)) return `maps ${file}`;
  }
  return undefined;
}
