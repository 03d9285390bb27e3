/**
 * What HEAD said of objects, kept by object version (key, ETag, LastModified): a listing that shows the same version
 * confirms it, so that `stat` after `ls` costs no request.
 */
import { LRUCache } from 'lru-cache';
import type { ListedObject, ObjectInfo } from '../object-store.js';

/** How far the server's clock may be from ours for an object just written here to be recognised in a listing. */
const clockToleranceMs = 5000;

interface KnownInfo {
  readonly info: ObjectInfo;
  /** Written here: the server has not yet told its LastModified, and `info` holds our own time. */
  readonly isTimeOurs: boolean;
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
    if (!known.isTimeOurs) {
      // HEAD tells whole seconds, listings milliseconds.
      const isSame = wholeSeconds(known.info.lastModifiedMs) === wholeSeconds(listed.lastModifiedMs);
      return isSame ? known.info : undefined;
    }
    if (Math.abs(known.info.lastModifiedMs - listed.lastModifiedMs) > clockToleranceMs) return undefined;
    const info = { ...known.info, lastModifiedMs: listed.lastModifiedMs };
    this.#known.set(this.#scope + listed.key, { info, isTimeOurs: false });
    return info;
  }

  /** Remembers what HEAD or GET said. */
  set(info: ObjectInfo): void {
    this.#known.set(this.#scope + info.key, { info, isTimeOurs: false });
  }

  /** Remembers an object just written here; `lastModifiedMs` is our own clock's. */
  setWritten(info: ObjectInfo): void {
    this.#known.set(this.#scope + info.key, { info, isTimeOurs: true });
  }

  delete(key: string): void {
    this.#known.delete(this.#scope + key);
  }
}

function wholeSeconds(timeMs: number): number {
  return Math.floor(timeMs / 1000);
}
