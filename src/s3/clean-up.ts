/** What is removed from the server after something went wrong. */
import type { Log } from '../log.js';

/** Also after an interrupt: nothing is to be left. */
export const cleanUpTimeoutMs = 30_000;

/** Runs `remove` with a signal of its own. Never rejects: what stays on the server is logged. */
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
