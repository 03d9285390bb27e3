/** Removes leftovers from the server after a failure. */
import type { Log } from '../log.js';

/** Has a signal of its own, so that nothing stays behind after an interrupt. */
export const cleanUpTimeoutMs = 30_000;

/** Runs `remove` with a signal of its own. Never rejects; logs what stays on the server. */
export async function cleanUp(
  { log, message, ...fields }: { readonly log: Log; readonly key: string; readonly message: string },
  remove: (signal: AbortSignal) => Promise<unknown>,
): Promise<void> {
  try {
    await remove(AbortSignal.timeout(cleanUpTimeoutMs));
  } catch (error) {
    log.warn({ ...fields, err: error }, message);
  }
}
