/** Whether what is written to a bucket needs a header more, because of its policy. */
import { BucketAdministration } from '../s3/bucket-administration.js';
import { askBucket, type QuestionOptions } from '../s3/bucket-questions.js';
import { demandsEncryptionHeader } from './force-encryption.js';

/**
 * Whether the policy wants `x-amz-server-side-encryption` too, as old Ceph's can only do; AWS refuses it with a customer
 * key. Who may not read the policy, or if there is none, goes without. Rejects only when `signal` aborts.
 */
export async function needsEncryptionHeader(options: QuestionOptions, signal: AbortSignal): Promise<boolean> {
  const { bucket, log } = options;
  const ask = (administration: BucketAdministration) => isDemanded(administration, signal);
  if (!(await askBucket('GET BUCKET POLICY', ask, options, signal))) return false;
  log.info({ bucket }, demandedText);
  return true;
}

/** The same for a bucket that is being written to, and refuses something. Rejects with a StoreError if the policy cannot be read. */
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
