/** A mount beside the model of it: what the operations of all kinds are done with. */
import type { ExecutionContext } from 'ava';
import { FsError } from '../../../src/errors.js';
import { HeldClock } from '../../clock.js';
import { MemoryObjectStore } from '../../object-store/memory-object-store.js';
import type { FileSystemClient } from '../file-system-client.js';
import { Fixture, metadataTtlMs, type TestMount } from '../file-system-fixture.js';
import { ModelState, type ModelFile } from './model-state.js';
import { ServerFaults } from './server-faults.js';

export class ModelledMount {
  readonly state = new ModelState();
  readonly store = new MemoryObjectStore({ minPartSize: 64 });
  readonly faults = new ServerFaults(this.store);
  readonly #fixture: Fixture;
  #mount: TestMount;

  constructor(t: Pick<ExecutionContext, 'teardown'>) {
    this.#fixture = new Fixture(t, this.store, new HeldClock());
    this.#mount = this.#newMount();
  }

  get client(): FileSystemClient {
    return this.#mount.client;
  }

  /** Undefined if it failed, as it may while the server does. */
  async attempt<T>(action: () => Promise<T>): Promise<T | undefined> {
    try {
      return await action();
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
      await action();
    } catch (error) {
      if (error instanceof FsError && error.code === code) return;
      if (this.faults.allows(error)) return;
      throw error;
    }
    throw new Error(`${path}: expected ${code}`);
  }

  /** What is known of the bucket is too old afterwards. */
  expire(): void {
    this.#fixture.clock.advance(metadataTtlMs);
  }

  /** After a store that failed, or that nobody waited for: waits until the background has done it. */
  async settle(file: ModelFile): Promise<void> {
    await this.synchronizeAll();
    if (!this.state.isBeingWritten(file)) this.state.commit(file);
  }

  /** Stores what is closed, on a server that works. */
  async synchronizeAll(): Promise<void> {
    this.faults.end();
    await this.#mount.fs.synchronizeAll('what is closed');
    for (const file of this.state.files.values()) {
      if (this.state.isBeingWritten(file)) continue;
      this.state.commit(file);
      file.formerPermissions = [];
    }
  }

  async remount(): Promise<void> {
    await this.stop();
    for (const file of this.state.files.values()) this.state.commit(file);
    this.#mount = this.#newMount();
  }

  /** Closes and stores everything. */
  async stop(): Promise<void> {
    this.faults.end();
    for (const { open, file, hasWritten } of this.state.handles) {
      await open.close();
      file.openCount -= 1;
      if (hasWritten) this.state.commit(file);
    }
    this.state.handles = [];
    await this.synchronizeAll();
    await this.#mount.fs.stop();
  }

  check(when: string): void {
    this.state.checkBucket(this.store, when);
    this.#mount.fs.checkInvariants();
  }

  /** Once it has stopped. */
  checkNothingIsLeft(): void {
    this.state.checkBucket(this.store, 'at the end');
    const { inodes, openHandles } = this.#mount.fs.statisticsOfCaches();
    if (inodes !== 1 || openHandles !== 0)
      throw new Error(`${inodes - 1} inodes and ${openHandles} handles are left`);
    if (this.store.uploads.size > 0) throw new Error('an upload was left open');
  }

  #newMount(): TestMount {
    return this.#fixture.mount({ attributeDelayMs: 1_000_000 });
  }
}
