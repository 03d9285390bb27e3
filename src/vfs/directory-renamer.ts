/**
 * Rename of a directory: every object below is copied on the server, then the sources are deleted. Until that is complete the
 * marker under the new name says where its entries come from, so that the same rename, called again after a crash, is
 * let in and goes on.
 */
import { makeGate } from '../concurrency/deferred.js';
import { forEachLimited } from '../concurrency/for-each-limited.js';
import { createHash } from 'node:crypto';
import { FsError } from '../errors.js';
import { headersOf } from '../object-headers.js';
import type { ListedObject, Metadata, ObjectInfo, WriteCondition } from '../object-store.js';
import type { ObjectVersion } from '../object-version.js';
import type { VfsContext } from './context.js';
import { withMetadata } from './directory-markers.js';
import { isStoreError } from './fs-errors.js';
import type { NamespaceOperations } from './namespace-operations.js';
import { whileMoving } from './moves.js';
import { filesBelow, type DirectoryNode, type FileNode, type Node } from './nodes.js';
import { isSameObject } from './same-object.js';
import { supersede } from './supersede.js';
import type { CopiedObject } from './file-contents.js';

/** Objects copied at the same time. */
const copyParallelism = 16;

/** How often what other clients change meanwhile is looked at anew. */
const maxAttempts = 10;

const cleanupTimeoutMs = 60_000;
/** Metadata of the marker of a directory that is being renamed to this name: the digest of its former prefix. */
const renameFromName = 'osirisfs-rename-from';

/** An object under the old name, as it was when it was copied. */
interface MovedObject {
  readonly etag: string;
  readonly size: number;
  readonly lastModifiedMs: number;
  /** Of the copy; undefined for what an earlier try has copied. */
  readonly toEtag: string | undefined;
}

interface Job {
  readonly source: DirectoryNode;
  readonly oldPrefix: string;
  readonly newPrefix: string;
  /** The directory's marker under the old name, with the bytes that it may have. */
  readonly oldMarker: ObjectInfo | undefined;
  /** Of the empty directory that has the new name. */
  readonly replaced: ObjectInfo | undefined;
  /** Of a rename that was interrupted: key → when it was stored, of what there was under the new name. */
  readonly present: ReadonlyMap<string, number> | undefined;
  /** By the key under the old name. */
  readonly moved: Map<string, MovedObject>;
  /** The ETags of what was stored under the new name here, by key. */
  readonly made: Map<string, string>;
  readonly signal: AbortSignal;
}

export class DirectoryRenamer {
  readonly #context: VfsContext;
  readonly #names: NamespaceOperations;

  constructor(context: VfsContext, names: NamespaceOperations) {
    this.#context = context;
    this.#names = names;
  }

  async rename(
    source: DirectoryNode,
    newParent: DirectoryNode,
    newName: string,
    target: Node | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const { inodes, resolver, markers, writeBack } = this.#context;
    const isResumed = target?.kind === 'directory' && (await this.#isResumed(source, target, signal));
    const { opened: done, open: finish } = makeGate();
    const move = { done, isExclusive: false };
    source.moving = move;
    const stored: FileNode[] = [];
    const prepare = async (file: FileNode) => {
      if (!file.hasUnstoredContent && !file.hasUnstoredAttributes) return;
      stored.push(file);
      await writeBack.storeLocked(file, signal);
    };
    try {
      const moveAll = async () => {
        const newPrefix = `${newParent.prefix}${newName}/`;
        const oldPrefix = source.prefix;
        const present = isResumed ? await this.#listTarget(newPrefix, signal) : undefined;
        const oldMarker = await markers.find(oldPrefix, signal);
        const isReplacing = target?.kind === 'directory' && !isResumed;
        const replaced = isReplacing ? await markers.find(newPrefix, signal) : undefined;
        const job: Job = {
          source,
          oldPrefix,
          newPrefix,
          oldMarker,
          replaced,
          present,
          moved: new Map(),
          made: new Map(),
          signal,
        };
        const marker = await this.#copyAll(job);
        if (target?.kind === 'directory') {
          resolver.dropListing(target);
          inodes.remove(target);
        }
        source.parent?.listing?.remove(source.name);
        inodes.move(source, newParent, newName);
        newParent.listing?.set({ name: newName, kind: 'directory' });
        this.#moveBelow(job);
        await this.#removeCopied(job);
        await this.#putTargetMarker(source, marker, newPrefix, {}, signal);
      };
      await whileMoving(source, move, prepare, moveAll, signal);
    } finally {
      source.moving = undefined;
      finish();
      for (const file of stored) await writeBack.letGo(file);
    }
  }

  /**
   * Whether this rename was interrupted before, and what `target` has is a part of the result. Rejects with ENOTEMPTY if it has
   * something else.
   */
  async #isResumed(source: DirectoryNode, target: DirectoryNode, signal: AbortSignal): Promise<boolean> {
    try {
      await this.#names.requireEmpty(target, signal);
      return false;
    } catch (error) {
      if (!(error instanceof FsError && error.code === 'ENOTEMPTY')) throw error;
      const marker = await this.#context.markers.find(target.key, signal);
      if (marker?.metadata[renameFromName] !== digestOf(source.prefix)) throw error;
      for (const file of filesBelow(target)) {
        if (file.handles.size > 0 || file.hasUnstoredContent) {
          throw new FsError('EBUSY', `rename to ${target.key}: ${file.key} is open`, { cause: error });
        }
      }
      this.#context.log.info({ from: source.prefix, to: target.prefix }, 'an interrupted rename goes on');
      return true;
    }
  }

