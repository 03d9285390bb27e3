/** Starts `memory-server` and mounts it for one test: everything bounded in time, and nothing left behind. */
import { execFile, fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdtemp, readFile, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { ExecutionContext } from 'ava';
import { patienceMs } from '../patience.js';
import type {
  DriverName,
  MountRequest,
  ServerCommands,
  ServerReply,
  ServerRequest,
} from './memory-server.js';

/** How long anything in these tests may take. */
const limitMs = patienceMs;

/** An ordinary user: Debian's `nobody`. */
export const nobody = { uid: 65534, gid: 65534 };

export interface User {
  readonly uid: number;
  readonly gid: number;
}

interface CommandOutcome {
  readonly code: number | string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program, and never waits for more than `limitMs`. */
export function run(program: string, programArguments: string[], user?: User): Promise<CommandOutcome> {
  return new Promise((resolve) => {
    const options = {
      timeout: limitMs,
      killSignal: 'SIGKILL' as const,
      maxBuffer: 64 << 20,
      cwd: '/',
      ...user,
    };
    const child = execFile(program, programArguments, options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : (error.code ?? child.signalCode), stdout, stderr });
    });
  });
}

/** Runs a shell script whose $1 is `directory`. */
export function shell(script: string, directory: string, user?: User): Promise<CommandOutcome> {
  return run('/bin/sh', ['-ec', script, 'sh', directory], user);
}

/** Waits until `isTrue` says so. Rejects after `limitMs`. */
export async function until(what: string, isTrue: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (!(await isTrue())) {
    if (Date.now() > deadline) throw new Error(`in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

class MemoryServer {
  readonly child: ChildProcess;
  readonly exited: Promise<number | null>;
  readonly #waiting = new Map<number, (reply: ServerReply) => void>();
  #nextId = 1;

  constructor(user?: User) {
    // Where an ordinary user may not read the checkout, scripts/test has made a copy.
    const copy = user && process.env['OSIRISFS_TEST_PROGRAM'];
    const server =
      copy === undefined
        ? new URL('memory-server.js', import.meta.url)
        : path.join(copy, 'dist/test/fuse/memory-server.js');
    this.child = fork(server, { ...user, cwd: '/', execArgv: [] });
    this.exited = new Promise((resolve) => this.child.on('exit', (code) => resolve(code)));
    this.child.on('message', (reply: ServerReply) => {
      this.#waiting.get(reply.id)?.(reply);
      this.#waiting.delete(reply.id);
    });
  }

  /** Rejects with an error that has the `code` of a MountError, if it was one. */
  ask<K extends keyof ServerCommands>(
    command: K,
    ...parameters: Parameters<ServerCommands[K]>
  ): Promise<ReturnType<ServerCommands[K]>> {
    const request: ServerRequest = { id: this.#nextId++, command, argument: parameters[0] };
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no answer to ${command}`)), limitMs);
      this.#waiting.set(request.id, ({ value, error }) => {
        clearTimeout(timer);
        if (error === undefined) resolve(value as ReturnType<ServerCommands[K]>);
        else reject(Object.assign(new Error(error.message), { code: error.code }));
      });
      this.child.send(request);
    });
  }
}

export interface Mounted {
  readonly server: MemoryServer;
  readonly directory: string;
}

/** An empty directory that is unmounted and removed after the test. */
export async function makeMountpoint(t: ExecutionContext, user?: User): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), 'osirisfs-fuse-'));
  if (user !== undefined) await chown(directory, user.uid, user.gid);
  t.teardown(async () => {
    await run('fusermount3', ['-u', '-z', '--', directory]);
    await rmdir(directory);
  });
  return directory;
}

/** Where ordinary users may not open the device (a container's default), root allows it for the tests. */
export async function openDeviceForAll(): Promise<void> {
  if (process.getuid?.() === 0) await chmod('/dev/fuse', 0o666);
}

export interface MountOptions {
  readonly user?: User;
  readonly mount?: Omit<MountRequest, 'mountpoint'>;
}

/** How the tests of a suite that both drivers must pass are called. */
export function titleFor(driver: DriverName, title: string): string {
  return driver === 'kernel' ? title : `with ${driver}, ${title}`;
}

/** Mounts, as `user` if given. */
export async function mount(t: ExecutionContext, options: MountOptions = {}): Promise<Mounted> {
  if (options.user !== undefined) await openDeviceForAll();
  const directory = await makeMountpoint(t, options.user);
  const server = startServer(t, options.user);
  await server.ask('mount', { ...options.mount, mountpoint: directory });
  return { server, directory };
}

/** A server that is killed after the test. */
export function startServer(t: ExecutionContext, user?: User): MemoryServer {
  const server = new MemoryServer(user);
  t.teardown(async () => {
    server.child.kill('SIGKILL');
    await server.exited;
  });
  return server;
}

/** Runs a script in which the mount is $1, and gives what it prints; the test fails if the script does. */
export async function output(
  t: ExecutionContext,
  script: string,
  directory: string,
  user?: User,
): Promise<string> {
  const { code, stdout, stderr } = await shell(script, directory, user);
  t.is(code, 0, stderr);
  return stdout.trim();
}

export async function python(t: ExecutionContext, script: string, directory: string): Promise<string> {
  const { code, stdout, stderr } = await run('python3', ['-c', script, directory]);
  t.is(code, 0, stderr);
  return stdout.trim();
}

export async function isMounted(directory: string): Promise<boolean> {
  return (await readFile('/proc/self/mountinfo', 'utf8')).includes(` ${directory} `);
}

/** A program that is killed after the test. */
export function start(t: ExecutionContext, program: string, programArguments: string[]): ChildProcess {
  const child = spawn(program, programArguments, { cwd: '/', stdio: ['pipe', 'pipe', 'ignore'] });
  t.teardown(() => child.kill('SIGKILL'));
  return child;
}

/** A program whose output is read line by line. */
export function startTalking(t: ExecutionContext, program: string, programArguments: string[]) {
  const child = start(t, program, programArguments);
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  const nextLine = async () => (await Promise.race([lines.next(), rejectAtLimit()])).value as unknown;
  return { child, nextLine };
}

/** Opens a file once, in a program of its own; each call of what is returned reads that anew. */
export function openAndReread(t: ExecutionContext, file: string): () => Promise<unknown> {
  const program = `import os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
for line in sys.stdin: print(os.pread(fd, 100, 0).decode())`;
  const { child, nextLine } = startTalking(t, 'python3', ['-uc', program, file]);
  return () => {
    child.stdin!.write('again\n');
    return nextLine();
  };
}

export function rejectAtLimit(): Promise<never> {
  return new Promise((_resolve, reject) => {
    setTimeout(() => reject(new Error(`nothing within ${limitMs} ms`)), limitMs).unref();
  });
}

export function exitOf(child: ChildProcess): Promise<unknown[]> {
  return once(child, 'exit', { signal: AbortSignal.timeout(limitMs) });
}
