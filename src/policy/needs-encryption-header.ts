/** Whether what is written to a bucket needs a header more, because of its policy. */
import { askBucket, type QuestionOptions } from '../s3/bucket-questions.js';
import { demandsEncryptionHeader } from './force-encryption.js';

/**
 * Whether the policy wants `x-amz-server-side-encryption` too, as old Ceph's can only do; AWS refuses it with a customer
 * key. Who may not read the policy, or if there is none, goes without. Rejects only when `signal` aborts.
 */
export async function needsEncryptionHeader(options: QuestionOptions, signal: AbortSignal): Promise<boolean> {
  const { bucket, log } = options;
  const isDemanded = await askBucket(
    'GET BUCKET POLICY',
    async (administration) => {
      const policy = await administration.getPolicy(signal);
      return policy !== undefined && demandsEncryptionHeader(policy);
    },
    options,
    signal,
  );
  if (!isDemanded) return false;
  log.info(
    { bucket },
    "the bucket's policy demands x-amz-server-side-encryption, which is sent; where the server denies multipart uploads under it, as Ceph 16 does, files go by one PUT each, and those above 5 GiB fail with EACCES",
  );
  return true;
}
