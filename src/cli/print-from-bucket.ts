/** The frame of commands that print long results from one bucket. */
import type { AccessConfig } from '../config.js';
import type { ObjectStore } from '../object-store.js';
import { LineOutput, OutputClosed } from './line-output.js';
import { untilInterrupted } from './stop-signal.js';

/** Resolves with the exit code of `work`, or with `codeIfClosed` if the reader of the output stops before it ends. */
export async function printFromBucket(
  config: AccessConfig,
  codeIfClosed: number,
  work: (store: ObjectStore, output: LineOutput, signal: AbortSignal) => Promise<number>,
): Promise<number> {
  const output = new LineOutput();
  try {
    const { withBucket } = await import('./with-bucket.js');
    return await untilInterrupted((signal) =>
      withBucket(config, signal, ({ store }) => work(store, output, signal)),
    );
  } catch (error) {
    if (error instanceof OutputClosed) return codeIfClosed;
    throw error;
  }
}
