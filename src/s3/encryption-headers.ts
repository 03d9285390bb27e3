/**
 * The SSE-C headers of requests and replies:
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html
 */
import type { CustomerKey } from '../keys/customer-key.js';
import type { HeaderField } from '../http/connection.js';

const prefix = 'x-amz-server-side-encryption-customer-';

/** Secret: for requests only. */
export function encryptionHeaders(customerKey: CustomerKey): readonly HeaderField[] {
  return customerKeyHeaders(prefix, customerKey);
}

/** For the source of a copy. Secret: for requests only. */
export function copySourceEncryptionHeaders(customerKey: CustomerKey): readonly HeaderField[] {
  return customerKeyHeaders('x-amz-copy-source-server-side-encryption-customer-', customerKey);
}

/**
 * For requests that begin an object: PUT, CreateMultipartUpload, CopyObject. Secret: for requests only. `extraEncryptionHeader`
 * adds `x-amz-server-side-encryption: AES256`, which bucket policies for old Ceph demand and AWS refuses.
 */
export function newObjectEncryption(
  customerKey: CustomerKey,
  extraEncryptionHeader: boolean,
): readonly HeaderField[] {
  const headers = encryptionHeaders(customerKey);
  return extraEncryptionHeader ? [...headers, ['x-amz-server-side-encryption', 'AES256']] : headers;
}

/** What a reply says about the encryption of its object. */
export interface EncryptionReply {
  /** `AES256`; undefined if it is not encrypted under a customer key. */
  readonly algorithm: string | undefined;
  /** Base64. */
  readonly keyMd5: string | undefined;
}

export function encryptionOf(headers: ReadonlyMap<string, string>): EncryptionReply {
  return { algorithm: headers.get(`${prefix}algorithm`), keyMd5: headers.get(`${prefix}key-md5`) };
}

function customerKeyHeaders(namePrefix: string, customerKey: CustomerKey): readonly HeaderField[] {
  return [
    [`${namePrefix}algorithm`, 'AES256'],
    [`${namePrefix}key`, customerKey.toBase64()],
    [`${namePrefix}key-md5`, customerKey.fingerprint],
  ];
}
