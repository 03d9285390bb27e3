/** Whether the bucket has what a step was to put there. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Bucket, StoredObject } from './bucket.js';
import type { Stored } from './job.js';
import { StepFailure } from './limited-run.js';

/** What the bucket is waited for to show. */
type Condition = () => Promise<boolean>;

/** A tree's size, as the mount shows it. */
export interface TreeSize {
  readonly files: number;
  readonly bytes: number;
}

/** To be called before the step, as some conditions are about a difference. `folder` is the program's, with a slash. */
export async function prepareCondition(
  bucket: Bucket,
  folder: string,
  stored: Stored,
  measureMounted: (path: string) => Promise<TreeSize>,
): Promise<Condition> {
  switch (stored.kind) {
    case 'tree':
      return async () => isSame(treeSize(await bucket.list(folder + stored.path)), stored);
    case 'as-mounted': {
      let wanted: TreeSize | undefined;
      return async () => {
        wanted ??= await measureMounted(stored.path);
        return isSame(treeSize(await bucket.list(folder + stored.path)), wanted);
      };
    }
    case 'changed': {
      const key = folder + stored.path;
      const before = (await bucket.list(key)).get(key);
      return async () => {
        const now = (await bucket.list(key)).get(key);
        return now !== undefined && (now.etag !== before?.etag || now.size !== before.size);
      };
    }
    case 'moved':
      return async () => {
        const [from, to] = [folder + stored.from, folder + stored.to];
        return !(await bucket.list(from)).has(from) && (await bucket.list(to)).has(to);
      };
    case 'mode':
      return async () => (await bucket.readMode(folder + stored.path)) === stored.mode;
  }
}

/** Metadata are stored at once or not at all; contents may take until the step's limit. */
const modeLimitSeconds = 20;

/**
 * The seconds that passed until the condition held, which are 0 if it does when first asked for: the question itself is not
 * part of what is measured.
 */
export async function waitForCondition(
  stored: Stored,
  holds: Condition,
  limitSeconds: number,
  signal: AbortSignal,
): Promise<number> {
  const begunMs = performance.now();
  const mostSeconds = stored.kind === 'mode' ? modeLimitSeconds : limitSeconds;
  for (let isFirst = true; ; isFirst = false) {
    const askedMs = performance.now();
    if (await holds()) return isFirst ? 0 : (askedMs - begunMs) / 1000;
    if (askedMs - begunMs > mostSeconds * 1000) {
      throw new StepFailure(
        stored.kind === 'mode' ? 'fails: is not stored' : `> ${limitSeconds} s (is not stored)`,
      );
    }
    await delay(20, undefined, { signal });
  }
}

function treeSize(objects: ReadonlyMap<string, StoredObject>): TreeSize {
  let bytes = 0;
  for (const { size } of objects.values()) bytes += size;
  return { files: objects.size, bytes };
}

function isSame(one: TreeSize, other: TreeSize): boolean {
  return one.files === other.files && one.bytes === other.bytes;
}
