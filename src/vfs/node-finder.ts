/**
 * Finds the node of a name or of an inode, as recent as `metadataTtlMs` asks, and brings what changed in the bucket into
 * the nodes that the kernel already knows.
 */
import { FsError } from '../errors.js';
import { withKnownTime } from './object-info-cache.js';
import type { ObjectInfo } from '../object-store.js';
import { keyOfEntry, reservedName } from './names.js';
import { filesBelow, type DirectoryNode, type FileNode, type Node } from './nodes.js';
import type { DescribedObject, Found } from './resolver.js';
import { attributesOfObject, type StoredAttributes } from './stored-attributes.js';
import type { KnownParts } from './known-parts.js';

type NodeFinderOptions = Pick<
  KnownParts,
  'resolver' | 'inodes' | 'superseder' | 'freshness' | 'reader' | 'defaults' | 'store' | 'clock'
>;

export class NodeFinder {
  readonly #options: NodeFinderOptions;

  constructor(options: NodeFinderOptions) {
    this.#options = options;
  }

  /** The node of a name, or undefined if there is nothing of this name. Rejects with a StoreError. */
  async findChild(directory: DirectoryNode, name: string, signal: AbortSignal): Promise<Node | undefined> {
    const { resolver, store } = this.#options;
    if (directory.isRemoved) return undefined;
    if (directory.parent === undefined && name === reservedName) return undefined;
    const live = directory.children.get(name);
    const mustAsk = directory.mustAskFor(name);
    if (live && mustAsk) live.validatedAtMs = -Infinity;
    if (live && this.isCurrent(live)) return live;
    keyOfEntry(directory.prefix, name, 'file', store.limits.maxKeyBytes);
    const found = mustAsk
      ? await resolver.ask(directory, name, signal)
      : await resolver.find(directory, name, live?.kind === 'file', signal);
    return this.integrate(directory, name, found);
  }

  /** As findChild; rejects with ENOENT. */
  async requireChild(directory: DirectoryNode, name: string, signal: AbortSignal): Promise<Node> {
    const node = await this.findChild(directory, name, signal);
    if (!node) throw new FsError('ENOENT', `${directory.prefix}${name}: no such file or directory`);
    return node;
  }

  /** The node of a name if the bucket has it now, whatever a listing said. */
  async findStored(directory: DirectoryNode, name: string, signal: AbortSignal): Promise<Node | undefined> {
    const { resolver, clock } = this.#options;
    const validatedAtMs = clock.monotonicMs();
    const described = await resolver.findObject(`${directory.prefix}${name}`, signal);
    if (!described) return undefined;
    directory.listing?.set({ name, kind: 'file', object: described.info });
    return this.integrate(directory, name, { kind: 'file', validatedAtMs, ...described });
  }

  /** Makes the node's attributes recent. Rejects with ESTALE if the bucket has something else, or nothing, in its place. */
  async refresh(node: Node, signal: AbortSignal): Promise<void> {
    if (node.isOutdated) throw replacedOrRemoved(node);
    if (node.isRemoved || this.isCurrent(node)) return;
    if (node.parent === undefined) {
      if (node.kind === 'directory') await this.#refreshRoot(node, signal);
      return;
    }
    const found = await this.#options.resolver.find(node.parent, node.name, node.kind === 'file', signal);
    const now = this.integrate(node.parent, node.name, found);
    if (now !== node) throw replacedOrRemoved(node);
  }

  /** Asks again for what could not be read when it was looked up. Rejects with EACCES if it still cannot be. */
  async requireReadable(node: Node, signal: AbortSignal): Promise<void> {
    const isReadable = () => !node.isUnreadable;
    if (isReadable()) return;
    node.validatedAtMs = -Infinity;
    await this.refresh(node, signal);
    if (!isReadable()) {
      throw new FsError('EACCES', `${node.key}: encrypted under another customer key, or not allowed`);
    }
  }

  /** Whether the node need not be asked for. */
  isCurrent(node: Node): boolean {
    return this.#options.freshness.isCurrent(node);
  }

