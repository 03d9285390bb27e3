/**
 * Which process serves which directory: one small file per serving process, in a directory that only its user can enter.
 * `osirisfs umount` and `osirisfs status` find the process's control socket by it.
 */
import { constants } from 'node:fs';
import {
  lstat,
  mkdir,
  open,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  writeFile,
  type FileHandle,
} from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import { systemErrorCode } from '../../errors.js';
import { parseJsonObject } from '../../json-object.js';
import { CommandError } from '../command-errors.js';
import { xdgDirectory } from '../user-directories.js';

export interface RegistryEntry {
  /** In its own PID namespace. */
  readonly pid: number;
  /** As `ownPidNamespace`. Absent: the namespace of the reader. */
  readonly pidNamespace?: string | undefined;
  /** As the mount table shows it. */
  readonly mountpoint: string;
  readonly source: string;
  /** A unix socket that speaks `control-protocol.ts`. */
  readonly socketPath: string;
}

/** How often a serving process looks whether its entry still exists. */
export const lookMs = 2_000;

/** unix(7): sun_path has 108 bytes, one of them for the end. */
const maxSocketPathBytes = 107;
const longestFileName = '/4194304-4294967295.sock';

/** No entry is longer; longer files are not entries. */
const maxEntryBytes = 64 * 1024;

/**
 * Where entries may be: the directory of the session, and one for processes without a session, as in cron or sudo. Root has one that
 * no other user can make first.
 */
function candidateDirectories(uid: number, environment: NodeJS.ProcessEnv): string[] {
  const runtime = xdgDirectory(environment, 'XDG_RUNTIME_DIR');
  return [
    ...(runtime !== undefined ? [path.join(runtime, 'osirisfs')] : []),
    `/run/user/${uid}/osirisfs`,
    ...(uid === 0 ? ['/run/osirisfs'] : []),
    `/tmp/osirisfs-${uid}`,
  ];
}

/**
 * Finds or makes the directory for this user's entries. Skips one that belongs to another user, or that others may
 * enter.
 */
export async function prepareRegistry(uid: number, environment: NodeJS.ProcessEnv): Promise<string> {
  for (const directory of candidateDirectories(uid, environment)) {
    if (Buffer.byteLength(directory + longestFileName) > maxSocketPathBytes) continue;
    try {
      await mkdir(directory, { mode: 0o700 });
    } catch (error) {
      if (systemErrorCode(error) !== 'EEXIST') continue; // no such session, or not ours
    }
    if (await isPrivate(directory, uid)) return directory;
  }
  throw new CommandError(
    `no private directory for the control socket: /tmp/osirisfs-${uid} does not belong to you alone; remove it`,
  );
}

/** Containers that share this directory each have a process 1. Undefined if it cannot be known. */
export async function ownPidNamespace(): Promise<string | undefined> {
  const link = await readlink('/proc/self/ns/pid').catch(() => '');
  return /\d+/.exec(link)?.[0];
}

/** Where this process listens, with a name that no other process has. */
export function ownSocketPath(directory: string, pidNamespace: string | undefined): string {
  return path.join(directory, `${process.pid}${pidNamespace === undefined ? '' : `-${pidNamespace}`}.sock`);
}

/** Removes what killed processes left. */
export async function removeDeadEntries(directory: string): Promise<void> {
  for (const name of await namesIn(directory)) {
    const [, stem, pid, pidNamespace] = /^((\d+)(?:-(\d+))?)\.(?:json|json\.new|sock)$/.exec(name) ?? [];
    if (stem === undefined || pid === undefined) continue;
    const socketPath = path.join(directory, `${stem}.sock`);
    if (await hasServingProcessEnded({ pid: Number(pid), pidNamespace, socketPath })) {
      await rm(path.join(directory, name), { force: true });
    }
  }
}

/** For a process in another namespace only its socket tells. */
export async function hasServingProcessEnded({
  pid,
  pidNamespace,
  socketPath,
}: Pick<RegistryEntry, 'pid' | 'pidNamespace' | 'socketPath'>): Promise<boolean> {
  if (pidNamespace === undefined || pidNamespace === (await ownPidNamespace())) return await hasEnded(pid);
  return !(await isListening(socketPath));
}

/**
 * Whether a process has ended, from /proc/PID/stat, proc(5). A zombie, which its parent has not waited for yet, has ended too: it
 * holds nothing any more, and the first process of a container may clear it away late or never.
 */
