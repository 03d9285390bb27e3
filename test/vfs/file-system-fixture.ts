/** File systems over one bucket in memory, as several mounts of it would be, with a clock that tests can move. */
import { tmpdir } from 'node:os';
import type { ExecutionContext } from 'ava';
import { ObjectReader } from '../../src/cache/object-reader.js';
import { ReadMemory } from '../../src/cache/read-memory.js';
import { StagingArea } from '../../src/cache/staging-area.js';
import { UploadLimiter } from '../../src/cache/upload-limiter.js';
import type { Log } from '../../src/log.js';
import type { ObjectStore } from '../../src/object-store.js';
import { BucketFileSystem, type BucketFileSystemOptions } from '../../src/vfs/bucket-file-system.js';
import { systemClock, type Clock } from '../../src/vfs/clock.js';
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

/**
 * Stands still but for what tests advance it by, and a microsecond at each look, so that no two times are the same. Its timers
 * are real ones.
 */
export class TestClock implements Clock {
  #nowMs = Date.now();

  monotonicMs(): number {
    this.#nowMs += 0.001;
    return this.#nowMs;
  }

  nowNs(): bigint {
    return BigInt(Math.round(this.monotonicMs() * 1000)) * 1000n;
  }

  startTimer(delayMs: number, action: () => void): () => void {
    return systemClock.startTimer(delayMs, action);
  }

  advance(ms: number): void {
    this.#nowMs += ms;
  }
}

/**
 * A clock whose timers end only when it is advanced past them, and those without a delay in the next turn: nothing that
 * depends on it happens sooner or later on a machine that is busy.
 */
export class HeldClock extends TestClock {
  readonly #timers = new Set<{ readonly dueMs: number; readonly action: () => void }>();

  /** Of those that wait for the clock. */
  get timerCount(): number {
    return this.#timers.size;
  }

  override startTimer(delayMs: number, action: () => void): () => void {
    if (delayMs <= 0) {
      const immediate = setImmediate(action);
      return () => clearImmediate(immediate);
    }
    const timer = { dueMs: this.monotonicMs() + delayMs, action };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  override advance(ms: number): void {
    super.advance(ms);
    const now = this.monotonicMs();
    const due = [...this.#timers].filter(({ dueMs }) => dueMs <= now).sort((a, b) => a.dueMs - b.dueMs);
    for (const timer of due) if (this.#timers.delete(timer)) timer.action();
  }
}

export interface TestMount {
  readonly fs: BucketFileSystem;
  readonly client: FileSystemClient;
  readonly reader: ObjectReader;
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
    this.#t = t;
    this.store = store;
    this.clock = clock;
    this.store.now = () => Number(this.clock.nowNs() / 1_000_000n);
  }

  mount(options: Partial<BucketFileSystemOptions> & { readonly store?: ObjectStore } = {}): TestMount {
    const { log, lines } = makeLog();
    const store = options.store ?? this.store;
    const memory = new ReadMemory({ cacheBytes: 1024 * 1024 });
    const reader = new ObjectReader({ store, memory, blockBytes: 4096, log });
    const area = new StagingArea({
      memoryBytes: 1024 * 1024,
      spillDirectory: tmpdir(),
      spillBytes: 2 ** 30,
      log,
    });
    const fs = new BucketFileSystem({
      store,
      reader,
      area,
      uploads: new UploadLimiter({ maxConcurrentUploads: 4 }),
      prefix: '',
      defaults: { uid: 1000, gid: 1000, filePermissions: 0o644, directoryPermissions: 0o755 },
      metadataTtlMs,
      isReadOnly: false,
      attributeDelayMs: 0,
      rewriteBytes: 0,
      clock: this.clock,
      log,
      ...options,
    });
    this.#t.teardown(async () => {
      fs.abandon();
      await fs.stop().catch(() => undefined); // tests of failures leave things that cannot be stored
      reader.stop();
      await area.stop();
    });
    return { fs, client: new FileSystemClient(fs), reader, lines };
  }
}
