/**
 * Turns what the object store says into what a system call says: one exhaustive table. No errno in it may be one that programs take
 * for success, for "not supported, so nothing to do" (EOPNOTSUPP and ENOSYS, of `fsync`), or for "try later" (EAGAIN).
 */
import { FsError, StoreError, type FsErrorCode, type StoreErrorCode } from '../errors.js';

/** Exported for its test. */
export const errnoByStoreError: Readonly<Record<StoreErrorCode, FsErrorCode>> = {
  NotFound: 'ENOENT',
  NoSuchBucket: 'EIO',
  NoSuchUpload: 'EIO',
  AccessDenied: 'EACCES',
  NoCredentials: 'EIO',
  WrongCustomerKey: 'EACCES',
  PlaintextRefused: 'EACCES',
  PreconditionFailed: 'ESTALE',
  RangeNotSatisfiable: 'EIO',
  KeyTooLong: 'ENAMETOOLONG',
  InvalidRequest: 'EIO',
  NotImplemented: 'EIO',
  EncryptionBlocked: 'EACCES',
  NotEncrypting: 'EROFS',
  QuotaExceeded: 'EDQUOT',
  EntityTooLarge: 'EFBIG',
  Throttled: 'EIO',
  ServerError: 'EIO',
  Unreachable: 'EIO',
  CertificateRejected: 'EIO',
  ServerRefused: 'EIO',
  Timeout: 'ETIMEDOUT',
  ClockSkewed: 'EACCES',
  Aborted: 'EINTR',
  CorruptReply: 'EIO',
};

/** An FsError stays; a StoreError gets its errno; anything else is a defect and becomes EIO. The cause is kept. */
export function toFsError(error: unknown, what: string): FsError {
  if (error instanceof FsError) return error;
  if (error instanceof StoreError)
    return new FsError(errnoByStoreError[error.code], `${what}: ${error.message}`, { cause: error });
  return new FsError('EIO', `${what}: unexpected failure`, { cause: error });
}

export function isStoreError(error: unknown, ...wanted: readonly StoreErrorCode[]): error is StoreError {
  return error instanceof StoreError && wanted.includes(error.code);
}

/** Whether asking again later may succeed. */
export function isTransient(error: unknown): boolean {
  return isStoreError(
    error,
    'Throttled',
    'ServerError',
    'NoCredentials',
    'Unreachable',
    'Timeout',
    'CorruptReply',
    'CertificateRejected',
    'ClockSkewed',
    'QuotaExceeded',
  );
}

/**
 * Whether a commit failed because the object, or one that parts are copied from, is not what it was, be it one under another
 * customer key, or because the upload is gone that had a part of the bytes.
 */
export function isLost(error: unknown): error is Error {
  return isStoreError(
    error,
    'PreconditionFailed',
    'NotFound',
    'NoSuchUpload',
    'WrongCustomerKey',
    'PlaintextRefused',
  );
}
