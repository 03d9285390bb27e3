/**
 * Moves every object below one prefix to another: copies them on the server, then deletes the sources, or, after a failure, the
 * copies. `DirectoryRenamer` updates what the mount knows of the files.
 */
import { cleanupSignal } from '../concurrency/abortable.js';
import { forEachLimited } from '../concurrency/for-each-limited.js';
import { FsError } from '../errors.js';
import { headersOf } from '../object-headers.js';
import type { ListedObject, ObjectInfo, WriteCondition } from '../object-store.js';
import type { ObjectVersion } from '../object-version.js';
import type { CopiedObject } from './file-contents.js';
import { isStoreError } from './fs-errors.js';
import { isSameObject } from './object-rewriter.js';
import type { StoringParts } from './storing-parts.js';

export type PrefixMoveOptions = Pick<
  StoringParts,
  'store' | 'rewriter' | 'resolver' | 'markers' | 'infos' | 'log'
>;

interface Prefixes {
  /** Both end in '/'. */
  readonly oldPrefix: string;
  readonly newPrefix: string;
}

/** An object under the old name, as it was when it was copied. */
interface MovedObject {
  readonly etag: string;
  readonly size: number;
  readonly lastModifiedMs: number;
  /** Of the copy; undefined for what an earlier try has copied. */
  readonly toEtag: string | undefined;
}

/** Objects copied at the same time. */
const copyParallelism = 16;

/** How often what other clients change meanwhile is looked at anew. */
const maxAttempts = 10;

export class PrefixMove {
  readonly #options: PrefixMoveOptions;
  readonly oldPrefix: string;
  readonly newPrefix: string;
  readonly #signal: AbortSignal;
  /** By the key under the old name. */
  readonly #moved = new Map<string, MovedObject>();
  /** The ETags of what was stored under the new name here, by key. */
  readonly #made = new Map<string, string>();
  /** Of a move that was interrupted: key → when it was stored, of what there was under the new name. */
  #present: ReadonlyMap<string, number> | undefined;

  constructor(options: PrefixMoveOptions, { oldPrefix, newPrefix }: Prefixes, signal: AbortSignal) {
    this.#options = options;
    this.oldPrefix = oldPrefix;
    this.newPrefix = newPrefix;
    this.#signal = signal;
  }

