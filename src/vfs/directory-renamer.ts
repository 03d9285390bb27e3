/**
 * Rename of a directory: copies every object below on the server, then deletes the sources. Until that is complete, the marker
 * under the new name says where its entries come from. So the same rename, called again after a crash, goes on.
 */
import { createHash } from 'node:crypto';
import { makeGate } from '../concurrency/deferred.js';
import { FsError } from '../errors.js';
import { headersOf } from '../object-headers.js';
import type { ListedObject, Metadata, ObjectInfo } from '../object-store.js';
import { withMetadata } from './directory-markers.js';
import { whileMoving } from './moves.js';
import { filesBelow, type DirectoryNode, type FileNode } from './nodes.js';
import { PrefixMove, type PrefixMoveOptions } from './prefix-move.js';
import type { WorkingParts } from './working-parts.js';

type DirectoryRenamerOptions = PrefixMoveOptions &
  Pick<
    WorkingParts,
    'inodes' | 'contents' | 'upkeep' | 'knownMarkers' | 'superseder' | 'writeBack' | 'clock'
  >;

interface DirectoryRename {
  readonly source: DirectoryNode;
  readonly newParent: DirectoryNode;
  readonly newName: string;
  /** The directory that has the new name: empty, or what this very rename has left there when it was interrupted. */
  readonly replaced: DirectoryNode | undefined;
}

/** Metadata of the marker of a directory that is being renamed to this name: the digest of its former prefix. */
const renameFromName = 'osirisfs-rename-from';

export class DirectoryRenamer {
  readonly #options: DirectoryRenamerOptions;

  constructor(options: DirectoryRenamerOptions) {
    this.#options = options;
  }

  async rename(order: DirectoryRename, signal: AbortSignal): Promise<void> {
    const { writeBack } = this.#options;
    const { source, replaced } = order;
    const isResumed = replaced !== undefined && (await this.#isResumed(source, replaced, signal));
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
      await whileMoving(source, move, prepare, () => this.#moveAll(order, isResumed, signal), signal);
    } finally {
      source.moving = undefined;
      finish();
      for (const file of stored) await writeBack.letGo(file);
    }
  }

  async #moveAll(
    { source, newParent, newName, replaced }: DirectoryRename,
    isResumed: boolean,
    signal: AbortSignal,
  ): Promise<void> {
    const { inodes, resolver, markers } = this.#options;
    const oldPrefix = source.prefix;
    const newPrefix = `${newParent.prefix}${newName}/`;
    const objects = new PrefixMove(this.#options, { oldPrefix, newPrefix }, signal);
    if (isResumed) await objects.resume();
    const oldMarker = await markers.find(oldPrefix, signal);
    const replacedMarker = replaced && !isResumed ? await markers.find(newPrefix, signal) : undefined;
    const marker = await this.#copyAll(source, objects, { oldMarker, replacedMarker }, signal);
    if (replaced) {
      resolver.dropListing(replaced);
      inodes.remove(replaced);
    }
    source.parent?.listing?.remove(source.name);
    inodes.move(source, newParent, newName);
    newParent.listing?.set({ name: newName, kind: 'directory' });
    this.#moveBelow(source, objects);
    await objects.removeSources((others) => this.#leaveToOthers(others, source, objects));
    await this.#putTargetMarker(source, { newPrefix, marker, added: {} }, signal);
  }

  /**
   * Whether this rename was interrupted before, and what `target` has is a part of the result. Rejects with ENOTEMPTY if it has
   * something else.
   */
  async #isResumed(source: DirectoryNode, target: DirectoryNode, signal: AbortSignal): Promise<boolean> {
    const { upkeep, markers, log } = this.#options;
    try {
      await upkeep.requireEmpty(target, signal);
      return false;
    } catch (error) {
      if (!(error instanceof FsError && error.code === 'ENOTEMPTY')) throw error;
      const marker = await markers.find(target.key, signal);
      if (marker?.metadata[renameFromName] !== digestOf(source.prefix)) throw error;
      for (const file of filesBelow(target)) {
        if (file.handles.size > 0 || file.hasUnstoredContent) {
          throw new FsError('EBUSY', `rename to ${target.key}: ${file.key} is open`, { cause: error });
        }
      }
      log.info({ from: source.prefix, to: target.prefix }, 'an interrupted rename goes on');
      return true;
    }
  }

  /** `replacedMarker`: of the empty directory that has the new name. Resolves with the marker under the new name. */
  async #copyAll(
    source: DirectoryNode,
    objects: PrefixMove,
    {
      oldMarker,
      replacedMarker,
    }: { readonly oldMarker: ObjectInfo | undefined; readonly replacedMarker: ObjectInfo | undefined },
    signal: AbortSignal,
  ): Promise<ObjectInfo> {
    const { upkeep, writeBack } = this.#options;
    const { oldPrefix, newPrefix } = objects;
    const hadUnstoredAttributes = source.hasUnstoredAttributes;
    try {
      const added = { [renameFromName]: digestOf(oldPrefix) };
      const marker = await this.#putTargetMarker(source, { newPrefix, marker: oldMarker, added }, signal);
      objects.noteMarker(marker);
      await objects.copyAll();
      if (source.parent) await upkeep.ensureMarker(source.parent, signal);
      return marker;
    } catch (error) {
      await objects.undo(replacedMarker);
      if (hadUnstoredAttributes) writeBack.scheduleAttributes(source);
      throw error;
    }
  }

