/** Reaches the bucket of a command. Only run-X.ts files import this: it loads all layers below, which takes half a second. */
import { openBucket, type BucketAccess } from '../mount/bucket-access.js';
import type { AccessConfig } from '../settings/config.js';
import { readKeyRing } from '../keys/customer-key-file.js';
import { startLogging } from './logging.js';
import { limitCoreDumps } from '../native/limit-core-dumps.js';
import type { ObjectStore } from '../object-store.js';
import { storeErrorFacts } from '../store-error-facts.js';
import { LineOutput, OutputClosed } from './line-output.js';
import { untilInterrupted } from './stop-signal.js';
import { clearUnfinishedLine, complain } from './terminal.js';

/** Reads the keys and reaches the bucket, hands it to `work`, and frees it again. */
export async function withBucket<T>(
  config: AccessConfig,
  signal: AbortSignal,
  work: (bucket: BucketAccess) => Promise<T>,
): Promise<T> {
  limitCoreDumps();
  const keyRing = await readKeyRing(config.keyFiles);
  const { log } = startLogging({ level: 'error' });
  const bucket = await openBucket(config, keyRing, log, signal, ({ code }) =>
    sayWaiting(storeErrorFacts[code].meaning),
  );
  try {
    return await work(bucket);
  } finally {
    bucket.close();
  }
}

/**
 * The frame of commands that print long results. Resolves with the exit code of `work`, or with `codeIfClosed` if the reader of the
 * output stops before it ends.
 */
export async function printFromBucket(
  config: AccessConfig,
  codeIfClosed: number,
  work: (store: ObjectStore, output: LineOutput, signal: AbortSignal) => Promise<number>,
): Promise<number> {
  const output = new LineOutput();
  try {
    return await untilInterrupted((signal) =>
      withBucket(config, signal, ({ store }) => work(store, output, signal)),
    );
  } catch (error) {
    if (error instanceof OutputClosed) return codeIfClosed;
    throw error;
  }
}

/** Prints a line of its own even where a progress bar is shown; the bar comes back at once. */
function sayWaiting(reason: string): void {
  clearUnfinishedLine();
  complain(`not answered yet (${reason}); trying again`);
}
