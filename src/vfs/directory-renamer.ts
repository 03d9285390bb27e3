/**
 * Rename of a directory: every object below is copied on the server, then the sources are deleted. Until that is complete the
 * marker under the new name says where its entries come from, so that the same rename, called again after a crash, is
 * let in and goes on.
 */
import { createHash } from 'node:crypto';
import { FsError } from '../errors.js';
import { headersOf } from '../object-headers.js';
import type { ListedObject, Metadata, ObjectInfo } from '../object-store.js';
import type { VfsContext } from './context.js';
import { withMetadata } from './directory-markers.js';
import { isStoreError } from './fs-errors.js';
import type { NamespaceOperations } from './namespace-operations.js';
import { whileMoving } from './moves.js';
import { filesBelow, type DirectoryNode, type FileNode, type Node } from './nodes.js';
import { supersede } from './supersede.js';
import type { CopiedObject } from './write-back.js';

/** Objects copied at the same time. */
const copyParallelism = 16;

const cleanupTimeoutMs = 60_000;
/** Metadata of the marker of a directory that is being renamed to this name: the digest of its former prefix. */
const renameFromName = 'osirisfs-rename-from';

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
    const { inodes, store, resolver, markers } = this.#context;
    const isResumed = target?.kind === 'directory' && (await this.#isResumed(source, target, signal));
    let finish: () => void = () => undefined;
    const move = { done: new Promise<void>((resolve) => (finish = resolve)), isExclusive: false };
    source.moving = move;
    const prepare = (file: FileNode) => this.#storeBeforeMove(file, signal);
    try {
      const moveAll = async () => {
        const newPrefix = `${newParent.prefix}${newName}/`;
        const oldPrefix = source.prefix;
        const present = isResumed ? await this.#listTarget(newPrefix, signal) : undefined;
        const oldMarker = await markers.find(oldPrefix, signal);
        const moved = await this.#putTargetMarker(
          source,
          oldMarker,
          newPrefix,
          { [renameFromName]: digestOf(oldPrefix) },
          signal,
        );
        const { copied, keys } = await this.#copyAll(source, oldPrefix, newPrefix, present, signal);
        if (target?.kind === 'directory') {
          resolver.dropListing(target);
          inodes.remove(target);
        }
        if (source.parent) {
          await this.#names.ensureMarker(source.parent, signal);
          source.parent.listing?.remove(source.name);
        }
        inodes.move(source, newParent, newName);
        newParent.listing?.set({ name: newName, kind: 'directory' });
        this.#moveBelow(source, copied);
        const failures = await store.deleteMany(keys, signal);
        const failure = failures[0];
        if (failure) {
          throw new FsError(
            'EIO',
            `rename ${oldPrefix}: ${failures.length} objects are left under the old name`,
            {
              cause: failure.error,
            },
          );
        }
        await this.#putTargetMarker(source, moved, newPrefix, {}, signal);
      };
      await whileMoving(source, move, prepare, moveAll, signal);
    } finally {
      source.moving = undefined;
      finish();
    }
  }

  async #storeBeforeMove(file: FileNode, signal: AbortSignal): Promise<void> {
    if (file.content?.isDirty || file.hasUnstoredAttributes) {
      await this.#context.writeBack.storeLocked(file, signal);
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
      const marker = await this.#context.store.head(target.key, signal).catch((failure: unknown) => {
        if (isStoreError(failure, 'NotFound')) return undefined;
        throw failure;
      });
      if (marker?.metadata[renameFromName] !== digestOf(source.prefix)) throw error;
      for (const file of filesBelow(target)) {
        if (file.handles.size > 0 || file.content?.isDirty) {
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
    let continuationToken: string | undefined;
    do {
      const page = await this.#context.store.list(
        { prefix: newPrefix, ...(continuationToken === undefined ? {} : { continuationToken }) },
        signal,
      );
      continuationToken = page.continuationToken;
      for (const { key, lastModifiedMs } of page.objects) present.set(key, lastModifiedMs);
    } while (continuationToken !== undefined);
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
    const otherMetadata = Object.fromEntries(
      Object.entries(attributes.otherMetadata).filter(([name]) => name !== renameFromName),
    );
    const sent = withMetadata({ ...attributes, otherMetadata }, added);
    const stored = await this.#context.markers.move(marker, newPrefix, sent, signal);
    this.#context.knownMarkers.forgetAll();
    source.attributes = { ...attributes, otherMetadata };
    source.marker = 'unknown';
    this.#context.writeBack.cancel(source);
    return stored;
  }

  /**
   * Copies every object below, and returns all keys to delete and what the live nodes need to know, as do files that are to
   * have bytes of these objects. `present`: what an earlier try has left. A copy, or what became of it, is younger than its
   * source, unless that was changed afterwards.
   */
  async #copyAll(
    source: DirectoryNode,
    oldPrefix: string,
    newPrefix: string,
    present: ReadonlyMap<string, number> | undefined,
    signal: AbortSignal,
  ): Promise<{ copied: CopiedObject[]; keys: string[] }> {
    const { store, contents } = this.#context;
    const liveKeys = new Set([...filesBelow(source)].map((file) => file.key));
    for (const content of contents) for (const { key } of content.storedVersions()) liveKeys.add(key);
    const copied: CopiedObject[] = [];
    const keys: string[] = [];
    const targets: string[] = [];
    const failed = new AbortController();
    const either = AbortSignal.any([signal, failed.signal]);
    try {
      let continuationToken: string | undefined;
      do {
        const page = await store.list(
          { prefix: oldPrefix, ...(continuationToken === undefined ? {} : { continuationToken }) },
          signal,
        );
        continuationToken = page.continuationToken;
        const objects = page.objects.filter((object) => object.key !== oldPrefix);
        if (page.objects.length > objects.length) keys.push(oldPrefix);
        await inParallel(objects, copyParallelism, failed, async (object) => {
          const targetKey = newPrefix + object.key.slice(oldPrefix.length);
          if ((present?.get(targetKey) ?? -Infinity) > object.lastModifiedMs) {
            keys.push(object.key);
            return;
          }
          const result = await this.#copyObject(object, targetKey, either);
          keys.push(object.key);
          targets.push(targetKey);
          if (liveKeys.has(object.key)) copied.push(result);
        });
      } while (continuationToken !== undefined);
    } catch (error) {
      // What was there before may be the only copy.
      await this.#removeCopies(
        present ? targets.filter((key) => !present.has(key)) : [newPrefix, ...targets],
      );
      throw error;
    }
    return { copied, keys };
  }

  async #copyObject(object: ListedObject, targetKey: string, signal: AbortSignal): Promise<CopiedObject> {
    const { store, rewriter, infos } = this.#context;
    if (Buffer.byteLength(targetKey) > store.limits.maxKeyBytes) {
      throw new FsError(
        'ENAMETOOLONG',
        `${targetKey}: the key has more than ${store.limits.maxKeyBytes} bytes`,
      );
    }
    const info = infos.get(object) ?? (await store.head(object.key, signal));
    const headers = headersOf(info);
    const { etag } = await rewriter.copy(info, targetKey, headers, {}, signal);
    return { from: info, to: { key: targetKey, etag, size: info.size }, headers };
  }

  /** After a failure the source is whole; copies made so far would only be in the way of the next try. */
  async #removeCopies(keys: readonly string[]): Promise<void> {
    const { store, log } = this.#context;
    try {
      const failures = await store.deleteMany(keys, AbortSignal.timeout(cleanupTimeoutMs));
      if (failures.length > 0)
        log.warn({ count: failures.length }, 'copies of a failed rename are left in the bucket');
    } catch (error) {
      log.warn({ error, count: keys.length }, 'copies of a failed rename are left in the bucket');
    }
  }

  #moveBelow(directory: DirectoryNode, copied: readonly CopiedObject[]): void {
    const { writeBack } = this.#context;
    const byTarget = new Map(copied.map((copy) => [copy.to.key, copy]));
    this.#dropListings(directory);
    for (const file of filesBelow(directory)) {
      const copy = byTarget.get(file.key);
      if (!copy) continue;
      if (file.info?.etag === copy.from.etag) {
        writeBack.recordMoved(file, copy);
        byTarget.delete(copy.to.key);
      } else if (!file.content?.isDirty) {
        supersede(file, this.#context); // changed by another client before it was copied
      }
    }
    for (const { from, to } of byTarget.values()) writeBack.relabel(from, to);
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

/** Short and plain ASCII, whatever the name. */
function digestOf(prefix: string): string {
  return createHash('sha256').update(prefix).digest('hex').slice(0, 32);
}

/** Runs `action` on all items, at most `limit` at once; the first failure aborts the others and is thrown. */
async function inParallel<T>(
  items: readonly T[],
  limit: number,
  failed: AbortController,
  action: (item: T) => Promise<void>,
): Promise<void> {
  let next = 0;
  const worker = async () => {
    for (;;) {
      const item = items[next++];
      if (item === undefined || failed.signal.aborted) return;
      await action(item);
    }
  };
  const errors: unknown[] = [];
  const workers = Array.from({ length: Math.min(limit, items.length) }, () =>
    worker().catch((error: unknown) => {
      errors.push(error);
      failed.abort();
    }),
  );
  await Promise.all(workers);
  if (errors.length > 0) throw errors[0];
}
