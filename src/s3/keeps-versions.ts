/** Whether a bucket keeps versions of its objects, asked once before it is used. */
import type { Log } from '../log.js';
import { BucketAdministration } from './bucket-administration.js';
import type { S3Connection } from './connect.js';

/**
 * Also if it did once, and some are left. AWS is not asked: it makes no difference there. Who may not know gets false; a reply to
 * a write tells then. Never rejects.
 */
export async function keepsVersions(
  { client, endpoint }: Pick<S3Connection, 'client' | 'endpoint'>,
  bucket: string,
  log: Log,
  signal: AbortSignal,
): Promise<boolean> {
  if (endpoint === undefined) return false;
  try {
    return (await new BucketAdministration({ client, bucket, log }).getVersioning(signal)) !== undefined;
  } catch (error) {
    // What is wrong with the bucket or the connection is found and explained right after this.
    log.debug({ error }, 'whether the bucket keeps versions cannot be asked');
    return false;
  }
}
