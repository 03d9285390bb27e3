/** Mounts a bucket as a user does, by the command line, in a process of its own, and sees to it that no mount outlives its test. */
import { chown, mkdtemp, readFile, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { patienceMs } from '../patience.js';
import { run, start, waitUntil, type ChildOptions, type Finished, type RunningChild } from './child.js';
import { makeDirectory, type KeyFile, type Scope } from './temporary.js';
import { projectRoot, type User } from './user.js';

export interface MountRequest {
  /** `BUCKET` or `BUCKET/PREFIX`. */
  readonly bucket: string;
  readonly keyFile: KeyFile;
  /** Further command line options. */
  readonly options?: readonly string[];
  readonly user?: User;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Default: a new one, deleted at the end. */
  readonly directory?: string;
  /** Default: debug. */
  readonly logLevel?: 'trace' | 'debug' | 'info';
}

export interface Mount {
  readonly directory: string;
  /** The id of the process that serves the mount. */
  readonly pid: number;
  readonly child: RunningChild;
  readonly logFile: string;
  /** The log so far, with what the process wrote to its terminal. */
  log(): Promise<string>;
  /** By `osirisfs umount`; rejects unless both it and the serving process end with 0. */
  unmount(timeoutMs?: number): Promise<void>;
  /** `kill -9`. Resolves when the process is gone. */
  killHard(): Promise<void>;
}

/** What the log's last line says of the traffic with the server. */
export interface StoreCounters {
  readonly requests: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  /** Requests by the method of `ObjectStore`; those never called are absent. */
  readonly byOperation: Readonly<Partial<Record<string, number>>>;
}

/** Runs `osirisfs` with these arguments to its end. */
export function osirisfs(args: readonly string[], options: ChildOptions = {}): Promise<Finished> {
  return run(process.execPath, [mainFile(options.user), ...args], options);
}

function mainFile(user: User | undefined): string {
  return path.join(user?.programRoot ?? projectRoot, 'dist/src/main.cjs');
}

/** Mounts and resolves when the directory shows the bucket. Whatever the test does, its end unmounts. */
export async function mountBucket(scope: Scope, request: MountRequest): Promise<Mount> {
  const { user } = request;
  const directory = request.directory ?? (await makeMountpoint(scope, user));
  const logFile = path.join(await makeDirectory(scope, user), 'osirisfs.log');
  const args = ['mount', request.bucket, directory, '--key-file', request.keyFile.path, '--foreground'];
  args.push('--log-file', logFile, '--log-level', request.logLevel ?? 'debug', ...(request.options ?? []));
  const child = await start(process.execPath, [mainFile(user), ...args], {
    user,
    cwd: '/',
    ...(request.env === undefined ? {} : { env: request.env }),
  });
  scope.teardown(() => endMount(directory, child));
  await waitUntil(`${request.bucket} mounted on ${directory}`, patienceMs, async () => {
    if (child.hasEnded()) throw new Error(`osirisfs mount ended: ${child.output()}`);
    return isMounted(directory);
  });
  return {
    directory,
    pid: child.pid,
    child,
    logFile,
    log: async () => `${await readFile(logFile, 'utf8').catch(() => '')}${child.output()}`,
    unmount: async (timeoutMs = 120_000) => {
      const umount = await osirisfs(['umount', directory], {
        user,
        cwd: '/',
        timeoutMs,
        ...(request.env === undefined ? {} : { env: request.env }),
      });
      const mount = await child.waitForEnd(patienceMs);
      if (umount.code !== 0 || mount.code !== 0) {
        throw new Error(
          `umount ended with ${umount.code ?? 'a signal'}, the mount with ${mount.code ?? 'a signal'}:\n` +
            `${umount.stdout}${umount.stderr}${child.output()}`,
        );
      }
    },
    killHard: async () => {
      child.kill('SIGKILL');
      await child.waitForEnd(patienceMs);
    },
  };
}

/** An empty directory to mount on. It is only ever deleted by rmdir, which a mounted one refuses. */
export async function makeMountpoint(scope: Scope, user?: User): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), 'mount-'));
  scope.teardown(() => rmdir(directory));
  if (user !== undefined) await chown(directory, user.uid, user.gid);
  return directory;
}

/** Whether something is mounted on the directory, without touching it. */
export async function isMounted(directory: string): Promise<boolean> {
  const escaped = directory.replace(/[ \t\n\\]/g, (c) => `\\${c.charCodeAt(0).toString(8).padStart(3, '0')}`);
  const table = await readFile('/proc/self/mountinfo', 'utf8');
  return table.split('\n').some((line) => line.split(' ')[4] === escaped);
}

async function endMount(directory: string, child: RunningChild): Promise<void> {
  if (await isMounted(directory)) {
    const clean = await run('fusermount3', ['-u', directory], { timeoutMs: patienceMs });
    if (clean.code !== 0) await run('fusermount3', ['-u', '-z', directory], { timeoutMs: patienceMs });
  }
  if (child.hasEnded()) return;
  child.kill('SIGTERM');
  await child.waitForEnd(patienceMs);
}

/** The counters that a mount logs when it ends. */
export async function countersOf(mount: Mount): Promise<StoreCounters> {
  for (const line of (await mount.log()).split('\n')) {
    if (!line.includes('"store counters"')) continue;
    const { requests, bytesReceived, bytesSent, byOperation } = JSON.parse(line) as Partial<StoreCounters>;
    if (typeof requests === 'number' && typeof bytesReceived === 'number' && typeof bytesSent === 'number') {
      return { requests, bytesReceived, bytesSent, byOperation: byOperation ?? {} };
    }
  }
  throw new Error('the log has no line "store counters" with requests, bytesReceived and bytesSent');
}

/** The resident memory of a process now, and its highest so far, in bytes. */
export async function residentBytes(pid: number): Promise<{ readonly now: number; readonly peak: number }> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const kibibytes = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) * 1024;
  return { now: kibibytes('VmRSS'), peak: kibibytes('VmHWM') };
}
