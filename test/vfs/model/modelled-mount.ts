/** A mount beside the model of it: what the operations of all kinds are done with. */
import type { ExecutionContext } from 'ava';
import { FsError } from '../../../src/errors.js';
import { RetryingObjectStore } from '../../../src/s3/retrying-object-store.js';
import type { InodeId } from '../../../src/file-system.js';
import { HeldClock } from '../../clock.js';
import { manyTurns } from '../../patience.js';
import { MemoryObjectStore } from '../../object-store/memory-object-store.js';
import { defaultCall, FileSystemClient } from '../file-system-client.js';
import { Fixture, metadataTtlMs, type TestMount } from '../file-system-fixture.js';
import { patientPolicy } from '../patient-policy.js';
import { ModelState, type ModelFile } from './model-state.js';
import { pick, type FaultOperation } from './operations.js';
import { ServerFaults } from './server-faults.js';

/** Whether the requests go to the server, or to what repeats them while it fails, as in a real mount. */
export type Server = 'bare' | 'retried';

export class ModelledMount {
  readonly state = new ModelState();
  readonly store = new MemoryObjectStore({ minPartSize: 64 });
  readonly faults: ServerFaults;
  /** Whether a file may be shown as one that cannot be read, which it could not be a moment ago. */
  mayShowUnreadable = false;
  readonly #isRetried: boolean;
  readonly #fixture: Fixture;
  #interruption = new AbortController();
  #mount: TestMount;
  #client: FileSystemClient;
  #held: InodeId[] = [];

  constructor(t: Pick<ExecutionContext, 'teardown'>, server: Server) {
    this.#isRetried = server === 'retried';
    this.faults = new ServerFaults(this.store, this.#isRetried);
    this.#fixture = new Fixture(t, this.store, new HeldClock());
    this.#mount = this.#newMount();
    this.#client = this.#newClient();
  }

  get client(): FileSystemClient {
    return this.#client;
  }

  /** Undefined if it failed, as it may while the server does. */
  async attempt<T>(action: () => Promise<T>): Promise<T | undefined> {
    try {
      return await this.#run(action);
    } catch (error) {
      if (this.faults.allows(error)) return undefined;
      throw error;
    }
  }

  /** False if it failed, as it may while the server does. */
  async succeeds(action: () => Promise<unknown>): Promise<boolean> {
    return (await this.attempt(() => action().then(() => true))) ?? false;
  }

  async expectFailure(action: () => Promise<unknown>, code: string, path: string): Promise<void> {
    try {
      await this.#run(action);
    } catch (error) {
      if (error instanceof FsError && error.code === code) return;
      if (this.faults.allows(error)) return;
      throw error;
    }
    throw new Error(`${path}: expected ${code}`);
  }

  /** As a kernel does with what it has looked up. */
  async hold(path: string): Promise<void> {
    const client = this.#client;
    await client.withParent(path, async (parent, name) => {
      const { inode } = await client.fs.lookup({ parent, name }, client.call);
      client.hold(inode);
      this.#held.push(inode);
    });
  }

  forget(): void {
    for (const inode of this.#held) this.#client.drop(inode);
    this.#held = [];
  }

  /** What is known of the bucket is too old afterwards. */
  expire(): void {
    this.#fixture.clock.advance(metadataTtlMs);
    if (this.faults.kind !== 'deny') this.mayShowUnreadable = false;
  }

  /** The store tells when an object was stored in whole seconds: the same bytes, stored again within one, look the same. */
  nextSecond(): void {
    this.#fixture.clock.advance(1000);
  }

  beginFault(fault: FaultOperation): void {
    if (fault.kind === 'deny' && fault.isUnexpected) this.expire();
    this.faults.begin(fault, fault.kind === 'deny' ? this.#deniedKeyOf(fault.key) : undefined);
    this.mayShowUnreadable ||= this.faults.kind === 'deny';
  }

  /** After an operation that failed although it may have been done: what the bucket says, once nothing is on its way. */
  async exists(path: string): Promise<boolean> {
    await this.synchronizeAll();
    this.expire();
    try {
      await this.client.stat(path);
      return true;
    } catch (error) {
      if (error instanceof FsError && error.code === 'ENOENT') return false;
      throw error;
    }
  }

  /** After a store that failed, or that nobody waited for: waits until the background has done it. */
  async settle(file: ModelFile, wasSilent = this.faults.kind === 'silence'): Promise<void> {
    await this.synchronizeAll();
    if (this.state.isBeingWritten(file)) {
      if (!wasSilent) return;
      // What was under way may have been stored, or not: now it is.
      const writer = this.state.handles.find((handle) => handle.file === file && handle.canWrite);
      await writer?.open.synchronize();
    }
    this.state.commit(file);
  }

  /** Stores what is closed, on a server that works. */
  async synchronizeAll(): Promise<void> {
    await this.faults.end();
    await this.#mount.fs.synchronizeAll('what is closed');
    for (const file of this.state.files.values()) {
      if (this.state.isBeingWritten(file)) {
        this.state.noteStoredUnlessChanged(file);
        continue;
      }
      this.state.commit(file);
      file.formerPermissions = [];
      file.hasUnstoredAttributes = false;
    }
  }

  async remount(): Promise<void> {
    await this.stop();
    for (const file of this.state.files.values()) this.state.commit(file);
    this.#mount = this.#newMount();
    this.#client = this.#newClient();
    this.mayShowUnreadable = false;
  }

  /** Closes and stores everything. */
  async stop(): Promise<void> {
    await this.faults.end();
    for (const { open, file, hasWritten } of this.state.handles) {
      await open.close();
      file.openCount -= 1;
      if (hasWritten !== false) this.state.commit(file);
    }
    this.state.handles = [];
    this.forget();
    await this.synchronizeAll();
    await this.#mount.fs.stop();
  }

  check(when: string): void {
    this.state.checkBucket(this.store, when);
    this.#mount.fs.checkInvariants();
  }

  /** Once it has stopped. */
  async checkNothingIsLeft(): Promise<void> {
    await manyTurns(); // of what the background finds stored already
    this.state.checkBucket(this.store, 'at the end');
    const { inodes, openHandles } = this.#mount.fs.statisticsOfCaches();
    if (inodes !== 1 || openHandles !== 0)
      throw new Error(`${inodes - 1} inodes and ${openHandles} handles are left`);
    if (this.store.uploads.size > 0) throw new Error('an upload was left open');
  }

  /** Undefined: all. */
  #deniedKeyOf(number: number): string | undefined {
    const { files, directories } = this.state;
    const markers = [...directories].filter((path) => path !== '').map((path) => `${path}/`);
    return number % 4 === 0 ? undefined : pick([...files.keys(), ...markers, 'a'], Math.floor(number / 4));
  }

  async #run<T>(action: () => Promise<T>): Promise<T> {
    try {
      return await this.faults.run(action, () => this.#interruption.abort());
    } finally {
      this.#interruption = new AbortController();
    }
  }

  #newMount(): TestMount {
    const store = this.#isRetried ? new RetryingObjectStore(this.store, patientPolicy().policy) : this.store;
    return this.#fixture.mount({ attributeDelayMs: 1_000_000, store });
  }

  #newClient(): FileSystemClient {
    const interruption = () => this.#interruption;
    return new FileSystemClient(this.#mount.fs, {
      ...defaultCall,
      get signal() {
        return interruption().signal;
      },
    });
  }
}
