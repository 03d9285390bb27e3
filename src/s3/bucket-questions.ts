/** Questions to a bucket that answers, before anything is written to it. */
import type { Log } from '../log.js';
import { BucketAdministration } from './bucket-administration.js';
import type { S3Access } from './bucket-client.js';
import type { S3Connection } from './connect.js';
import type { RetryPolicy } from './retry-policy.js';

export interface QuestionOptions {
  readonly connection: S3Access & Pick<S3Connection, 'endpoint'>;
  readonly bucket: string;
  /** The answer counts for as long as the bucket is used, so what fails for a moment is asked again. */
  readonly retry: RetryPolicy;
  readonly log: Log;
}

/**
 * Whether the bucket is as `question` says. AWS is not asked, since it makes no difference there. False if the credentials may
 * not ask. Rejects only when `signal` aborts.
 */
export async function askBucket(
  subject: string,
  question: (administration: BucketAdministration) => Promise<boolean>,
  { connection, bucket, retry, log }: QuestionOptions,
  signal: AbortSignal,
): Promise<boolean> {
  if (connection.endpoint === undefined) return false;
  const administration = new BucketAdministration({ access: connection, bucket, log });
  try {
    return await retry.run(`${subject} ${bucket}`, () => question(administration), signal);
  } catch (error) {
    if (signal.aborted) throw error;
    log.debug({ subject, err: error }, 'a bucket does not say that of itself');
    return false;
  }
}

/**
 * True also if the bucket kept versions once and still has some. If this is false although it does, the reply to a write tells.
 */
export async function keepsVersions(options: QuestionOptions, signal: AbortSignal): Promise<boolean> {
  const ask = async (bucket: BucketAdministration) => (await bucket.getVersioning(signal)) !== undefined;
  return await askBucket('GET BUCKET VERSIONING', ask, options, signal);
}
