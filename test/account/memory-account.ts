/** An account whose buckets are in memory, and the file system over all of them. */
import type { ExecutionContext } from 'ava';
import { AccountFileSystem, type AccountFileSystemOptions } from '../../src/account/account-file-system.js';
import type { BucketFacts, Buckets } from '../../src/account/buckets.js';
import { StoreError, type StoreErrorCode } from '../../src/errors.js';
import { MemoryObjectStore } from '../object-store/memory-object-store.js';
import { TestClock } from '../clock.js';
import { Fixture, makeLog, metadataTtlMs, type LogLine } from '../vfs/file-system-fixture.js';
import { FileSystemClient } from '../vfs/file-system-client.js';

export const idleMs = 300_000;
export const createdAtMs = 1_600_000_000_000;

export class MemoryAccount implements Buckets {
  readonly clock: TestClock;
  /** One's own, by name. */
  readonly own = new Map<string, MemoryObjectStore>();
  /** Others', which only their name leads to. */
  readonly others = new Map<string, MemoryObjectStore>();
  /** What opening a bucket, or listing (''), is refused with. */
  readonly refusals = new Map<string, StoreErrorCode>();
  readonly calls: string[] = [];
  /** Awaited before a bucket is opened. */
  beforeOpen: Promise<void> = Promise.resolve();
  readonly make: Buckets['make'];
  readonly #t: ExecutionContext;

  constructor(
    t: ExecutionContext,
    names: readonly string[],
    { canMake = false, clock = new TestClock() } = {},
  ) {
    this.#t = t;
    this.clock = clock;
    for (const name of names) this.own.set(name, new MemoryObjectStore({ minPartSize: 64 }));
    this.make = canMake
      ? (name) => {
          this.calls.push(`make ${name}`);
          this.own.set(name, new MemoryObjectStore({ minPartSize: 64 }));
          return Promise.resolve();
        }
      : undefined;
  }

  list(): Promise<readonly BucketFacts[]> {
    this.calls.push('list');
    const refusal = this.refusals.get('');
    if (refusal) return Promise.reject(new StoreError(refusal, 'list: refused'));
    return Promise.resolve([...this.own.keys()].map((name) => ({ name, createdAtMs })));
  }

  exists(name: string): Promise<boolean> {
    this.calls.push(`exists ${name}`);
    if (this.refusals.get(name) === 'AccessDenied') {
      return Promise.reject(new StoreError('AccessDenied', `head ${name}: refused`));
    }
    return Promise.resolve(this.own.has(name) || this.others.has(name));
  }

  async open({ name, createdAtMs: timeMs }: BucketFacts) {
    this.calls.push(`open ${name}`);
    await this.beforeOpen;
    const refusal = this.refusals.get(name);
    if (refusal) throw new StoreError(refusal, `open ${name}: refused`);
    const store = this.own.get(name) ?? this.others.get(name);
    if (!store) throw new StoreError('NoSuchBucket', `open ${name}: gone`);
    const { fs } = new Fixture(this.#t, store).mount({
      clock: this.clock,
      ...(timeMs !== undefined && { rootTimeNs: BigInt(timeMs) * 1_000_000n }),
    });
    return { fileSystem: fs, close: () => void this.calls.push(`close ${name}`) };
  }

  /** The whole as a mount. */
  mount(options: Partial<AccountFileSystemOptions> = {}): {
    readonly fs: AccountFileSystem;
    readonly client: FileSystemClient;
    readonly lines: LogLine[];
    readonly drops: string[];
  } {
    const { log, lines } = makeLog();
    const drops: string[] = [];
    const fs = new AccountFileSystem({
      buckets: this,
      defaults: { uid: 1000, gid: 1000, filePermissions: 0o644, directoryPermissions: 0o755 },
      metadataTtlMs,
      negativeTtlMs: 1000,
      isReadOnly: false,
      idleMs,
      clock: this.clock,
      log,
      ...options,
    });
    fs.start({
      dropInode: (inode) => Promise.resolve(void drops.push(`inode ${inode}`)),
      dropEntry: (parent, name) => Promise.resolve(void drops.push(`entry ${parent} ${name}`)),
    });
    this.#t.teardown(async () => {
      await fs.abandon();
      await fs.stop().catch(() => undefined);
    });
    return { fs, client: new FileSystemClient(fs), lines, drops };
  }

  /** A store with another's bytes, for buckets that are there. */
  store(name: string): MemoryObjectStore {
    const store = this.own.get(name) ?? this.others.get(name);
    if (!store) throw new Error(`no bucket ${name}`);
    return store;
  }
}
