/**
 * Stores one node in the bucket: the content of a file, the attributes of files and directories. Settles a race that another client
 * has won. `WriteBack` says when a node is stored, and when again after a failure.
 */
import { FsError, StoreError } from '../errors.js';
import type { ObjectHeaders } from '../object-store.js';
import type { ObjectVersion } from '../object-version.js';
import type { StagedFile } from '../staging/staged-file.js';
import { copyWithAttributes } from './attribute-copy.js';
import type { Scope } from './drain.js';
import { isLost } from './fs-errors.js';
import { LostRace } from './lost-race.js';
import { whileInPlace } from './moves.js';
import type { DirectoryNode, FileNode, Node } from './nodes.js';
import { isBeingWritten } from './pending.js';
import {
  attributesOfObject,
  headersOfAttributes,
  withTimeOfWrite,
  type StoredAttributes,
} from './stored-attributes.js';
import type { StoringParts } from './storing-parts.js';

type NodeStorerOptions = Pick<
  StoringParts,
  | 'store'
  | 'rewriter'
  | 'markers'
  | 'contents'
  | 'records'
  | 'infos'
  | 'superseder'
  | 'defaults'
  | 'clock'
  | 'log'
>;

export class NodeStorer {
  readonly #options: NodeStorerOptions;
  readonly #lostRace: LostRace;

  constructor(options: NodeStorerOptions) {
    this.#options = options;
    this.#lostRace = new LostRace(options);
  }

  /** Under the node's lock. Rejects with a StoreError or an FsError; what is not stored is kept. */
  async store(node: Node, what: Scope, signal: AbortSignal): Promise<void> {
    if (node.isUnreadable) throw new FsError('EACCES', `${node.key}: what is shown of it is made up`);
    if (node.kind === 'directory') {
      if (node.hasUnstoredAttributes) await this.#putMarker(node, signal);
    } else {
      const { changes } = node; // of which the bytes are staged
      const isIncluded = what === 'everything' || !isBeingWritten(node);
      if (node.hasUnstoredContent && isIncluded) await this.#commit(node, signal);
      if (node.hasUnstoredAttributes && !node.hasUnstoredContent) {
        await whileInPlace(node, signal, () => this.#copyForAttributes(node, signal));
      }
      if (isIncluded) node.storedChanges = changes;
    }
  }

  /** What the bucket has is shown again. */
  revertAttributes(node: Node): void {
    const { defaults } = this.#options;
    let stored: StoredAttributes | undefined;
    if (node.kind === 'file' && node.info) stored = attributesOfObject(node.info, false, defaults);
    if (node.kind === 'directory' && typeof node.marker === 'object') {
      stored = attributesOfObject(node.marker, true, defaults);
    }
    if (stored) node.attributes = stored;
  }

  /** Stores the marker object of a directory, with its attributes. */
  async #putMarker(directory: DirectoryNode, signal: AbortSignal): Promise<void> {
    const { attributes, key, marker } = directory;
    if (key === '') {
      directory.hasUnstoredAttributes = false; // the bucket itself has nowhere to keep them
      return;
    }
    const known = marker === 'inaccessible' ? 'unknown' : marker; // it is asked for again
    const stored = await this.#options.markers.write(key, attributes, known, signal);
    this.#options.records.recordMarker(directory, stored, attributes);
  }

  async #commit(node: FileNode, signal: AbortSignal): Promise<void> {
    const { content } = node;
    if (!content) return;
    let version: ObjectVersion;
    try {
      if (node.isOutdated) throw new StoreError('PreconditionFailed', `${node.key}: replaced or removed`);
      version = await content.commit(signal);
    } catch (error) {
      if (!isLost(error)) throw error;
      version = await this.#settleLostRace(node, content, error, signal);
    }
    // Most are recorded in the moment in which they are stored, with the headers that they have.
    if (node.info?.etag !== version.etag || node.info.key !== version.key) {
      this.#options.records.recordFile(
        node,
        version,
        headersOfAttributes(node.sentAttributes ?? node.attributes, node.info),
      );
    }
    node.hasUnstoredAttributes = node.attributes !== node.sentAttributes;
    await this.#learnTimes(node, signal);
  }

  /** What was stored without times shows when that was, which the server knows. Never rejects. */
  async #learnTimes(node: FileNode, signal: AbortSignal): Promise<void> {
    const { store, infos, defaults, log } = this.#options;
    if (node.info === undefined || node.info.metadata['mtime'] !== undefined) return;
    if (node.hasUnstoredAttributes) return;
    try {
      const told = await store.head(node.key, signal);
      const info = withTimeOfWrite(told, node.attributes.mtimeNs);
      if (info.etag !== node.info.etag || node.attributes !== node.sentAttributes) return;
      infos.set(info);
      node.info = info;
      node.attributes = attributesOfObject(info, false, defaults);
      node.sentAttributes = node.attributes;
    } catch (error) {
      log.debug(
        { key: node.key, err: error },
        'the times of a stored file are not known yet; the next look will tell',
      );
    }
  }

  async #settleLostRace(
    node: FileNode,
    content: StagedFile,
    lost: Error,
    signal: AbortSignal,
  ): Promise<ObjectVersion> {
    const settled = await this.#lostRace.settle(node, content, lost, signal);
    if (settled.isStored) return settled.version;
    if (node.parent) node.parent.listing = undefined;
    settled.keptIn.listing = undefined;
    node.hasUnstoredAttributes = false;
    this.#options.infos.delete(node.key);
    if (!node.isOutdated) this.#options.superseder.supersede(node);
    throw settled.error;
  }

  async #copyForAttributes(node: FileNode, signal: AbortSignal): Promise<void> {
    const { info, attributes } = node;
    if (!info) return;
    const copy = await copyWithAttributes(this.#options, info, attributes, signal);
    const { from, to, headers } = copy;
    if (from.etag !== info.etag || from.size !== info.size) {
      this.#leaveToOthers(node, to, headers);
      return;
    }
    this.#options.contents.relabel(info, to);
    this.#options.records.recordFile(node, to, headers);
    node.hasUnstoredAttributes = node.attributes !== attributes;
    if (!node.hasUnstoredAttributes) node.attributes = copy.attributes;
  }

  /** The name is for another client's version, which has the attributes that were set here. */
  #leaveToOthers(node: FileNode, version: ObjectVersion, headers: ObjectHeaders): void {
    node.hasUnstoredAttributes = false;
    node.parent?.listing?.set({
      name: node.name,
      kind: 'file',
      object: this.#options.records.remember(version, headers),
    });
    // What was written here meanwhile meets the other version when it is stored.
    if (!node.hasUnstoredContent) this.#options.superseder.supersede(node);
  }
}