export async function hasEnded(pid: number): Promise<boolean> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // The name in parentheses may itself have parentheses and spaces; the state follows it.
  const state = text.slice(text.lastIndexOf(')') + 2).charAt(0);
  return state === '' || state === 'Z' || state === 'X';
}

async function isListening(socketPath: string): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = net.connect(socketPath);
    const end = (isThere: boolean) => () => {
      socket.destroy();
      resolve(isThere);
    };
    socket.once('connect', end(true)).once('error', end(false));
  });
}

/** Writes beside and renames, so that a reader never finds half an entry. */
export async function writeRegistryEntry(entry: RegistryEntry): Promise<void> {
  const file = entryFile(entry);
  await writeFile(`${file}.new`, JSON.stringify(entry), { mode: 0o600 });
  await rename(`${file}.new`, file);
}

export async function removeEntry(entry: RegistryEntry): Promise<void> {
  await rm(entryFile(entry), { force: true });
}

/**
 * The entries for a directory: this user's, or, for root, those of all users. Where something is mounted, root takes only those of
 * `mountedBy`, since anybody can make an entry. Dead processes may have left some.
 */
export async function findEntries(
  mountpoint: string,
  uid: number,
  environment: NodeJS.ProcessEnv,
  mountedBy?: number,
): Promise<RegistryEntry[]> {
  const entries = await findAllEntries(uid, environment, mountedBy);
  return entries.filter((entry) => entry.mountpoint === mountpoint);
}

/** The same for all directories. */
export async function findAllEntries(
  uid: number,
  environment: NodeJS.ProcessEnv,
  mountedBy?: number,
): Promise<RegistryEntry[]> {
  const found: RegistryEntry[] = [];
  const seen = uid === 0 ? new Set([0, ...(await otherUsers())]) : new Set([uid]);
  const owners = [...seen].filter((owner) => mountedBy === undefined || owner === mountedBy);
  for (const owner of owners) {
    for (const directory of new Set(candidateDirectories(owner, owner === uid ? environment : {}))) {
      if (!(await isPrivate(directory, owner))) continue;
      found.push(...(await readEntries(directory, owner)));
    }
  }
  return found;
}

/** The users that have, or had, a session or a mount. */
async function otherUsers(): Promise<number[]> {
  const sessions = await namesIn('/run/user');
  const fallbacks = (await namesIn('/tmp')).flatMap((name) => /^osirisfs-(\d+)$/.exec(name)?.[1] ?? []);
  return [...sessions, ...fallbacks].map(Number).filter(Number.isSafeInteger);
}

async function readEntries(directory: string, owner: number): Promise<RegistryEntry[]> {
  const entries: RegistryEntry[] = [];
  for (const name of await namesIn(directory)) {
    if (!name.endsWith('.json')) continue;
    const entry = parseEntry(await readEntryFile(path.join(directory, name), owner));
    // A socket elsewhere may belong to anybody.
    if (entry && path.dirname(entry.socketPath) === directory) entries.push(entry);
  }
  return entries;
}

/** '' if it is no entry of that user: a pipe, a link, or an entry that its process has just removed. */
async function readEntryFile(file: string, owner: number): Promise<string> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const stats = await handle.stat();
    if (!stats.isFile() || stats.uid !== owner || stats.size > maxEntryBytes) return '';
    return await handle.readFile('utf8');
  } catch {
    return '';
  } finally {
    await handle?.close();
  }
}

function parseEntry(text: string): RegistryEntry | undefined {
  const fields: Partial<Record<keyof RegistryEntry, unknown>> = parseJsonObject(text) ?? {};
  const { pid, pidNamespace, mountpoint, source, socketPath } = fields;
  if (typeof pid !== 'number' || typeof mountpoint !== 'string') return undefined;
  if (typeof source !== 'string' || typeof socketPath !== 'string') return undefined;
  return { pid, ...(typeof pidNamespace === 'string' && { pidNamespace }), mountpoint, source, socketPath };
}

async function isPrivate(directory: string, uid: number): Promise<boolean> {
  try {
    const stats = await lstat(directory);
    return stats.isDirectory() && stats.uid === uid && (stats.mode & 0o077) === 0;
  } catch {
    return false;
  }
}

async function namesIn(directory: string): Promise<string[]> {
  return await readdir(directory).catch(() => []);
}

/** Beside the socket. */
export function entryFile({ socketPath }: RegistryEntry): string {
  return socketPath.replace(/\.sock$/, '.json');
}
