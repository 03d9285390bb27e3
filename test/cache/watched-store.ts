/** A store in memory that remembers its GETs, and can hold their replies back. */
import type { GetReply, GetRequest } from '../../src/object-store.js';
import { MemoryObjectStore } from '../object-store/memory-object-store.js';

export class WatchedStore extends MemoryObjectStore {
  readonly gets: GetRequest[] = [];
  /** The keys of GETs that were aborted before their reply. */
  readonly abortedKeys: string[] = [];
  #gate: Promise<void> | undefined;
  #open: () => void = () => undefined;

  constructor() {
    super();
    this.beforeRequest = () => this.#gate;
  }

  /** From now on no request is answered. */
  hold(): void {
    this.#gate = new Promise((resolve) => (this.#open = resolve));
  }

  release(): void {
    this.#gate = undefined;
    this.#open();
  }

  override async get(request: GetRequest, signal: AbortSignal): Promise<GetReply> {
    this.gets.push(request);
    const onAbort = () => this.abortedKeys.push(request.key);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      return await super.get(request, signal);
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }
}
