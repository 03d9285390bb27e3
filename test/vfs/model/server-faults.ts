/** What goes wrong with the server for a while, and which errors an operation may end with because of it. */
import { FsError } from '../../../src/errors.js';
import type { MemoryObjectStore } from '../../object-store/memory-object-store.js';
import type { FaultOperation } from './operations.js';

export class ServerFaults {
  readonly #store: MemoryObjectStore;
  #fault: FaultOperation | undefined;

  constructor(store: MemoryObjectStore) {
    this.#store = store;
  }

  get isActive(): boolean {
    return this.#fault !== undefined;
  }

  begin(fault: FaultOperation): void {
    if (this.#fault) return;
    this.#fault = fault;
    this.#store.failNext(fault.method, 'ServerError');
  }

  end(): void {
    this.#fault = undefined;
    this.#store.beforeRequest = () => undefined;
  }

  /** Whether an operation may fail so. */
  allows(error: unknown): boolean {
    return this.#fault !== undefined && error instanceof FsError && error.code === 'EIO';
  }
}
