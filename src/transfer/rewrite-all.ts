/** Brings every object below a prefix that is in one state (under an old key, or not encrypted) under the store's own key. */
import { Limiter } from '../concurrency/limiter.js';
import { StoreError } from '../errors.js';
import type { ListedObject, ObjectInfo, ObjectStore } from '../object-store.js';
import { concernsAll, findEncryptionState, type EncryptionState } from './encryption-state.js';
import { listObjects } from './object-listing.js';
import { forEachLimited } from '../concurrency/for-each-limited.js';
import { maxBytesInFlight, parallelParts } from './part-plan.js';
import type { Progress } from './progress.js';
import { rewriteObject } from './rewrite-object.js';

interface RewriteAllOptions {
  /** Writes under the key `fingerprint`, and reads the others. */
  readonly store: ObjectStore;
  readonly fingerprint: string;
  readonly prefix: string;
  /** The fingerprint of the key whose objects are rewritten; undefined: rewrites objects that are not encrypted. */
  readonly fromFingerprint: string | undefined;
  /** Only count, change nothing. */
  readonly isDryRun: boolean;
  /** HEAD requests at a time. */
  readonly concurrency: number;
  readonly progress: Progress;
  /** Filled as the work goes on, so that it can be shown when it is interrupted. */
  readonly summary: RewriteSummary;
  readonly onRewritten: (key: string) => void;
  readonly onFailure: (key: string, error: StoreError) => void;
}

/** Numbers of objects. */
export class RewriteSummary {
  rewritten = 0;
  rewrittenBytes = 0;
  /** Under the key already. */
  already = 0;
  /** Left as they are. */
  notEncrypted = 0;
  otherKey = 0;
  /** Another client replaced these while they were rewritten, and its version stays. */
  changed = 0;
  failed = 0;
}

/** Rejects only with what concerns every object. */
export async function rewriteAll(options: RewriteAllOptions, signal: AbortSignal): Promise<void> {
  const { store, prefix, progress, concurrency } = options;
  const limiter = new Limiter({ maxTasks: parallelParts, maxBytes: maxBytesInFlight });
  const found = async function* (): AsyncGenerator<ListedObject> {
    for await (const object of listObjects(store, prefix, signal)) {
      progress.find(object.size);
      yield object;
    }
    progress.isListed = true;
  };
  await forEachLimited(found(), { limit: concurrency }, async (object) => {
    let written = 0;
    const onBytes = (bytes: number): void => {
      written += bytes;
      progress.bytesDone += bytes;
    };
    await workOn(options, limiter, object.key, onBytes, signal);
    progress.objectsDone += 1;
    progress.bytesDone += Math.max(0, object.size - written);
  });
}

async function workOn(
  options: RewriteAllOptions,
  limiter: Limiter,
  key: string,
  onBytes: (bytes: number) => void,
  signal: AbortSignal,
): Promise<void> {
  const { store, fingerprint, isDryRun, summary, onRewritten, onFailure } = options;
  try {
    const found = await findEncryptionState(store, key, signal);
    if (found.state === 'gone') return;
    const info = wantedInfo(found, options);
    if (info === undefined) {
      if (found.state === 'not-encrypted') summary.notEncrypted += 1;
      else if (found.state === 'encrypted' && found.fingerprint === fingerprint) summary.already += 1;
      else summary.otherKey += 1;
      return;
    }
    if (!isDryRun) await rewriteObject({ store, fingerprint, limiter, onBytes }, info, signal);
    summary.rewritten += 1;
    summary.rewrittenBytes += info.size;
    onRewritten(key);
  } catch (error) {
    if (!(error instanceof StoreError) || concernsAll(error)) throw error;
    if (error.code === 'PreconditionFailed' || error.code === 'NotFound') {
      summary.changed += 1;
    } else {
      summary.failed += 1;
      onFailure(key, error);
    }
  }
}

/** Undefined if the object stays as it is. */
function wantedInfo(found: EncryptionState, { fromFingerprint }: RewriteAllOptions): ObjectInfo | undefined {
  if (found.state === 'not-encrypted') return fromFingerprint === undefined ? found.info : undefined;
  return found.state === 'encrypted' && found.fingerprint === fromFingerprint ? found.info : undefined;
}
