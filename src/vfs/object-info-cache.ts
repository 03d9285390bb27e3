/**
 * What HEAD said of objects, kept by object version (key, ETag, LastModified): a listing that shows the same version
 * confirms it, so that `stat` after `ls` costs no request. The same bytes stored again, by a chmod elsewhere, have the same ETag
 * on Ceph, so that the time alone tells them apart. HEAD tells it in whole seconds, listings of Ceph in milliseconds: where that may
 * leave two versions alike, what is known is a guess, which HEAD has to confirm once.
 */
import { LRUCache } from 'lru-cache';
import type { ListedObject, ObjectInfo } from '../object-store.js';

/** An object that was older than this when HEAD told of it, by the server's clock, cannot have been replaced in its own second after that. */
const settledMs = 2000;

/** Which listings confirm what is known. */
type Certainty =
  /** One that shows the object with exactly this time. */
  | { readonly kind: 'time'; readonly lastModifiedMs: number }
  /** One that shows it with a time within the second of `info`. */
  | { readonly kind: 'second' }
  /** None of the server's: only the entry that was made of this `info` here. */
  | { readonly kind: 'guess' };

interface KnownInfo {
  readonly info: ObjectInfo;
  readonly certainty: Certainty;
}

export class ObjectInfoCache {
  readonly #known: LRUCache<string, KnownInfo>;
  /** Before each key: keeps apart the objects of buckets that share the memory. */
  readonly #scope: string;

  /** `memory`: so many entries of about 600 bytes each, or another cache whose memory is shared, by another scope. */
  constructor(memory: number | ObjectInfoCache, scope = '') {
    this.#known = memory instanceof ObjectInfoCache ? memory.#known : new LRUCache({ max: memory });
    this.#scope = scope;
  }

  /** Of all that share the memory. */
  get size(): number {
    return this.#known.size;
  }

  /** What is known of the version that a listing shows, or undefined. */
  get(listed: ListedObject): ObjectInfo | undefined {
    const known = this.#known.get(this.#scope + listed.key);
    if (known?.info.etag !== listed.etag || known.info.size !== listed.size) return undefined;
    return isConfirmed(known, listed) ? known.info : undefined;
  }

  /**
   * Remembers what HEAD or GET said, and returns it, with what was known better of the same version. `listed`: the listing's entry because
   * of which it was asked, that is, before.
   */
  set(told: ObjectInfo, listed?: ListedObject): ObjectInfo {
    const info = withKnownTime(told, this.#known.get(this.#scope + told.key)?.info);
    const isListed = listed?.etag === info.etag && listed.size === info.size;
    this.#known.set(this.#scope + info.key, {
      info,
      certainty:
        isListed && isExact(listed)
          ? { kind: 'time', lastModifiedMs: listed.lastModifiedMs }
          : { kind: isSettled(info) ? 'second' : 'guess' },
    });
    return info;
  }

  /** Remembers an object just written here; `lastModifiedMs` is our own clock's. */
  setWritten(info: ObjectInfo): void {
    this.#known.set(this.#scope + info.key, { info, certainty: { kind: 'guess' } });
  }

  delete(key: string): void {
    this.#known.delete(this.#scope + key);
  }
}

/** `known` is what was known of the object before. */
export function withKnownTime(told: ObjectInfo, known: ObjectInfo | undefined): ObjectInfo {
  if (known?.writtenAtNs === undefined || told.writtenAtNs !== undefined) return told;
  const isSame =
    told.etag === known.etag && told.size === known.size && told.lastModifiedMs === known.lastModifiedMs;
  return isSame ? { ...told, writtenAtNs: known.writtenAtNs } : told;
}

function isConfirmed({ info, certainty }: KnownInfo, listed: ListedObject): boolean {
  const { lastModifiedMs } = listed;
  switch (certainty.kind) {
    case 'time':
      return certainty.lastModifiedMs === lastModifiedMs;
    case 'second':
      return wholeSeconds(info.lastModifiedMs) === wholeSeconds(lastModifiedMs);
    case 'guess':
      return info === listed;
  }
}

/** Whether the time is more than a whole second. */
function isExact({ lastModifiedMs }: ListedObject): boolean {
  return lastModifiedMs % 1000 !== 0;
}

function isSettled({ lastModifiedMs, toldAtMs }: ObjectInfo): boolean {
  return toldAtMs !== undefined && toldAtMs - lastModifiedMs >= settledMs;
}

function wholeSeconds(timeMs: number): number {
  return Math.floor(timeMs / 1000);
}
