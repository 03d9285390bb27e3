/**
 * Limits of servers: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html. Ceph has the same except for metadata.
 */
import { StoreError } from '../errors.js';
import type { StoreLimits } from '../object-store.js';
import { storeErrorFacts } from '../store-error-facts.js';
import { mebibyte } from '../units.js';
import type { FailedCall } from './error-codes.js';

const maxPartSize = 5 * 1024 * mebibyte;
const maxParts = 10_000;
const maxKeyBytes = 1024;

/** Ceph limits all request headers together to 16 KiB; 7,000 bytes of metadata are known to work. */
const maxMetadataBytes = { aws: 2048, other: 7000 };

export function limitsOf(isAws: boolean): StoreLimits {
  return {
    minPartSize: 5 * mebibyte,
    maxPartSize,
    maxParts,
    maxObjectSize: maxParts * maxPartSize,
    maxKeyBytes,
    maxMetadataBytes: isAws ? maxMetadataBytes.aws : maxMetadataBytes.other,
  };
}

/** Throws `KeyTooLong`. Ceph itself answers `InvalidObjectName`, which has many other reasons. */
export function checkKey({ operation, key }: FailedCall): void {
  const bytes = Buffer.byteLength(key);
  if (bytes <= maxKeyBytes) return;
  throw new StoreError(
    'KeyTooLong',
    `${operation} ${key}: ${storeErrorFacts.KeyTooLong.meaning} (${bytes} bytes, at most ${maxKeyBytes})`,
  );
}