  /** This move was interrupted before, and goes on: what is under the new name is a part of its result. */
  async resume(): Promise<void> {
    const present = new Map<string, number>();
    await this.#eachPage(this.newPrefix, this.#signal, (objects) => {
      for (const { key, lastModifiedMs } of objects) present.set(key, lastModifiedMs);
      return Promise.resolve();
    });
    this.#present = present;
  }

  /** What was copied of this key under the old name. */
  copyOf(oldKey: string): MovedObject | undefined {
    return this.#moved.get(oldKey);
  }

  targetKeyOf({ key }: Pick<ListedObject, 'key'>): string {
    return this.newPrefix + key.slice(this.oldPrefix.length);
  }

  /** The caller has stored the marker under the new name. */
  noteMarker({ etag }: ObjectInfo): void {
    this.#made.set(this.newPrefix, etag);
  }

  /**
   * Copies every object but the marker. Where an earlier try has left something: a copy, or what became of it, is younger than its
   * source, unless that was changed afterwards.
   */
  async copyAll(): Promise<void> {
    await this.#eachPage(this.oldPrefix, this.#signal, async (objects) => {
      await this.#copyPage(
        objects.filter((object) => {
          const age = this.#present?.get(this.targetKeyOf(object)) ?? -Infinity;
          if (object.key !== this.oldPrefix && age <= object.lastModifiedMs) return true;
          this.#moved.set(object.key, movedFrom(object, object, undefined));
          return false;
        }),
      );
    });
  }

  /**
   * Removes what was copied from under the old name. What is there now, and was not copied, another client has stored meanwhile: it
   * is moved as well, and `onOthers` hears of it.
   */
  async removeSources(onOthers: (objects: readonly ListedObject[]) => void): Promise<void> {
    for (let pass = 0; pass < maxAttempts; pass += 1) {
      const found = { others: 0 };
      await this.#eachPage(this.oldPrefix, this.#signal, async (objects) => {
        const isCopied = (object: ListedObject) => {
          const before = this.#moved.get(object.key);
          return before?.etag === object.etag && before.lastModifiedMs === object.lastModifiedMs;
        };
        // At once: this page says what is there now.
        await this.#remove(objects.filter((object) => isCopied(object) || object.key === this.oldPrefix));
        const others = objects.filter((object) => !isCopied(object) && object.key !== this.oldPrefix);
        if (others.length === 0) return;
        found.others += others.length;
        await this.#copyPage(others);
        onOthers(others);
      });
      if (found.others === 0) return;
    }
    throw new FsError('EBUSY', `rename ${this.oldPrefix}: other clients store files there all the time`);
  }

  /**
   * After a failure the source is whole; copies made so far would only be in the way of the next try. What another client has stored
   * in their place stays, and so does what was there before: it may be the only copy. `replaced`: the marker of an empty directory that
   * was to be replaced, which is there again then, as rename(2) promises. Never rejects.
   */
  async undo(replaced: ObjectInfo | undefined): Promise<void> {
    const { store, markers, infos, log } = this.#options;
    const made = this.#made;
    const signal = cleanupSignal();
    const marker = made.get(this.newPrefix);
    if (this.#present || replaced) made.delete(this.newPrefix);
    if (made.size === 0 && !replaced) return;
    try {
      let failed = 0;
      await this.#eachPage(this.newPrefix, signal, async (objects) => {
        const keys = objects.filter(({ key, etag }) => made.get(key) === etag).map(({ key }) => key);
        if (keys.length > 0) failed += (await store.deleteMany(keys, signal)).length;
      });
      if (failed > 0) log.warn({ count: failed }, 'copies of a failed rename are left in the bucket');
      // Not before: while copies are left, the marker lets the same rename go on.
      else if (replaced && marker !== undefined) {
        infos.delete(replaced.key);
        await markers.restore(replaced, marker, signal);
      }
    } catch (error) {
      log.warn({ err: error, count: made.size }, 'copies of a failed rename are left in the bucket');
    }
  }

  async #copyPage(objects: readonly ListedObject[]): Promise<void> {
    const limits = { limit: copyParallelism, signal: this.#signal };
    await forEachLimited(objects, limits, async (object, either) => {
      const targetKey = this.targetKeyOf(object);
      // Only a copy made here may be replaced, or what was there before an interrupted rename goes on.
      const copied = this.#made.get(targetKey);
      const isPresent = this.#present?.has(targetKey) === true;
      const condition: WriteCondition =
        copied !== undefined ? { ifMatch: copied } : isPresent ? {} : { ifNoneMatch: '*' };
      const result = await this.#copyObject(object, targetKey, condition, either);
      if (!result) {
        this.#moved.delete(object.key);
        return;
      }
      const { from, to } = result;
      this.#moved.set(object.key, movedFrom(object, from, to.etag));
      if (copied !== undefined || !isPresent) this.#made.set(targetKey, to.etag);
    });
  }

  /** Undefined if another client has removed it since it was listed. One that was replaced since is looked at anew. */
  async #copyObject(
    object: ListedObject,
    targetKey: string,
    condition: WriteCondition,
    signal: AbortSignal,
  ): Promise<CopiedObject | undefined> {
    const { store, rewriter, infos, resolver } = this.#options;
    const { maxKeyBytes } = store.limits;
    if (Buffer.byteLength(targetKey) > maxKeyBytes) {
      throw new FsError('ENAMETOOLONG', `${targetKey}: the key has more than ${maxKeyBytes} bytes`);
    }
    let info = infos.get(object) ?? (await resolver.headIfExists(object.key, signal));
    for (let attempt = 0; info && attempt < maxAttempts; attempt += 1) {
      const headers = headersOf(info);
      try {
        const { etag } = await rewriter.copy({ source: info, targetKey, headers, condition }, signal);
        return { from: info, to: { key: targetKey, etag, size: info.size }, headers };
      } catch (error) {
        if (!isStoreError(error, 'PreconditionFailed', 'NotFound')) throw error;
        const now = await resolver.headIfExists(object.key, signal);
        if (now && isSameObject(now, info)) {
          const message = `rename to ${targetKey}: another client has stored that; ${object.key} is left as it is`;
          throw new FsError('EEXIST', message, { cause: error });
        }
        info = now;
      }
    }
    if (info) throw new FsError('EBUSY', `rename ${object.key}: other clients change it all the time`);
    return undefined;
  }

  async #remove(objects: readonly ListedObject[]): Promise<void> {
    if (objects.length === 0) return;
    const keys = objects.map(({ key }) => key);
    const failures = await this.#options.store.deleteMany(keys, this.#signal);
    const failure = failures[0];
    if (!failure) return;
    const message = `rename ${this.oldPrefix}: ${failures.length} objects are left under the old name`;
    throw new FsError('EIO', message, { cause: failure.error });
  }

  async #eachPage(
    prefix: string,
    signal: AbortSignal,
    action: (objects: readonly ListedObject[]) => Promise<void>,
  ): Promise<void> {
    let continuationToken: string | undefined;
    do {
      const page = await this.#options.store.list(
        { prefix, ...(continuationToken === undefined ? {} : { continuationToken }) },
        signal,
      );
      continuationToken = page.continuationToken;
      await action(page.objects);
    } while (continuationToken !== undefined);
  }
}

/** Without the key, which takes more memory than all the rest. */
function movedFrom(
  { lastModifiedMs }: ListedObject,
  { etag, size }: ObjectVersion,
  toEtag: string | undefined,
): MovedObject {
  return { etag, size, lastModifiedMs, toEtag };
}
