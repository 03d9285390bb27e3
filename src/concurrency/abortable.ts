/** Waiting that a caller's AbortSignal can end. */
import { abortionOf, StoreError } from '../errors.js';

/** A promise that is settled from outside, unless the signal aborts first. */
export interface Waiter {
  readonly promise: Promise<void>;
  grant(): void;
  refuse(error: Error): void;
}

/**
 * `what` names the wait in the error. `onAbort` takes the waiter out of its queue; the promise then rejects with
 * `abortionOf` the signal. Throws that at once if the signal has aborted. Without a signal the wait cannot be ended.
 */
export function createWaiter(signal: AbortSignal | undefined, what: string, onAbort: () => void): Waiter {
  if (signal) throwIfAborted(signal, what);
  let grant: () => void = () => undefined;
  let refuse: (error: Error) => void = () => undefined;
  const promise = new Promise<void>((resolve, reject) => {
    const abort = () => {
      onAbort();
      if (signal) reject(abortionOf(signal, what));
    };
    signal?.addEventListener('abort', abort, { once: true });
    grant = () => {
      signal?.removeEventListener('abort', abort);
      resolve();
    };
    refuse = (error) => {
      signal?.removeEventListener('abort', abort);
      reject(error);
    };
  });
  return { promise, grant, refuse };
}

export function throwIfAborted(signal: AbortSignal, what: string): void {
  if (signal.aborted) throw abortionOf(signal, what);
}

/**
 * Settles as `promise` does, or rejects with `abortionOf` the signal as soon as it aborts. `promise` then goes on;
 * its failure is not reported here.
 */
export async function abortable<T>(promise: Promise<T>, signal: AbortSignal, what = 'waiting'): Promise<T> {
  promise.catch(() => undefined); // also if the signal has aborted already
  const waiter = createWaiter(signal, what, () => undefined);
  try {
    await Promise.race([promise, waiter.promise]);
  } finally {
    waiter.grant();
  }
  return promise;
}

/** Runs `work` with a controller that also aborts when one of `signals` does, and stops listening to them afterwards. */
export async function withLinkedController<T>(
  signals: readonly AbortSignal[],
  work: (controller: AbortController) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const aborts = signals.map((signal) => {
    // The reason tells a time limit from an interruption.
    const abort = () => controller.abort(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    return () => signal.removeEventListener('abort', abort);
  });
  try {
    return await work(controller);
  } finally {
    for (const letGo of aborts) letGo();
  }
}

/** Waits until all have settled, then throws the first failure that is not merely an abort, or else any failure. */
export async function settleAll<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  const results = await Promise.allSettled(promises);
  const values: T[] = [];
  const failures: unknown[] = [];
  for (const result of results) {
    if (result.status === 'fulfilled') values.push(result.value);
    else failures.push(result.reason);
  }
  if (failures.length > 0) {
    throw failures.find((error) => !(error instanceof StoreError && error.code === 'Aborted')) ?? failures[0];
  }
  return values;
}

const cleanupTimeoutMs = 60_000;

/** For what a failed operation takes away again, whatever has become of its caller. Ends after a minute. */
export function cleanupSignal(): AbortSignal {
  return AbortSignal.timeout(cleanupTimeoutMs);
}
