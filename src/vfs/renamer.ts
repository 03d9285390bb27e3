/**
 * Rename: on the server, object by object. Sources are deleted only when every copy exists, so that an interruption
 * leaves each object under at least one of its names.
 */
import { FsError } from '../errors.js';
import type { Call, RenameFlags } from '../file-system.js';
import type { ListedObject, ObjectHeaders, WriteCondition } from '../object-store.js';
import type { VfsContext } from './context.js';
import type { FileOperations } from './file-operations.js';
import type { NamespaceOperations } from './namespace-operations.js';
import type { NodeFinder } from './node-finder.js';
import { ancestorsOf, filesBelow, type DirectoryNode, type FileNode, type Node } from './nodes.js';
import { headersOfAttributes } from './stored-attributes.js';

/** Objects copied at the same time. */
const copyParallelism = 16;

interface CopiedObject {
  readonly sourceKey: string;
  readonly targetKey: string;
  readonly etag: string;
  readonly size: number;
  readonly headers: ObjectHeaders;
}

export class Renamer {
  readonly #context: VfsContext;
  readonly #finder: NodeFinder;
  readonly #files: FileOperations;
  readonly #names: NamespaceOperations;

  constructor(context: VfsContext, finder: NodeFinder, files: FileOperations, names: NamespaceOperations) {
    this.#context = context;
    this.#finder = finder;
    this.#files = files;
    this.#names = names;
  }

  async rename(
    parent: DirectoryNode,
    name: string,
    newParent: DirectoryNode,
    newName: string,
    flags: RenameFlags,
    call: Call,
  ): Promise<void> {
    if (flags.exchange) throw new FsError('EINVAL', 'rename: S3 cannot exchange two objects at once');
    const { writeBack } = this.#context;
    await writeBack.waitForMoves(parent, call.signal);
    await writeBack.waitForMoves(newParent, call.signal);
    const source = await this.#finder.requireChild(parent, name, call.signal);
    const target = await this.#finder.findChild(newParent, newName, call.signal);
    try {
      this.#names.checkNewName(newParent, newName, source.kind);
      if (source === target) return;
      await this.#renameFound(source, newParent, newName, target, flags, call.signal);
    } finally {
      this.#context.inodes.release(source);
      if (target) this.#context.inodes.release(target);
    }
    this.#names.touchDirectory(parent);
    if (newParent !== parent) this.#names.touchDirectory(newParent);
  }

