/** Finds out how an object is encrypted, as far as a key ring tells. */
import { StoreError } from '../errors.js';
import type { ObjectInfo, ObjectStore } from '../object-store.js';
import { storeErrorFacts } from '../store-error-facts.js';

export type EncryptionState =
  | { readonly state: 'encrypted'; readonly fingerprint: string; readonly info: ObjectInfo }
  | { readonly state: 'not-encrypted'; readonly info: ObjectInfo }
  | { readonly state: 'unknown-key' }
  /** Deleted since it was listed. */
  | { readonly state: 'gone' };

/** Rejects with a StoreError if the object cannot be asked for. */
export async function findEncryptionState(
  store: ObjectStore,
  key: string,
  signal: AbortSignal,
): Promise<EncryptionState> {
  try {
    const info = await store.head(key, signal);
    return info.isEncrypted
      ? { state: 'encrypted', fingerprint: info.keyFingerprint ?? '', info }
      : { state: 'not-encrypted', info };
  } catch (error) {
    if (error instanceof StoreError && error.code === 'WrongCustomerKey') return { state: 'unknown-key' };
    if (error instanceof StoreError && error.code === 'NotFound') return { state: 'gone' };
    throw error;
  }
}

/** Errors that every further object would meet too. */
export function concernsAll(error: unknown): boolean {
  return !(error instanceof StoreError) || storeErrorFacts[error.code].concernsAll === true;
}
