/** Whether the policy of a bucket demands one more header of each write. */
import { BucketAdministration } from '../s3/bucket-administration.js';
import { askBucket, type QuestionOptions } from '../s3/bucket-questions.js';
import { demandsEncryptionHeader } from './force-encryption.js';

/**
 * Whether the policy demands `x-amz-server-side-encryption` too. On old Ceph a policy can demand encryption in no other way; AWS
 * refuses the header together with a customer key. False if there is no policy, or if it may not be read. Rejects only when `signal` aborts.
 */
export async function needsEncryptionHeader(options: QuestionOptions, signal: AbortSignal): Promise<boolean> {
  const { bucket, log } = options;
  const ask = (administration: BucketAdministration) => isDemanded(administration, signal);
  if (!(await askBucket('GET BUCKET POLICY', ask, options, signal))) return false;
  log.info({ bucket }, demandedText);
  return true;
}

/** The same, after the bucket refused a write. Rejects with a StoreError if the policy cannot be read. */
export async function needsEncryptionHeaderNow(
  { connection, bucket, log }: QuestionOptions,
  signal: AbortSignal,
): Promise<boolean> {
  const isDemandedNow = await isDemanded(
    new BucketAdministration({ access: connection, bucket, log }),
    signal,
  );
  log.info(
    { bucket },
    isDemandedNow ? demandedText : "the bucket's policy does not demand x-amz-server-side-encryption",
  );
  return isDemandedNow;
}

const demandedText =
  "the bucket's policy demands x-amz-server-side-encryption, which is sent; where the server denies multipart uploads under it, as Ceph 16 does, files go by one PUT each, and those above 5 GiB fail with EACCES";

async function isDemanded(administration: BucketAdministration, signal: AbortSignal): Promise<boolean> {
  const policy = await administration.getPolicy(signal);
  return policy !== undefined && demandsEncryptionHeader(policy);
}
