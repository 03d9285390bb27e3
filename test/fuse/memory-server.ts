/**
 * The child process of the mount tests: mounts a `MemoryFileSystem` with either driver, and does what its parent asks
 * through IPC. Only this process may not touch the mount.
 */
import type { KernelCaches } from '../../src/file-system.js';
import { MountError, type DriverOptions, type MountedFileSystem } from '../../src/fuse/driver.js';
import { FuseNativeDriver } from '../../src/fuse/fuse-native-driver.js';
import { KernelDriver } from '../../src/fuse/kernel-driver.js';
import type { Log } from '../../src/log.js';
import { MemoryFileSystem } from './memory-file-system.js';

export type DriverName = 'kernel' | 'fuse-native';

/** The driver is the kernel driver if none is named. */
export interface MountRequest extends Partial<Omit<DriverOptions, 'fileSystem' | 'log'>> {
  readonly mountpoint: string;
  readonly driver?: DriverName;
}

/** What the parent can ask for, with the answer's type. */
export interface ServerCommands {
  mount: (options: MountRequest) => undefined;
  unmount: (lazy: boolean) => undefined;
  /** Waits for `ended`. */
  ended: () => undefined;
  statistics: () => ServerStatistics;
  fill: (request: { prefix: string; count: number }) => undefined;
  /** The file system's `stop` is not done until `releaseStop`. */
  holdStop: () => undefined;
  releaseStop: () => undefined;
  /** No write is done until `releaseWrites`. */
  holdWrites: () => undefined;
  releaseWrites: () => undefined;
  setTtls: (ttls: { entryMs: number; attributesMs: number }) => undefined;
  replace: (request: { name: string; content: string }) => undefined;
  remove: (name: string) => undefined;
  dropInode: (request: { name: string; offset: number }) => undefined;
  dropEntry: (name: string) => undefined;
  /** Starts to drop an inode without waiting for it, and ends the process by process.exit(0). */
  dropInodeAndExit: (name: string) => undefined;
}

interface ServerStatistics {
  readonly knownCount: number;
  readonly openHandleCount: number;
  readonly hangingCount: number;
  readonly abortCount: number;
  readonly stopCount: number;
  readonly stopsBegun: number;
  readonly calls: Record<string, number>;
  readonly logged: readonly string[];
}

export interface ServerRequest {
  readonly id: number;
  readonly command: keyof ServerCommands;
  readonly argument: unknown;
}

export interface ServerReply {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: { readonly message: string; readonly code: string | undefined };
}

const logged: string[] = [];
const record = (_fields: object, message: string) => logged.push(message);
const ignore = () => undefined;
const log: Log = { trace: ignore, debug: ignore, info: ignore, warn: record, error: record };

const fileSystem = new MemoryFileSystem();
let mounted: MountedFileSystem | undefined;
let releaseStop: () => void = () => undefined;
let releaseWrites: () => void = () => undefined;

function getMounted(): MountedFileSystem {
  if (mounted === undefined) throw new Error('not mounted');
  return mounted;
}

function getKernel(): KernelCaches {
  if (fileSystem.kernel === undefined) throw new Error('not started');
  return fileSystem.kernel;
}

function inodeOf(name: string): number {
  const inode = fileSystem.inodeOf(name);
  if (inode === undefined) throw new Error(`the kernel does not know ${name}`);
  return inode;
}

type Asynchronous<F> = F extends (...parameters: infer P) => infer R
  ? (...parameters: P) => R | Promise<R>
  : never;

const commands: { [K in keyof ServerCommands]: Asynchronous<ServerCommands[K]> } = {
  async mount({ driver, ...options }) {
    const chosen = driver === 'fuse-native' ? FuseNativeDriver.load() : new KernelDriver();
    mounted = await chosen.mount({
      source: 'memory',
      readOnly: false,
      allowOther: false,
      defaultPermissions: false,
      extraOptions: [],
      ...options,
      fileSystem,
      log,
    });
    return undefined;
  },
  async unmount(lazy) {
    await getMounted().unmount({ lazy });
    return undefined;
  },
  async ended() {
    await getMounted().ended;
    return undefined;
  },
  statistics: () => ({
    knownCount: fileSystem.knownCount,
    openHandleCount: fileSystem.openHandles.size,
    hangingCount: fileSystem.hangingCount,
    abortCount: fileSystem.abortCount,
    stopCount: fileSystem.stopCount,
    stopsBegun: fileSystem.stopsBegun,
    calls: Object.fromEntries(fileSystem.calls),
    logged,
  }),
  fill({ prefix, count }) {
    fileSystem.fill(prefix, count);
    return undefined;
  },
  holdStop() {
    fileSystem.stopHeld = new Promise((resolve) => (releaseStop = resolve));
    return undefined;
  },
  releaseStop() {
    releaseStop();
    return undefined;
  },
  holdWrites() {
    fileSystem.writesHeld = new Promise((resolve) => (releaseWrites = resolve));
    return undefined;
  },
  releaseWrites() {
    fileSystem.writesHeld = undefined;
    releaseWrites();
    return undefined;
  },
  setTtls({ entryMs, attributesMs }) {
    fileSystem.entryTtlMs = entryMs;
    fileSystem.attributesTtlMs = attributesMs;
    return undefined;
  },
  replace({ name, content }) {
    fileSystem.replace(name, content);
    return undefined;
  },
  remove(name) {
    fileSystem.remove(name);
    return undefined;
  },
  async dropInode({ name, offset }) {
    await getKernel().dropInode(inodeOf(name), offset);
    return undefined;
  },
  async dropEntry(name) {
    await getKernel().dropEntry(1, name);
    return undefined;
  },
  dropInodeAndExit(name) {
    void getKernel().dropInode(inodeOf(name), 0);
    // The notification is on its way in a thread when the next turn begins.
    setImmediate(() => process.exit(0));
    return undefined;
  },
};

process.on('message', (request: ServerRequest) => {
  const run = commands[request.command] as (argument: unknown) => unknown;
  Promise.resolve()
    .then(() => run(request.argument))
    .then(
      (value) => reply({ id: request.id, value }),
      (error: unknown) =>
        reply({
          id: request.id,
          error: {
            message: error instanceof Error ? error.message : String(error),
            code: error instanceof MountError ? error.code : undefined,
          },
        }),
    );
});

// Ends with its parent: nothing else would end it.
process.on('disconnect', () => process.exit(1));

function reply(message: ServerReply): void {
  process.send?.(message);
}
