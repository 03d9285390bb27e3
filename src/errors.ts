/**
 * The errors that cross the seams between layers: `StoreError` comes up from the object store, `FsError` from the file system.
 * The codes of Node's system errors are read here too. `src/fuse/errno.ts` turns an `FsError` into a number for the kernel.
 */

/** What can go wrong when an object store is asked for something. Classified by code or HTTP status, never by text. */
export const storeErrorCodes = [
  'NotFound', // no such object
  'NoSuchBucket',
  'NoSuchUpload', // the multipart upload is unknown: completed, aborted or expired
  'AccessDenied', // credentials wrong, missing, or not allowed to do this
  'NoCredentials', // their source gives none now: they cannot be renewed
  'WrongCustomerKey', // the object is encrypted under another customer key
  'PlaintextRefused', // the object is not encrypted and the store was told to refuse such objects
  'PreconditionFailed', // If-Match or If-None-Match did not hold: another client changed the object
  'RangeNotSatisfiable',
  'KeyTooLong', // a key of more than 1,024 bytes
  'InvalidRequest', // the server refuses the request as malformed
  'NotImplemented', // the server cannot do this at all
  'EncryptionBlocked', // AWS blocks SSE-C on this bucket
  'NotEncrypting', // the server, or something before it, ignores the customer key: nothing is stored there
  'QuotaExceeded',
  'EntityTooLarge',
  'Throttled', // SlowDown, 503: try again later
  'ServerError', // other 5xx
  'Unreachable', // no connection: refused, reset, name not resolved, network down
  'CertificateRejected', // the TLS certificate is not trusted
  'ServerRefused', // we refuse to send anything there: another server than the configured one, or plain http
  'Timeout', // the server did not answer in time
  'ClockSkewed', // RequestTimeTooSkewed: this machine's clock is wrong
  'Aborted', // the caller's signal was aborted, and not by a time limit: see `abortionOf`
  'CorruptReply', // the reply contradicts itself: wrong length, missing header
] as const;

export type StoreErrorCode = (typeof storeErrorCodes)[number];

/** An object store operation that failed. The message names the operation and the key, never a secret. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/**
 * The error of a wait or a request whose signal has aborted: `Timeout` if that was a time limit (`AbortSignal.timeout`), else
 * `Aborted`. `what` names the wait.
 */
export function abortionOf(signal: AbortSignal, what: string): StoreError {
  const reason: unknown = signal.reason;
  return reason instanceof DOMException && reason.name === 'TimeoutError'
    ? new StoreError('Timeout', `${what}: took too long`)
    : new StoreError('Aborted', `${what}: interrupted`);
}

/** For a multipart upload this may come from a policy that allows only whole objects. Then one PUT may do it. */
export function isAccessDenied(error: unknown): boolean {
  return error instanceof StoreError && error.code === 'AccessDenied';
}

/**
 * The POSIX error names that file system operations may answer with. Not EAGAIN, EWOULDBLOCK, EINPROGRESS: programs
 * and libraries take them for "nothing there now", and read a file as if it ended there.
 */
export const fsErrorCodes = [
  'EPERM',
  'ENOENT',
  'EINTR',
  'EIO',
  'E2BIG',
  'EBADF',
  'ENOMEM',
  'EACCES',
  'EBUSY',
  'EEXIST',
  'EXDEV',
  'ENODEV',
  'ENOTDIR',
  'EISDIR',
  'EINVAL',
  'EFBIG',
  'ENOSPC',
  'EROFS',
  'EMLINK',
  'ERANGE',
  'ENAMETOOLONG',
  'ENOSYS',
  'ENOTEMPTY',
  'ELOOP',
  'ENODATA',
  'EPROTO',
  'EILSEQ',
  'EOPNOTSUPP',
  'ETIMEDOUT',
  'ESTALE',
  'EDQUOT',
  'ENXIO',
] as const;

export type FsErrorCode = (typeof fsErrorCodes)[number];

/** A file system operation that failed. The message names the operation and the path. */
export class FsError extends Error {
  override readonly name = 'FsError';
  readonly code: FsErrorCode;

  constructor(code: FsErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/** The errno name of an error of a system call, as Node throws it: `ENOENT`. Undefined for every other error. */
export function systemErrorCode(error: unknown): string | undefined {
  const isSystemError = error instanceof Error && 'code' in error && 'syscall' in error;
  return isSystemError && typeof error.code === 'string' ? error.code : undefined;
}
