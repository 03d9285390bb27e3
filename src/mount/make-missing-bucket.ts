/** `--create`: makes a bucket for a mount. */
import type { MountConfig } from '../settings/config.js';
import { StoreError } from '../errors.js';
import type { MountResources } from './mount-resources.js';
import { madeSentence, makeBucket } from '../s3/create-bucket.js';
import { isOsiris } from '../s3/osiris-sites.js';

/** Resolves with a sentence that says what was made. Rejects with a StoreError; its message may be the server's words. */
export async function makeMissingBucket(
  bucket: string,
  { location = '' }: Pick<MountConfig, 'location'>,
  { connection, log }: MountResources,
  signal: AbortSignal,
): Promise<string> {
  const { client, endpoint } = connection;
  if (isOsiris(endpoint)) requireOrganisation(bucket, location);
  const sentence = madeSentence(bucket, location, await makeBucket(client, bucket, location, signal));
  log.info({ bucket, location }, sentence);
  return sentence;
}

/** A bucket of a virtual organisation (COU) begins with its name, and has the placement of that name. */
function requireOrganisation(bucket: string, location: string): void {
  if (!location.startsWith(':')) {
    throw new StoreError(
      'InvalidRequest',
      `to make the bucket ${bucket} at OSiRIS, name your virtual organisation in lower case: --location :COU`,
    );
  }
  const prefix = `${location.slice(1)}-`;
  if (bucket.startsWith(prefix) && bucket.length > prefix.length) return;
  throw new StoreError(
    'InvalidRequest',
    `there is no bucket ${bucket}, and buckets with --location ${location} have to begin with ${prefix}`,
  );
}
