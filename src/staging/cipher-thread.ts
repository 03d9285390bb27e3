/**
 * A thread that encrypts what is spilled. Node's ciphers return garbage as large as what they encrypt. Collecting it goes through
 * the whole heap of the thread that made it, and this thread's heap is nearly empty.
 */
import { Worker } from 'node:worker_threads';
import type { CipherReply, CipherRequest } from './cipher-thread-main.js';

interface Waiting {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

class CipherThread {
  readonly #worker = new Worker(new URL('./cipher-thread-main.js', import.meta.url), { env: {}, argv: [] });
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #failure: Error | undefined;

  constructor() {
    this.#worker.unref();
    this.#worker.on('message', ({ id, error }: CipherReply) => {
      const waiting = this.#waiting.get(id);
      this.#settle(id);
      if (error === undefined) waiting?.resolve();
      else waiting?.reject(new Error(error));
    });
    this.#worker.on('error', (error) => this.#fail(error));
    this.#worker.on('exit', (code) =>
      this.#fail(new Error(`the thread that encrypts has ended with ${code}`)),
    );
  }

  get hasFailed(): boolean {
    return this.#failure !== undefined;
  }

  run(work: Omit<CipherRequest, 'id'>): Promise<void> {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.ref(); // the process must not end before the answer
      this.#worker.postMessage({ id, ...work } satisfies CipherRequest);
    });
  }

  #settle(id: number): void {
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) this.#worker.unref();
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const [id, { reject }] of this.#waiting) {
      this.#settle(id);
      reject(this.#failure);
    }
  }
}

let current: CipherThread | undefined;

/**
 * AES-256-CTR, in place: `bytes` are in shared memory. `counter` is the first block, 16 bytes. Rejects if the input is wrong or
 * there can be no thread. One thread does all work. It starts with the first call and does not keep the process from ending.
 */
export async function encryptInThread(
  key: Uint8Array,
  counter: Uint8Array,
  bytes: Uint8Array,
): Promise<void> {
  if (!current || current.hasFailed) current = new CipherThread();
  await current.run({ key, counter, bytes });
}