  /** The marker carries the directory's attributes, also those not yet stored, and what else `marker`, the last one, has. */
  async #putTargetMarker(
    source: DirectoryNode,
    {
      newPrefix,
      marker,
      added,
    }: { readonly newPrefix: string; readonly marker: ObjectInfo | undefined; readonly added: Metadata },
    signal: AbortSignal,
  ): Promise<ObjectInfo> {
    const { markers, knownMarkers, writeBack, clock } = this.#options;
    const { attributes } = source;
    const ctimeNs = clock.nowNs(); // as rename(2) changes a file's
    const otherMetadata = Object.fromEntries(
      Object.entries(attributes.otherMetadata).filter(([name]) => name !== renameFromName),
    );
    const sent = withMetadata({ ...attributes, ctimeNs, otherMetadata }, added);
    const stored = await markers.move(marker, newPrefix, sent, signal);
    knownMarkers.forgetAll();
    source.marker = 'unknown';
    // What was set meanwhile is still to be stored, under the new name.
    if (source.attributes === attributes) writeBack.cancel(source);
    source.attributes = { ...source.attributes, ctimeNs, otherMetadata };
    return stored;
  }

  /** The live nodes, and what is to be copied from these objects, go on with the copies. */
  #moveBelow(source: DirectoryNode, objects: PrefixMove): void {
    const { contents, superseder } = this.#options;
    const { oldPrefix, newPrefix } = objects;
    this.#dropListings(source);
    for (const file of filesBelow(source)) {
      const { info } = file;
      const copy = objects.copyOf(oldPrefix + file.key.slice(newPrefix.length));
      if (!info || copy?.toEtag === undefined) continue;
      if (info.etag === copy.etag && info.size === copy.size) {
        const to = { key: file.key, etag: copy.toEtag, size: info.size };
        contents.recordMoved(file, { from: info, to, headers: headersOf(info) });
      } else if (!file.hasUnstoredContent) {
        superseder.supersede(file); // changed by another client before it was copied
      }
    }
    for (const version of contents.storedVersions()) {
      const copy = objects.copyOf(version.key);
      if (copy?.toEtag === undefined || copy.etag !== version.etag) continue;
      contents.relabel(version, { key: objects.targetKeyOf(version), etag: copy.toEtag, size: version.size });
    }
  }

  /** These names now are for what another client has stored during the rename. */
  #leaveToOthers(others: readonly ListedObject[], source: DirectoryNode, objects: PrefixMove): void {
    const { contents, superseder } = this.#options;
    const keys = new Set(others.map((object) => objects.targetKeyOf(object)));
    for (const key of keys) contents.drop(key);
    for (const file of [...filesBelow(source)]) {
      if (keys.has(file.key) && !file.hasUnstoredContent) superseder.supersede(file);
    }
    this.#dropListings(source);
  }

  #dropListings(directory: DirectoryNode): void {
    this.#options.resolver.dropListing(directory);
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
