/**
 * The child process of `memory-bucket.ts`: mounts a bucket that is kept in memory, below the real file system and the
 * real kernel driver, and tells its parent by IPC what it holds. Only this process may not touch the mount.
 */
import { tmpdir } from 'node:os';
import { BlockReader } from '../../src/cache/block-reader.js';
import { ReadMemory } from '../../src/cache/read-memory.js';
import { StagingArea } from '../../src/staging/staging-area.js';
import { Limiter } from '../../src/concurrency/limiter.js';
import { KernelDriver } from '../../src/fuse/kernel-driver.js';
import type { Log } from '../../src/log.js';
import { BucketFileSystem } from '../../src/vfs/bucket-file-system.js';
import { MemoryObjectStore } from '../object-store/memory-object-store.js';

/** What is held after the garbage was collected. */
export interface Holdings {
  readonly inodes: number;
  readonly openHandles: number;
  readonly knownObjects: number;
  readonly listedEntries: number;
  readonly objects: number;
  readonly bytesCached: number;
  readonly heapBytes: number;
  readonly residentBytes: number;
}

export type ServerMessage = 'mounted' | Holdings;

const [mountpoint] = process.argv.slice(2);
const collectGarbage = globalThis.gc;
if (mountpoint === undefined || !collectGarbage) throw new Error('usage: node --expose-gc … MOUNTPOINT');

const mebibyte = 1024 * 1024;
const ignore = () => undefined;
const fail = (fields: object, message: string) => {
  throw new Error(message, { cause: fields });
};
const log: Log = { trace: ignore, debug: ignore, info: ignore, warn: ignore, error: fail };
const store = new MemoryObjectStore();
const memory = new ReadMemory({ cacheBytes: 8 * mebibyte });
const reader = new BlockReader({ store, memory, log });
const area = new StagingArea({
  memoryBytes: 8 * mebibyte,
  spillDirectory: tmpdir(),
  spillBytes: 64 * mebibyte,
  log,
});
const fileSystem = new BucketFileSystem({
  store,
  reader,
  area,
  uploads: new Limiter({ maxTasks: 8 }),
  prefix: '',
  defaults: { uid: 0, gid: 0, filePermissions: 0o644, directoryPermissions: 0o755 },
  metadataTtlMs: 30_000,
  negativeTtlMs: 1000,
  isReadOnly: false,
  log,
});
const mounted = await new KernelDriver().mount({
  mountpoint,
  fileSystem,
  source: 'memory',
  readOnly: false,
  allowOther: false,
  defaultPermissions: false,
  extraOptions: [],
  log,
});

process.on('message', () => {
  collectGarbage();
  fileSystem.checkInvariants();
  const { heapUsed, external, rss } = process.memoryUsage();
  tell({
    ...fileSystem.statisticsOfCaches(),
    objects: store.objects.size,
    bytesCached: memory.statistics().bytesCached,
    heapBytes: heapUsed + external,
    residentBytes: rss,
  });
});
tell('mounted');
await mounted.ended;
reader.stop();
await area.stop();
process.disconnect();

function tell(message: ServerMessage): void {
  process.send?.(message);
}