  /** Key → when it was stored, of everything that an interrupted rename has left. */
  async #listTarget(newPrefix: string, signal: AbortSignal): Promise<ReadonlyMap<string, number>> {
    const present = new Map<string, number>();
    await this.#eachPage(newPrefix, signal, (objects) => {
      for (const { key, lastModifiedMs } of objects) present.set(key, lastModifiedMs);
      return Promise.resolve();
    });
    return present;
  }

  /** The marker carries the directory's attributes, also those not yet stored, and what else `marker`, the last one, has. */
  async #putTargetMarker(
    source: DirectoryNode,
    marker: ObjectInfo | undefined,
    newPrefix: string,
    added: Metadata,
    signal: AbortSignal,
  ): Promise<ObjectInfo> {
    const { attributes } = source;
    const ctimeNs = this.#context.clock.nowNs(); // as rename(2) changes a file's
    const otherMetadata = Object.fromEntries(
      Object.entries(attributes.otherMetadata).filter(([name]) => name !== renameFromName),
    );
    const sent = withMetadata({ ...attributes, ctimeNs, otherMetadata }, added);
    const stored = await this.#context.markers.move(marker, newPrefix, sent, signal);
    this.#context.knownMarkers.forgetAll();
    source.marker = 'unknown';
    // What was set meanwhile is still to be stored, under the new name.
    if (source.attributes === attributes) this.#context.writeBack.cancel(source);
    source.attributes = { ...source.attributes, ctimeNs, otherMetadata };
    return stored;
  }

  /**
   * Copies every object below. Where an earlier try has left something: a copy, or what became of it, is younger than its source,
   * unless that was changed afterwards.
   */
  async #copyAll(job: Job): Promise<ObjectInfo> {
    const { source, oldPrefix, newPrefix, oldMarker, present, moved, made, signal } = job;
    const hadUnstoredAttributes = source.hasUnstoredAttributes;
    try {
      const added = { [renameFromName]: digestOf(oldPrefix) };
      const marker = await this.#putTargetMarker(source, oldMarker, newPrefix, added, signal);
      made.set(newPrefix, marker.etag);
      await this.#eachPage(oldPrefix, signal, async (objects) => {
        await this.#copyPage(
          objects.filter((object) => {
            const age = present?.get(targetKeyOf(job, object)) ?? -Infinity;
            if (object.key !== oldPrefix && age <= object.lastModifiedMs) return true;
            moved.set(object.key, movedFrom(object, object, undefined));
            return false;
          }),
          job,
        );
      });
      if (source.parent) await this.#names.ensureMarker(source.parent, signal);
      return marker;
    } catch (error) {
      await this.#removeCopies(job);
      if (hadUnstoredAttributes) this.#context.writeBack.scheduleAttributes(source);
      throw error;
    }
  }

  async #copyPage(objects: readonly ListedObject[], job: Job): Promise<void> {
    const { moved, made, present, signal } = job;
    await forEachLimited(objects, { limit: copyParallelism, signal }, async (object, either) => {
      const targetKey = targetKeyOf(job, object);
      // Only a copy made here may be replaced, or what was there before an interrupted rename goes on.
      const copied = made.get(targetKey);
      const condition: WriteCondition =
        copied !== undefined ? { ifMatch: copied } : present?.has(targetKey) ? {} : { ifNoneMatch: '*' };
      const result = await this.#copyObject(object, targetKey, condition, either);
      if (!result) {
        moved.delete(object.key);
        return;
      }
      const { from, to } = result;
      moved.set(object.key, movedFrom(object, from, to.etag));
      if (copied !== undefined || !present?.has(targetKey)) made.set(targetKey, to.etag);
    });
  }

  /** Undefined if another client has removed it since it was listed. One that was replaced since is looked at anew. */
  async #copyObject(
    object: ListedObject,
    targetKey: string,
    condition: WriteCondition,
    signal: AbortSignal,
  ): Promise<CopiedObject | undefined> {
    const { store, rewriter, infos, resolver } = this.#context;
    if (Buffer.byteLength(targetKey) > store.limits.maxKeyBytes) {
      throw new FsError(
        'ENAMETOOLONG',
        `${targetKey}: the key has more than ${store.limits.maxKeyBytes} bytes`,
      );
    }
    let info = infos.get(object) ?? (await resolver.headIfExists(object.key, signal));
    for (let attempt = 0; info && attempt < maxAttempts; attempt += 1) {
      const headers = headersOf(info);
      try {
        const { etag } = await rewriter.copy(info, targetKey, headers, condition, signal);
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

  /**
   * Removes what was copied from under the old name. What is there now, and was not copied, another client has stored meanwhile: it
   * is moved as well.
   */
  async #removeCopied(job: Job): Promise<void> {
    const { oldPrefix, moved, signal } = job;
    for (let pass = 0; pass < maxAttempts; pass += 1) {
      const found = { others: 0 };
      await this.#eachPage(oldPrefix, signal, async (objects) => {
        const isCopied = (object: ListedObject) => {
          const before = moved.get(object.key);
          return before?.etag === object.etag && before.lastModifiedMs === object.lastModifiedMs;
        };
        // At once: this page says what is there now.
        await this.#remove(
          objects.filter((object) => isCopied(object) || object.key === oldPrefix),
          job,
        );
        const others = objects.filter((object) => !isCopied(object) && object.key !== oldPrefix);
        if (others.length === 0) return;
        found.others += others.length;
        await this.#copyPage(others, job);
        this.#leaveToOthers(others, job);
      });
      if (found.others === 0) return;
    }
    throw new FsError('EBUSY', `rename ${oldPrefix}: other clients store files there all the time`);
  }

  async #remove(objects: readonly ListedObject[], { oldPrefix, signal }: Job): Promise<void> {
    if (objects.length === 0) return;
    const failures = await this.#context.store.deleteMany(
      objects.map(({ key }) => key),
      signal,
    );
    const failure = failures[0];
    if (!failure) return;
    const message = `rename ${oldPrefix}: ${failures.length} objects are left under the old name`;
    throw new FsError('EIO', message, { cause: failure.error });
  }

  /**
   * After a failure the source is whole; copies made so far would only be in the way of the next try. What another client has stored
   * in their place stays, and so does what was there before: it may be the only copy. A directory that was to be replaced is there
   * again, as rename(2) promises.
   */
  async #removeCopies({ newPrefix, made, present, replaced }: Job): Promise<void> {
    const { store, markers, infos, log } = this.#context;
    const signal = AbortSignal.timeout(cleanupTimeoutMs);
    const marker = made.get(newPrefix);
    if (present || replaced) made.delete(newPrefix);
    if (made.size === 0 && !replaced) return;
    try {
      let failed = 0;
      await this.#eachPage(newPrefix, signal, async (objects) => {
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

  async #eachPage(
    prefix: string,
    signal: AbortSignal,
    action: (objects: readonly ListedObject[]) => Promise<void>,
  ): Promise<void> {
    let continuationToken: string | undefined;
    do {
      const page = await this.#context.store.list(
        { prefix, ...(continuationToken === undefined ? {} : { continuationToken }) },
        signal,
      );
      continuationToken = page.continuationToken;
      await action(page.objects);
    } while (continuationToken !== undefined);
  }

  /** The live nodes, and what is to be copied from these objects, go on with the copies. */
  #moveBelow({ source, oldPrefix, newPrefix, moved }: Job): void {
    const { contents } = this.#context;
    this.#dropListings(source);
    for (const file of filesBelow(source)) {
      const { info } = file;
      const copy = moved.get(oldPrefix + file.key.slice(newPrefix.length));
      if (!info || copy?.toEtag === undefined) continue;
      if (info.etag === copy.etag && info.size === copy.size) {
        const to = { key: file.key, etag: copy.toEtag, size: info.size };
        contents.recordMoved(file, { from: info, to, headers: headersOf(info) });
      } else if (!file.hasUnstoredContent) {
        supersede(file, this.#context); // changed by another client before it was copied
      }
    }
    for (const version of contents.storedVersions()) {
      const copy = moved.get(version.key);
      if (copy?.toEtag === undefined || copy.etag !== version.etag) continue;
      const key = newPrefix + version.key.slice(oldPrefix.length);
      contents.relabel(version, { key, etag: copy.toEtag, size: version.size });
    }
  }

  /** These names now are for what another client has stored during the rename. */
  #leaveToOthers(others: readonly ListedObject[], job: Job): void {
    const keys = new Set(others.map((object) => targetKeyOf(job, object)));
    for (const key of keys) this.#context.reader.drop(key);
    for (const file of [...filesBelow(job.source)]) {
      if (keys.has(file.key) && !file.hasUnstoredContent) supersede(file, this.#context);
    }
    this.#dropListings(job.source);
  }

  #dropListings(directory: DirectoryNode): void {
    this.#context.resolver.dropListing(directory);
    for (const child of directory.children.values()) {
      if (child.kind === 'directory') {
        child.marker = 'unknown';
        this.#dropListings(child);
      }
    }
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

function targetKeyOf({ oldPrefix, newPrefix }: Job, { key }: ListedObject): string {
  return newPrefix + key.slice(oldPrefix.length);
}

/** Short and plain ASCII, whatever the name. */
function digestOf(prefix: string): string {
  return createHash('sha256').update(prefix).digest('hex').slice(0, 32);
}
