/**
 * The child process that serves one mount of osirisfs above an `InstantObjectStore`. It takes the mountpoint, the driver, how
 * many files to show in each of two directories, the size of the block cache in bytes and, optionally, a directory for
 * profiles; tells its parent by IPC when the mount works, and profiles one job at a time when it is told to.
 */
import { writeFile } from 'node:fs/promises';
import { Session } from 'node:inspector/promises';
import path from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { tmpdir } from 'node:os';
import { BlockReader } from '../../src/cache/block-reader.js';
import { ReadMemory } from '../../src/cache/read-memory.js';
import { StagingArea } from '../../src/staging/staging-area.js';
import { Limiter } from '../../src/concurrency/limiter.js';
import { FuseNativeDriver } from '../../src/fuse/fuse-native-driver.js';
import { KernelDriver } from '../../src/fuse/kernel-driver.js';
import type { Log } from '../../src/log.js';
import { BucketFileSystem } from '../../src/vfs/bucket-file-system.js';
import { coldDirectories, fileName } from './file-names.js';
import { InstantObjectStore } from './instant-object-store.js';

/** What the parent sends: a job begins, or the one that began last has ended. */
export type Command = { readonly begin: string } | 'end';

const [mountpoint = '', driverName = '', fileCount = '0', cacheBytes = '0', profileDirectory] =
  process.argv.slice(2);

const mebibyte = 1024 * 1024;
const ignore = () => undefined;
const warn = (fields: object, message: string) => {
  console.error(message, fields); // eslint-disable-line no-console -- the parent shows it
};
const log: Log = { trace: ignore, debug: ignore, info: ignore, warn, error: warn };

const store = new InstantObjectStore();
for (const directory of coldDirectories) {
  for (let index = 0; index < Number(fileCount); index += 1) {
    const key = `${directory}/${fileName(index)}`;
    await store.put({ key, body: [Buffer.from('content')], headers: { metadata: {} }, condition: {} });
  }
}
const memory = new ReadMemory({ cacheBytes: Number(cacheBytes) });
const reader = new BlockReader({ store, memory, log });
const area = new StagingArea({
  memoryBytes: 128 * mebibyte,
  spillDirectory: tmpdir(),
  spillBytes: 1024 * mebibyte,
  log,
});
const fileSystem = new BucketFileSystem({
  store,
  reader,
  area,
  uploads: new Limiter({ maxTasks: 8 }),
  prefix: '',
  defaults: {
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    filePermissions: 0o644,
    directoryPermissions: 0o755,
  },
  metadataTtlMs: 300_000,
  isReadOnly: false,
  log,
});
const driver = driverName === 'fuse-native' ? FuseNativeDriver.load() : new KernelDriver();
const mounted = await driver.mount({
  mountpoint,
  fileSystem,
  source: 'kernel-benchmark',
  readOnly: false,
  allowOther: false,
  defaultPermissions: true,
  extraOptions: [],
  log,
});

const inspector = new Session();
const delays = monitorEventLoopDelay({ resolution: 1 });
let job = '';
if (profileDirectory !== undefined) inspector.connect();
process.on('message', (command: Command) => {
  void obey(command).then(() => process.send?.('done'));
});
process.once('disconnect', leave);
process.send?.('mounted');
await mounted.ended;
reader.stop();
await area.stop();
process.off('disconnect', leave);
if (process.connected) process.disconnect();

/** Nobody measures any more. The driver sees to it that no mount is left. */
function leave(): never {
  process.exit(1);
}

async function obey(command: Command): Promise<void> {
  if (profileDirectory === undefined) return;
  if (command !== 'end') {
    job = command.begin;
    await inspector.post('Profiler.enable');
    await inspector.post('Profiler.start');
    delays.reset();
    delays.enable();
    return;
  }
  delays.disable();
  const { profile } = await inspector.post('Profiler.stop');
  const name = path.join(profileDirectory, `${job.replaceAll(/[^a-z0-9]+/gi, '-')}-${process.pid}`);
  await writeFile(`${name}.cpuprofile`, JSON.stringify(profile));
  const delayMs = { mean: delays.mean / 1e6, p99: delays.percentile(99) / 1e6, max: delays.max / 1e6 };
  await writeFile(`${name}.event-loop.json`, `${JSON.stringify(delayMs)}\n`);
}
