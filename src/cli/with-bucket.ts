/** Reaches the bucket of a command. Apart from the options, as the layers below it take half a second to load. */
import { openBucket, type OpenBucket } from '../bucket-access.js';
import type { AccessConfig } from '../config.js';
import { readKeyRing } from '../keys/customer-key-file.js';
import { startLogging } from '../logging.js';
import { explanations } from '../s3/error-codes.js';
import { limitCoreDumps } from '../native/limit-core-dumps.js';
import { clearUnfinishedLine, complain } from './terminal.js';

/** Reads the keys and reaches the bucket, hands it to `work`, and frees it again. */
export async function withBucket<T>(
  config: AccessConfig,
  signal: AbortSignal,
  work: (bucket: OpenBucket) => Promise<T>,
): Promise<T> {
  limitCoreDumps();
  const keyRing = await readKeyRing(config.keyFiles);
  const { log } = startLogging({ level: 'error' });
  const bucket = await openBucket(config, keyRing, log, signal, ({ code }) => sayWaiting(explanations[code]));
  try {
    return await work(bucket);
  } finally {
    bucket.close();
  }
}

/** A line of its own also where a bar of progress is shown, which comes again at once. */
function sayWaiting(reason: string): void {
  clearUnfinishedLine();
  complain(`not answered yet (${reason}); trying again`);
}
