/**
 * What follows from each code of a `StoreError`: the errno of the system call, whether it is tried again, and what the user reads.
 * Messages that need more than the code, such as the bucket's name, are made elsewhere.
 */
import type { FsErrorCode, StoreErrorCode } from './errors.js';

interface StoreErrorFacts {
  /** In the words of a message. */
  readonly meaning: string;
  /**
   * The errno of the system call. None that programs take for success, for "not supported, so nothing to do" (EOPNOTSUPP and ENOSYS,
   * from `fsync`), or for "try later" (EAGAIN).
   */
  readonly errno: FsErrorCode;
  /** Whether the same request may succeed: by itself after a moment, after a person has fixed something, or not at all. */
  readonly passes: 'soon' | 'later' | 'never';
  /** Every other object would get the same error. */
  readonly concernsAll?: true;
  /** It is an ordinary answer about the object, or about what the server can do. */
  readonly isTrouble?: false;
  /** The server refuses the content, until a person changes permissions, quota, or the file. */
  readonly isRefusal?: true;
}

export const storeErrorFacts: Readonly<Record<StoreErrorCode, StoreErrorFacts>> = {
  NotFound: { meaning: 'no such object', errno: 'ENOENT', passes: 'never', isTrouble: false },
  NoSuchBucket: {
    meaning: 'no such bucket',
    errno: 'EIO',
    passes: 'never',
    concernsAll: true,
    isRefusal: true,
  },
  NoSuchUpload: { meaning: 'the multipart upload is unknown to the server', errno: 'EIO', passes: 'never' },
  AccessDenied: { meaning: 'access denied', errno: 'EACCES', passes: 'never', isRefusal: true },
  NoCredentials: {
    meaning: 'the S3 credentials cannot be renewed',
    errno: 'EIO',
    passes: 'soon',
    concernsAll: true,
  },
  WrongCustomerKey: {
    meaning: 'the object is encrypted under another customer key',
    errno: 'EACCES',
    passes: 'never',
    isRefusal: true,
  },
  PlaintextRefused: {
    meaning: 'the object is not encrypted',
    errno: 'EACCES',
    passes: 'never',
    isRefusal: true,
  },
  PreconditionFailed: {
    meaning: 'the object was changed by somebody else',
    errno: 'ESTALE',
    passes: 'never',
    isTrouble: false,
  },
  RangeNotSatisfiable: {
    meaning: 'the range starts past the end of the object',
    errno: 'EIO',
    passes: 'never',
  },
  KeyTooLong: { meaning: 'the key is too long', errno: 'ENAMETOOLONG', passes: 'never', isRefusal: true },
  InvalidRequest: {
    meaning: 'the server refuses the request as invalid',
    errno: 'EIO',
    passes: 'never',
    isRefusal: true,
  },
  NotImplemented: {
    meaning: 'the server cannot do this',
    errno: 'EIO',
    passes: 'never',
    isTrouble: false,
    isRefusal: true,
  },
  EncryptionBlocked: {
    meaning: 'the bucket blocks SSE-C',
    errno: 'EACCES',
    passes: 'never',
    concernsAll: true,
    isRefusal: true,
  },
  NotEncrypting: {
    meaning: 'what is written would not be encrypted',
    errno: 'EROFS',
    passes: 'never',
    concernsAll: true,
    isRefusal: true,
  },
  QuotaExceeded: {
    meaning: 'the quota is exceeded',
    errno: 'EDQUOT',
    passes: 'later',
    concernsAll: true,
    isRefusal: true,
  },
  EntityTooLarge: { meaning: 'too large for the server', errno: 'EFBIG', passes: 'never', isRefusal: true },
  Throttled: { meaning: 'the server asks to slow down', errno: 'EIO', passes: 'soon' },
  ServerError: { meaning: 'the server failed', errno: 'EIO', passes: 'soon' },
  Unreachable: { meaning: 'the server cannot be reached', errno: 'EIO', passes: 'soon', concernsAll: true },
  CertificateRejected: {
    meaning: "the server's certificate is not trusted",
    errno: 'EIO',
    passes: 'later',
    concernsAll: true,
  },
  ServerRefused: {
    meaning: 'nothing is sent to another server than the configured one',
    errno: 'EIO',
    passes: 'never',
    concernsAll: true,
    isRefusal: true,
  },
  Timeout: {
    meaning: 'the server did not answer in time',
    errno: 'ETIMEDOUT',
    passes: 'soon',
    concernsAll: true,
  },
  ClockSkewed: {
    meaning: "this machine's clock differs too much from the server's",
    errno: 'EACCES',
    passes: 'later',
    concernsAll: true,
  },
  Aborted: { meaning: 'aborted', errno: 'EINTR', passes: 'never', concernsAll: true, isTrouble: false },
  CorruptReply: { meaning: 'the transfer was damaged', errno: 'EIO', passes: 'soon' },
};

/** Names from outside may be those of another version. */
export function isStoreErrorCode(name: string): name is StoreErrorCode {
  return Object.hasOwn(storeErrorFacts, name);
}
