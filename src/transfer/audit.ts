/** Looks at every object below a prefix and counts how it is encrypted. */
import type { StoreError } from '../errors.js';
import type { ListedObject, ObjectStore } from '../object-store.js';
import { concernsAll, findEncryptionState, type EncryptionState } from './encryption-state.js';
import { listObjects } from './object-listing.js';
import { mapInOrder } from '../concurrency/for-each-limited.js';

export interface AuditFinding {
  readonly key: string;
  readonly size: number;
  readonly problem: 'not-encrypted' | 'unknown-key' | 'not-readable';
  /** Why the object is not readable. */
  readonly message?: string;
}

export interface AuditSummary {
  readonly objects: number;
  readonly bytes: number;
  /** Objects by the fingerprint of their key. */
  readonly encrypted: Readonly<Record<string, number>>;
  readonly notEncrypted: number;
  readonly unknownKey: number;
  readonly notReadable: number;
}

interface AuditOptions {
  readonly store: ObjectStore;
  readonly prefix: string;
  /** Requests at a time. */
  readonly concurrency: number;
  /** In the order of keys. */
  readonly onFinding: (finding: AuditFinding) => Promise<void>;
}

type Looked = EncryptionState | { readonly state: 'not-readable'; readonly message: string };

export async function audit(options: AuditOptions, signal: AbortSignal): Promise<AuditSummary> {
  const { store, prefix, concurrency, onFinding } = options;
  const encrypted: Record<string, number> = {};
  const counts = { objects: 0, bytes: 0, notEncrypted: 0, unknownKey: 0, notReadable: 0 };
  const look = async (object: ListedObject): Promise<{ object: ListedObject; looked: Looked }> => ({
    object,
    looked: await lookAt(store, object.key, signal),
  });
  for await (const { object, looked } of mapInOrder(listObjects(store, prefix, signal), concurrency, look)) {
    if (looked.state === 'gone') continue;
    const { key, size } = object;
    counts.objects += 1;
    counts.bytes += size;
    switch (looked.state) {
      case 'encrypted':
        encrypted[looked.fingerprint] = (encrypted[looked.fingerprint] ?? 0) + 1;
        break;
      case 'not-encrypted':
        counts.notEncrypted += 1;
        await onFinding({ key, size, problem: 'not-encrypted' });
        break;
      case 'unknown-key':
        counts.unknownKey += 1;
        await onFinding({ key, size, problem: 'unknown-key' });
        break;
      case 'not-readable':
        counts.notReadable += 1;
        await onFinding({ key, size, problem: 'not-readable', message: looked.message });
        break;
    }
  }
  return { ...counts, encrypted };
}

async function lookAt(store: ObjectStore, key: string, signal: AbortSignal): Promise<Looked> {
  try {
    return await findEncryptionState(store, key, signal);
  } catch (error) {
    if (concernsAll(error)) throw error;
    return { state: 'not-readable', message: (error as StoreError).message };
  }
}
