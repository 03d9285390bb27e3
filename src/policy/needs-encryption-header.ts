/** Whether what is written to a bucket needs a header more, because of its policy. */
import type { Log } from '../log.js';
import { BucketAdministration } from '../s3/bucket-administration.js';
import type { S3Connection } from '../s3/connect.js';
import { demandsEncryptionHeader } from './force-encryption.js';

/**
 * Whether the policy wants `x-amz-server-side-encryption` too, as old Ceph's can only do; AWS refuses it with a customer
 * key. Who may not read the policy, or if there is none, goes without. Never rejects.
 */
export async function needsEncryptionHeader(
  { client, endpoint }: Pick<S3Connection, 'client' | 'endpoint'>,
  bucket: string,
  log: Log,
  signal: AbortSignal,
): Promise<boolean> {
  if (endpoint === undefined) return false;
  try {
    const policy = await new BucketAdministration({ client, bucket, log }).getPolicy(signal);
    if (policy === undefined || !demandsEncryptionHeader(policy)) return false;
  } catch (error) {
    // What is wrong with the bucket or the connection is found and explained right after this.
    log.debug({ error }, 'the policy of the bucket cannot be read');
    return false;
  }
  log.info(
    { bucket },
    "the bucket's policy demands x-amz-server-side-encryption, which is sent; where the server denies multipart uploads under it, as Ceph 16 does, files go by one PUT each, and those above 5 GiB fail with EACCES",
  );
  return true;
}
