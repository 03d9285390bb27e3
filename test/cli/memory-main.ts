/**
 * osirisfs with a file system in memory below the real command line and the real kernel driver: what the tests of commands run
 * as a child process. MEMORY_MAIN, in JSON, makes it misbehave.
 */
import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { runToTheEnd } from '../../src/cli/run.js';
import { StoreError } from '../../src/errors.js';
import { KernelDriver } from '../../src/fuse/kernel-driver.js';
import type { BuildStack } from '../../src/mount/stack.js';
import { MemoryFileSystem } from '../fuse/memory-file-system.js';

export interface Misbehaviour {
  /** Building the stack fails like this. */
  readonly refuse?: string;
  /** Building the stack never ends. */
  readonly hang?: boolean;
  /** Building the stack kills the process. */
  readonly die?: boolean;
  /** An error that nobody catches, so long after the mount. */
  readonly crashAfterMs?: number;
  /** A rejection that nobody looks at, so long after the mount. */
  readonly rejectAfterMs?: number;
  /** When the mount's end is asked for, these are not in the bucket, until there is that file, or until they are abandoned. */
  readonly pending?: {
    readonly paths: readonly string[];
    readonly untilFile?: string;
    /** The server refuses them, for this reason. */
    readonly refused?: string;
  };
}

const misbehaviour = JSON.parse(process.env['MEMORY_MAIN'] ?? '{}') as Misbehaviour;

const buildStack: BuildStack = async (_config, _customerKey, log, signal) => {
  if (misbehaviour.refuse !== undefined) throw new StoreError('NoSuchBucket', misbehaviour.refuse);
  if (misbehaviour.die) process.kill(process.pid, 'SIGKILL');
  if (misbehaviour.hang) {
    log.info({}, 'hanging');
    await delay(600_000, undefined, { signal });
  }
  if (misbehaviour.crashAfterMs !== undefined) {
    setTimeout(() => {
      throw new Error('a bug');
    }, misbehaviour.crashAfterMs);
  }
  if (misbehaviour.rejectAfterMs !== undefined) {
    setTimeout(() => void Promise.reject(new Error('nobody looks')), misbehaviour.rejectAfterMs);
  }
  let pending = misbehaviour.pending?.paths ?? [];
  const abandoned = new AbortController();
  const fileSystem = new MemoryFileSystem();
  const stop = fileSystem.stop.bind(fileSystem);
  fileSystem.stop = async () => {
    await stop();
    if (pending.length === 0) return;
    try {
      await appearance(misbehaviour.pending?.untilFile, abandoned.signal);
    } catch (cause) {
      throw new Error(`${pending.length} files were abandoned`, { cause });
    }
    pending = [];
  };
  return {
    driver: new KernelDriver(),
    fileSystem,
    synchronizeAll: () => Promise.resolve(),
    pending: () => {
      const text = misbehaviour.pending?.refused;
      const reason = text === undefined ? undefined : { text, isRefused: true };
      return pending.map((path) => ({ path, reason }));
    },
    abandon: () => {
      abandoned.abort();
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
  };
};

/** Rejects if the signal aborts before the file is there. */
async function appearance(file: string | undefined, signal: AbortSignal): Promise<void> {
  while (file === undefined || !existsSync(file)) await delay(20, undefined, { signal });
}

await runToTheEnd(process.argv.slice(2), { buildStack });