  /** Brings what the bucket says of a name into the node of that name, made if there is none. */
  integrate(directory: DirectoryNode, name: string, found: Found | undefined): Node | undefined {
    const { inodes, defaults } = this.#options;
    const live = directory.children.get(name);
    if (live && this.isCurrent(live)) return live;
    if (!found) return live && this.#disappear(live);
    const known = live?.kind === 'file' ? live.info : undefined;
    const object = found.kind === 'file' ? withKnownTime(found.info, known) : found.marker;
    const attributes = attributesOfObject(
      object ?? noMarker(directory),
      found.kind === 'directory',
      defaults,
    );
    if (live?.kind === found.kind && live.attributes.type === attributes.type && !isSuperseded(live, found)) {
      live.validatedAtMs = found.validatedAtMs;
      if (live.kind === 'file' && found.kind === 'file') this.adopt(live, found, attributes);
      if (live.kind === 'directory' && found.kind === 'directory') {
        live.isUnreadable = found.isUnreadable;
        if (found.isUnreadable) return live; // what was known of it is better than nothing
        // Without a marker the attributes live here only: do not lose what this mount was told.
        if (found.marker || typeof live.marker === 'object') live.attributes = attributes;
        live.marker = found.marker;
      }
      return live;
    }
    if (live) this.#options.superseder.supersede(live);
    if (found.kind === 'directory') {
      const node = inodes.addDirectory(directory, name, attributes, found.validatedAtMs);
      node.marker = found.isUnreadable ? 'unknown' : found.marker;
      node.isUnreadable = found.isUnreadable;
      return node;
    }
    const node = inodes.addFile(directory, name, attributes, found.info, found.validatedAtMs);
    this.#applyUnreadable(node, found);
    return node;
  }

  /** Takes over what the bucket says of a clean file of which neither a program nor the kernel holds an earlier version. */
  adopt(node: FileNode, described: DescribedObject, attributes?: StoredAttributes): void {
    const { isUnreadable } = described;
    const info = withKnownTime(described.info, node.info);
    // The known attributes of an open file are still those of its version. They stay, and are stored with what programs write to it.
    if (isUnreadable && !node.isUnreadable && node.handles.size > 0 && !isOtherVersion(node, info)) return;
    if (isOtherVersion(node, info)) this.#options.reader.drop(info.key);
    node.info = info;
    node.attributes = attributes ?? attributesOfObject(info, false, this.#options.defaults);
    this.#applyUnreadable(node, described);
  }

  /**
   * Tells the node which version the bucket has. `isOtherInode`: the node cannot become that version. False: the node has lost its
   * name to it.
   */
  confirm(node: FileNode, info: ObjectInfo, isOtherInode: boolean): boolean {
    const attributes = attributesOfObject(info, false, this.#options.defaults);
    if (attributes.type !== node.attributes.type || (isOtherInode && !node.hasUnstoredAttributes)) {
      // Programs that have the earlier version open keep its pages in the kernel.
      node.parent?.listing?.set({ name: node.name, kind: 'file', object: info });
      this.#options.superseder.supersede(node);
      return false;
    }
    if (!node.hasUnstoredAttributes) this.adopt(node, { info, isUnreadable: false }, attributes);
    return true;
  }

  #applyUnreadable(node: FileNode, described: DescribedObject): void {
    node.isUnreadable = described.isUnreadable;
    if (described.isUnreadable) node.attributes = { ...node.attributes, permissions: 0 };
  }

  /** The bucket has nothing of this name any more. A directory stays while something below it is not stored. */
  #disappear(live: Node): Node | undefined {
    const { clock } = this.#options;
    for (const file of filesBelow(live)) {
      if (file.isAheadOfBucket) {
        live.validatedAtMs = clock.monotonicMs();
        return live;
      }
    }
    this.#options.superseder.supersede(live);
    return undefined;
  }

  async #refreshRoot(root: DirectoryNode, signal: AbortSignal): Promise<void> {
    const { resolver, defaults, clock } = this.#options;
    const validatedAtMs = clock.monotonicMs();
    if (root.prefix !== '') {
      const { marker } = await resolver.headMarker(root.prefix, signal);
      root.marker = marker;
      if (marker) root.attributes = attributesOfObject(marker, true, defaults);
    }
    root.validatedAtMs = validatedAtMs;
  }
}

/** Whether `found` is another version of a file of which a program or the kernel may hold the one that `live` is. */
function isSuperseded(live: Node, found: Found): boolean {
  return live.kind === 'file' && found.kind === 'file' && isHeld(live) && isOtherVersion(live, found.info);
}

/** Whether a program has this version open, or the kernel may have pages of it. */
export function isHeld(node: FileNode): boolean {
  return node.handles.size > 0 || node.pageEtag !== undefined;
}

export function isOtherVersion(node: FileNode, info: ObjectInfo): boolean {
  return node.info?.etag !== info.etag || node.info.size !== info.size;
}

function replacedOrRemoved(node: Node): FsError {
  return new FsError('ESTALE', `${node.key}: replaced or removed by another client`);
}

/** A directory without a marker shows the times of the one above it: S3 knows none. */
function noMarker(parent: DirectoryNode): Pick<ObjectInfo, 'metadata' | 'contentType' | 'lastModifiedMs'> {
  return {
    metadata: {},
    contentType: undefined,
    lastModifiedMs: Number(parent.attributes.mtimeNs / 1_000_000n),
  };
}
