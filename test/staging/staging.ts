/** A staged file over a store in memory, with limits that make small files behave as large ones. */
import { setMaxListeners } from 'node:events';
import os from 'node:os';
import type { ExecutionContext } from 'ava';
import type { StoreTarget } from '../../src/staging/placement.js';
import { StagedFile, type StagedFileOptions, type StagedFileOwner } from '../../src/staging/staged-file.js';
import { StagingArea } from '../../src/staging/staging-area.js';
import { Limiter } from '../../src/concurrency/limiter.js';
import type { ObjectStore } from '../../src/object-store.js';
import type { ObjectVersion } from '../../src/object-version.js';
import { MemoryObjectStore } from '../object-store/memory-object-store.js';
import { silentLog } from '../silent-log.js';
import { StoreReader } from './store-reader.js';

export const never = new AbortController().signal;
setMaxListeners(0, never); // one for all calls of all tests
export const chunkBytes = 64;
/** Of streamed parts. */
export const partBytes = 128;

export interface StagingOptions {
  readonly memoryChunks?: number;
  readonly spillBytes?: number;
}

export function makeStore(): MemoryObjectStore {
  return new MemoryObjectStore({
    minPartSize: 100,
    maxPartSize: 10_000,
    maxParts: 1000,
    maxObjectSize: 1_000_000,
  });
}

export function makeArea(t: ExecutionContext, { memoryChunks = 16, spillBytes = 1_000_000 }: StagingOptions) {
  const area = new StagingArea({
    memoryBytes: memoryChunks * chunkBytes,
    chunkBytes,
    spillDirectory: os.tmpdir(),
    spillBytes,
    log: silentLog,
  });
  t.teardown(() => area.stop());
  return area;
}

/** What the file is stored as: the test may change it at any time. */
interface Goal {
  key: string;
  mode: string;
}

export function makeFile(
  t: ExecutionContext,
  store: ObjectStore,
  base: ObjectVersion | undefined,
  options: StagingOptions & Partial<StagedFileOptions> & Partial<StagedFileOwner> = {},
) {
  const area = options.area ?? makeArea(t, options);
  const reader = new StoreReader(store);
  const goal: Goal = { key: 'file', mode: '0644' };
  const file: StagedFile = new StagedFile({
    area,
    reader,
    store,
    uploads: new Limiter({ maxTasks: 3 }),
    base,
    owner: ownerOf(() => {
      const etag = file.base?.key === goal.key ? file.base.etag : undefined;
      return {
        key: goal.key,
        headers: { metadata: { mode: goal.mode } },
        condition: etag === undefined ? { ifNoneMatch: '*' } : { ifMatch: etag },
      };
    }, options),
    log: silentLog,
    streamingThresholdBytes: 0,
    putBytes: 100,
    partBytes,
    copyPartBytes: 400,
    ...options,
  });
  t.teardown(() => file.discard());
  return { area, reader, goal, file };
}

/** Of a file that nobody else has an interest in. */
export function ownerOf(
  target: () => StoreTarget,
  { mayChange, isWriteOnly }: Partial<StagedFileOwner> = {},
): StagedFileOwner {
  return {
    key: 'file',
    target,
    onStored: () => undefined,
    mayChange: mayChange ?? (() => undefined),
    isWriteOnly: isWriteOnly ?? (() => false),
    beforeReplacing: () => Promise.resolve(),
    whileInPlace: (_signal, work) => work(),
  };
}

/** Bytes that differ from position to position and from seed to seed. */
export function pattern(length: number, seed = 0): Buffer {
  const bytes = Buffer.alloc(length);
  for (let index = 0; index < length; index++) bytes[index] = ((index * 31 + seed * 17) % 251) + 1;
  return bytes;
}

export async function contentOf(file: StagedFile): Promise<Buffer> {
  return Buffer.concat(await file.read({ offset: 0, length: file.size + 1 }, never));
}

/** A door that a store's hook can be made to wait at. */
export function makeGate() {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}
