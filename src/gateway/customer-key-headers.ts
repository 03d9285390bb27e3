/**
 * The SSE-C headers of requests, and the errors when they do not fit the object:
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html
 */
import { createHash } from 'node:crypto';
import { CustomerKey, customerKeyBytes } from '../keys/customer-key.js';
import type { Flavor } from './flavor.js';
import { headerOf, type S3Request } from './request.js';
import { S3Error } from './s3-error.js';
import { isKeyOf, type Protection } from './storage/protection.js';

const target = 'x-amz-server-side-encryption-customer-';
const copySource = 'x-amz-copy-source-server-side-encryption-customer-';
const sseC = 'Server Side Encryption with Customer provided keys';

/** For the object that is written or read. Undefined if the request brings no customer key. Throws an `S3Error`. */
export function customerKeyOf(request: S3Request): CustomerKey | undefined {
  return parseCustomerKey(request, target);
}

/** For the object that is copied from. */
export function copySourceKeyOf(request: S3Request): CustomerKey | undefined {
  return parseCustomerKey(request, copySource);
}

/** The customer key that a new object is to be encrypted under; undefined for a plain one. Throws an `S3Error`. */
export function newObjectKeyOf(request: S3Request, flavor: Flavor): CustomerKey | undefined {
  const customerKey = customerKeyOf(request);
  const other = headerOf(request, 'x-amz-server-side-encryption');
  if (other !== undefined && customerKey !== undefined && flavor.refusesOtherEncryption) {
    throw new S3Error('InvalidArgument', 'SSE-C and another server-side encryption exclude each other.');
  }
  if (
    other !== undefined &&
    customerKey === undefined &&
    (flavor.refusesOtherEncryption || other !== 'AES256')
  ) {
    throw new S3Error(flavor.unknownEncryption, 'This gateway encrypts under customer keys (SSE-C) only.');
  }
  return customerKey;
}

/**
 * The customer key that opens an object; undefined if it is not encrypted. Throws an `S3Error` if the request does not
 * bring it.
 */
export function openingKeyOf(
  request: S3Request,
  protection: Protection | undefined,
  customerKey: CustomerKey | undefined,
  flavor: Flavor,
): CustomerKey | undefined {
  if (protection === undefined) {
    if (customerKey !== undefined && flavor.refusesUnneededCustomerKey) {
      throw new S3Error('InvalidRequest', 'The encryption parameters are not applicable to this object.');
    }
    return undefined;
  }
  requireSecure(request);
  if (customerKey === undefined) {
    throw flavor.refusesUnneededCustomerKey
      ? new S3Error(
          'InvalidRequest',
          'The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the object.',
        )
      : new S3Error(
          'InvalidArgument',
          `Requests specifying ${sseC} must provide a valid encryption algorithm.`,
        );
  }
  if (!isKeyOf(protection, customerKey)) {
    throw flavor.refusesUnneededCustomerKey
      ? new S3Error('AccessDenied', 'The customer key is not the one that the object is encrypted under.')
      : new S3Error(
          'InvalidArgument',
          'The calculated MD5 hash of the key did not match the hash that was provided.',
        );
  }
  return customerKey;
}

/** What a reply says about the encryption of an object. */
export function encryptionReplyHeaders(
  customerKey: CustomerKey | undefined,
): Readonly<Record<string, string>> {
  if (customerKey === undefined) return {};
  return { [`${target}algorithm`]: 'AES256', [`${target}key-md5`]: customerKey.fingerprint };
}

function parseCustomerKey(request: S3Request, prefix: string): CustomerKey | undefined {
  const algorithm = headerOf(request, `${prefix}algorithm`);
  const key = headerOf(request, `${prefix}key`);
  const fingerprint = headerOf(request, `${prefix}key-md5`);
  if (algorithm === undefined && key === undefined && fingerprint === undefined) return undefined;
  if (algorithm === undefined) {
    throw new S3Error(
      'InvalidArgument',
      `Requests specifying ${sseC} must provide a valid encryption algorithm.`,
    );
  }
  if (algorithm !== 'AES256') {
    throw new S3Error(
      'InvalidEncryptionAlgorithmError',
      'The requested encryption algorithm is not valid, must be AES256.',
    );
  }
  requireSecure(request);
  const bytes = Buffer.from(key ?? '', 'base64');
  if (bytes.length !== customerKeyBytes) {
    throw new S3Error(
      'InvalidArgument',
      `Requests specifying ${sseC} must provide an appropriate secret key.`,
    );
  }
  if (fingerprint !== createHash('md5').update(bytes).digest('base64')) {
    throw new S3Error(
      'InvalidArgument',
      'The calculated MD5 hash of the key did not match the hash that was provided.',
    );
  }
  return new CustomerKey(bytes);
}

/** A customer key that was sent over plain http is no longer secret. */
function requireSecure(request: S3Request): void {
  if (request.isSecure) return;
  throw new S3Error('InvalidRequest', `Requests specifying ${sseC} must be made over a secure connection.`);
}
