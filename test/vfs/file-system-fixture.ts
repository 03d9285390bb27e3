/** File systems over one bucket in memory, as several mounts of it would be, with a clock that tests can move. */
import { tmpdir } from 'node:os';
import type { ExecutionContext } from 'ava';
import { BlockReader } from '../../src/cache/block-reader.js';
import { ReadMemory } from '../../src/cache/read-memory.js';
import { StagingArea } from '../../src/staging/staging-area.js';
import { Limiter } from '../../src/concurrency/limiter.js';
import { lockOrder, lockRanks } from '../../src/concurrency/lock-order.js';
import { makeDeferred } from '../../src/concurrency/deferred.js';
import type { Log } from '../../src/log.js';
import { BucketFileSystem } from '../../src/vfs/bucket-file-system.js';
import type { BucketFileSystemOptions } from '../../src/vfs/file-system-parts.js';
import { TestClock } from '../clock.js';
import { MemoryObjectStore } from '../object-store/memory-object-store.js';
import { FileSystemClient } from './file-system-client.js';

export interface LogLine {
  readonly level: string;
  readonly fields: object;
  readonly message: string;
}

export function makeLog(): { readonly log: Log; readonly lines: LogLine[] } {
  const lines: LogLine[] = [];
  const at = (level: string) => (fields: object, message: string) =>
    void lines.push({ level, fields, message });
  return {
    lines,
    log: { trace: at('trace'), debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') },
  };
}

export interface TestMount {
  readonly fs: BucketFileSystem;
  readonly client: FileSystemClient;
  readonly reader: BlockReader;
  readonly lines: LogLine[];
}

export const metadataTtlMs = 30_000;

export class Fixture {
  readonly store: MemoryObjectStore;
  readonly clock: TestClock;
  readonly #t: Pick<ExecutionContext, 'teardown'>;

  /** Parts are tiny, so that small files meet every multipart pattern. */
  constructor(
    t: Pick<ExecutionContext, 'teardown'>,
    store = new MemoryObjectStore({ minPartSize: 64 }),
    clock = new TestClock(),
  ) {
    lockOrder.watch();
    t.teardown(() => {
      const violations = lockOrder.takeViolations();
      if (violations.length > 0)
        throw new Error(`locks are taken in the wrong order: ${violations.join('; ')}`);
    });
    this.#t = t;
    this.store = store;
    this.clock = clock;
    this.store.now = () => Number(this.clock.nowNs() / 1_000_000n);
  }

  /** Holds the first PUT or copy from now on, until `letGo`. */
  holdFirstWrite(): { readonly isHeld: () => boolean; readonly letGo: () => void } {
    const answer = makeDeferred<undefined>();
    let isHeld = false;
    this.store.beforeRequest = async (method) => {
      if (isHeld || (method !== 'put' && method !== 'copy')) return;
      isHeld = true;
      await answer.promise;
    };
    return { isHeld: () => isHeld, letGo: () => answer.resolve(undefined) };
  }

  mount(options: Partial<BucketFileSystemOptions> = {}): TestMount {
    const { options: all, reader, area, lines } = this.makeOptions(options);
    const fs = new BucketFileSystem(all);
    this.#t.teardown(async () => {
      await fs.abandon();
      await fs.stop().catch(() => undefined); // tests of failures leave things that cannot be stored
      reader.stop();
      await area.stop();
    });
    return { fs, client: new FileSystemClient(fs), reader, lines };
  }

  /** What a file system is made of, with a cache and a staging area of its own. The caller stops those. */
  makeOptions(options: Partial<BucketFileSystemOptions> = {}) {
    const { log, lines } = makeLog();
    const store = options.store ?? this.store;
    const memory = new ReadMemory({ cacheBytes: 1024 * 1024 });
    const reader = new BlockReader({ store, memory, blockBytes: 4096, log });
    const area = new StagingArea({
      memoryBytes: 1024 * 1024,
      spillDirectory: tmpdir(),
      spillBytes: 2 ** 30,
      log,
    });
    const all: BucketFileSystemOptions = {
      store,
      reader,
      area,
      uploads: new Limiter({ maxTasks: 4, rank: lockRanks.uploads }),
      prefix: '',
      defaults: { uid: 1000, gid: 1000, filePermissions: 0o644, directoryPermissions: 0o755 },
      metadataTtlMs,
      isReadOnly: false,
      attributeDelayMs: 0,
      rewriteBytes: 0,
      clock: this.clock,
      log,
      ...options,
    };
    return { options: all, reader, area, lines };
  }
}
