/** The code that the thread of `cipher-thread.ts` runs. */
import { createCipheriv } from 'node:crypto';
import { parentPort } from 'node:worker_threads';

export interface CipherRequest {
  readonly id: number;
  readonly key: Uint8Array;
  /** The first block. */
  readonly counter: Uint8Array;
  /** Shared memory. The result replaces what is in it. */
  readonly bytes: Uint8Array;
}

export interface CipherReply {
  readonly id: number;
  readonly error: string | undefined;
}

parentPort?.on('message', ({ id, key, counter, bytes }: CipherRequest) => {
  let error: string | undefined;
  try {
    bytes.set(createCipheriv('aes-256-ctr', key, counter).update(bytes));
  } catch (failure) {
    error = String(failure);
  }
  parentPort?.postMessage({ id, error } satisfies CipherReply);
});