  async #renameFound(
    source: Node,
    newParent: DirectoryNode,
    newName: string,
    target: Node | undefined,
    flags: RenameFlags,
    signal: AbortSignal,
  ): Promise<void> {
    checkKinds(source, target, flags);
    if (isWithin(newParent, source)) throw new FsError('EINVAL', `rename ${source.key}: into itself`);
    if (source.kind === 'file') await this.#renameFile(source, newParent, newName, target, flags, signal);
    else await this.#renameDirectory(source, newParent, newName, target, signal);
  }

  async #renameFile(
    source: FileNode,
    newParent: DirectoryNode,
    newName: string,
    target: Node | undefined,
    flags: RenameFlags,
    signal: AbortSignal,
  ): Promise<void> {
    const { store, rewriter, writeBack, clock } = this.#context;
    await this.#lockAll([source, ...(target?.kind === 'file' ? [target] : [])], signal, async () => {
      if (source.content?.isDirty) await writeBack.storeLocked(source, signal);
      const { info } = source;
      if (!info) throw new FsError('ENOENT', `rename ${source.key}: gone`);
      if (target?.kind === 'file') await this.#files.detach(target, signal);
      const newKey = `${newParent.prefix}${newName}`;
      const attributes = { ...source.attributes, ctimeNs: clock.nowNs() };
      const headers = headersOfAttributes(attributes);
      const condition: WriteCondition = flags.noReplace ? { ifNoneMatch: '*' } : {};
      const { etag } = await rewriter.copy(info, newKey, headers, condition, signal);
      if (target?.kind === 'file') {
        target.info = undefined; // its object is the new one now
        await this.#names.forgetRemoved(target);
      }
      const oldKey = source.key;
      const { parent, name } = source;
      if (parent) await this.#names.ensureMarker(parent, signal);
      parent?.listing?.remove(name);
      this.#context.inodes.move(source, newParent, newName);
      source.attributes = attributes;
      this.#context.writeBack.cancel(source);
      this.#moveContent(source, { sourceKey: oldKey, targetKey: newKey, etag, size: info.size, headers });
      this.#context.infos.delete(oldKey);
      await store.delete(oldKey, signal);
    });
  }

  async #renameDirectory(
    source: DirectoryNode,
    newParent: DirectoryNode,
    newName: string,
    target: Node | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const { inodes, store, resolver } = this.#context;
    if (target?.kind === 'directory') await this.#names.requireEmpty(target, signal);
    let finish: () => void = () => undefined;
    source.moving = new Promise<void>((resolve) => (finish = resolve));
    try {
      await this.#lockAll([...filesBelow(source)], signal, async () => {
        for (const file of filesBelow(source)) await this.#storeBeforeMove(file, signal);
        const newPrefix = `${newParent.prefix}${newName}/`;
        const oldPrefix = source.prefix;
        await this.#putTargetMarker(source, newPrefix, signal);
        const { copied, keys } = await this.#copyAll(source, oldPrefix, newPrefix, signal);
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
      });
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

  /** The marker carries the directory's attributes, also those not yet stored. */
  async #putTargetMarker(source: DirectoryNode, newPrefix: string, signal: AbortSignal): Promise<void> {
    const headers = headersOfAttributes(source.attributes);
    await this.#context.store.put(newPrefix, [], headers, {}, signal);
    source.marker = 'unknown';
    this.#context.writeBack.cancel(source);
  }

  /** Copies every object below, and returns what the live nodes need to know and all keys to delete. */
  async #copyAll(
    source: DirectoryNode,
    oldPrefix: string,
    newPrefix: string,
    signal: AbortSignal,
  ): Promise<{ copied: Map<string, CopiedObject>; keys: string[] }> {
    const { store } = this.#context;
    const liveKeys = new Set([...filesBelow(source)].map((file) => file.key));
    const copied = new Map<string, CopiedObject>();
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
          const result = await this.#copyObject(object, targetKey, either);
          keys.push(object.key);
          targets.push(targetKey);
          if (liveKeys.has(object.key)) copied.set(object.key, result);
        });
      } while (continuationToken !== undefined);
    } catch (error) {
      await this.#removeCopies([newPrefix, ...targets]);
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
    const headers: ObjectHeaders = {
      metadata: info.metadata,
      ...(info.contentType === undefined ? {} : { contentType: info.contentType }),
    };
    const { etag } = await rewriter.copy(info, targetKey, headers, {}, signal);
    return { sourceKey: object.key, targetKey, etag, size: info.size, headers };
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

  #moveBelow(directory: DirectoryNode, copied: ReadonlyMap<string, CopiedObject>): void {
    const bySource = new Map([...copied.values()].map((copy) => [copy.targetKey, copy]));
    this.#dropListings(directory);
    for (const file of filesBelow(directory)) {
      const copy = bySource.get(file.key);
      if (copy) this.#moveContent(file, copy);
    }
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

  /** The node has its new name; its object now is the copy. */
  #moveContent(node: FileNode, copy: CopiedObject): void {
    const { writeBack } = this.#context;
    const from = { key: copy.sourceKey, etag: node.info?.etag ?? '', size: copy.size };
    const to = { key: copy.targetKey, etag: copy.etag, size: copy.size };
    writeBack.relabel(from, to);
    if (node.linkTarget?.etag === from.etag) node.linkTarget = { ...node.linkTarget, etag: to.etag };
    writeBack.recordStored(node, to, copy.headers);
  }

  /** Holds the locks of all these files, taken in the order of their ids. */
  async #lockAll(
    files: readonly FileNode[],
    signal: AbortSignal,
    action: () => Promise<void>,
  ): Promise<void> {
    const releases: (() => void)[] = [];
    try {
      for (const file of files.toSorted((a, b) => a.id - b.id))
        releases.push(await file.lock.acquire(signal));
      await action();
    } finally {
      for (const release of releases) release();
    }
  }
}

const cleanupTimeoutMs = 60_000;

function checkKinds(source: Node, target: Node | undefined, flags: RenameFlags): void {
  if (!target) return;
  if (flags.noReplace) throw new FsError('EEXIST', `${target.key}: exists`);
  if (source.kind === 'directory' && target.kind === 'file') {
    throw new FsError('ENOTDIR', `${target.key}: not a directory`);
  }
  if (source.kind === 'file' && target.kind === 'directory')
    throw new FsError('EISDIR', `${target.key}: a directory`);
}

function isWithin(directory: DirectoryNode, above: Node): boolean {
  if (directory === above) return true;
  for (const ancestor of ancestorsOf(directory)) if (ancestor === above) return true;
  return false;
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
