/** The SSE-C fields of requests: https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html */
import type { CustomerKey } from '../customer-key.js';

export interface EncryptionFields {
  readonly SSECustomerAlgorithm: 'AES256';
  readonly SSECustomerKey: string;
  readonly SSECustomerKeyMD5: string;
}

export interface CopySourceEncryptionFields {
  readonly CopySourceSSECustomerAlgorithm: 'AES256';
  readonly CopySourceSSECustomerKey: string;
  readonly CopySourceSSECustomerKeyMD5: string;
}

/** Secret: for requests only. */
export function encryptionFields(customerKey: CustomerKey): EncryptionFields {
  return {
    SSECustomerAlgorithm: 'AES256',
    SSECustomerKey: customerKey.toBase64(),
    SSECustomerKeyMD5: customerKey.fingerprint,
  };
}

/** Secret: for requests only. */
export function copySourceEncryptionFields(customerKey: CustomerKey): CopySourceEncryptionFields {
  return {
    CopySourceSSECustomerAlgorithm: 'AES256',
    CopySourceSSECustomerKey: customerKey.toBase64(),
    CopySourceSSECustomerKeyMD5: customerKey.fingerprint,
  };
}

/** For requests that begin an object: PUT, CreateMultipartUpload, CopyObject. */
export interface NewObjectFields extends EncryptionFields {
  readonly ServerSideEncryption?: 'AES256';
}

/**
 * Secret: for requests only. `extraEncryptionHeader`: also `x-amz-server-side-encryption: AES256`, which bucket policies for
 * old Ceph demand and AWS refuses.
 */
export function newObjectFields(customerKey: CustomerKey, extraEncryptionHeader: boolean): NewObjectFields {
  return {
    ...encryptionFields(customerKey),
    ...(extraEncryptionHeader && { ServerSideEncryption: 'AES256' }),
  };
}
