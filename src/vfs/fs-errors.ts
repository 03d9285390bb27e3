/** Turns what the object store says into what a system call says. */
import { FsError, StoreError, type StoreErrorCode } from '../errors.js';
import { storeErrorFacts } from '../store-error-facts.js';

/** An FsError stays; a StoreError gets its errno; anything else is a defect and becomes EIO. The cause is kept. */
export function toFsError(error: unknown, what: string): FsError {
  if (error instanceof FsError) return error;
  if (error instanceof StoreError)
    return new FsError(storeErrorFacts[error.code].errno, `${what}: ${error.message}`, { cause: error });
  return new FsError('EIO', `${what}: unexpected failure`, { cause: error });
}

export function isStoreError(error: unknown, ...wanted: readonly StoreErrorCode[]): error is StoreError {
  return error instanceof StoreError && wanted.includes(error.code);
}

/** Whether asking again later may succeed. */
export function isTransient(error: unknown): boolean {
  return error instanceof StoreError && storeErrorFacts[error.code].passes !== 'never';
}

/**
 * Whether a commit failed because of a lost race: the object, or one that parts are copied from, was replaced or removed, perhaps by
 * one under another customer key. Or the upload is gone that had a part of the bytes.
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

/** Runs an operation on names and turns its failure into an FsError that names the operation and the entry. */
export async function asFsError<T>(what: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw toFsError(error, what);
  }
}
