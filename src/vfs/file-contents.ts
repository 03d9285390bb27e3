/**
 * The contents of files that are being changed: makes them, tells each where it is stored, and keeps them together, since a copy
 * on the server may concern more than one. `WriteBack` says when they are stored.
 */
import type { Limiter } from '../concurrency/limiter.js';
import { FsError } from '../errors.js';
import type { Log } from '../log.js';
import type { ObjectHeaders, WriteCondition } from '../object-store.js';
import { isSameVersion, type ObjectVersion } from '../object-version.js';
import type { Placement, StoreTarget } from '../staging/placement.js';
import { StagedFile, type StagedFileOwner } from '../staging/staged-file.js';
import type { StagingArea } from '../staging/staging-area.js';
import { isLost } from './fs-errors.js';
import { whileInPlace } from './moves.js';
import type { FileNode } from './nodes.js';
import { headersOfAttributes, withoutTimesOfWrite } from './stored-attributes.js';
import type { StoredRecords } from './stored-records.js';
import type { KnownParts } from './known-parts.js';

interface FileContentsOptions extends Pick<KnownParts, 'store' | 'reader' | 'clock' | 'log'> {
  readonly area: StagingArea;
  /** Shared by all files. */
  readonly uploads: Limiter;
  readonly records: StoredRecords;
  /** The most zeros that a file is extended by between two times that it is stored. */
  readonly maxHoleBytes: number;
}

/** Where a file is stored whose name another client's version has. */
interface Beside {
  readonly key: string;
  /** What was sent already may be completed under the file's own key on this condition, to be copied on. */
  readonly through?: WriteCondition;
}

/** What a rename has put under another key. */
export interface CopiedObject {
  readonly from: ObjectVersion;
  readonly to: ObjectVersion;
  readonly headers: ObjectHeaders;
}

export class FileContents {
  readonly #options: FileContentsOptions;
  readonly #contents = new Set<StagedFile>();

  constructor(options: FileContentsOptions) {
    this.#options = options;
  }

  /** The content of this file, made if there is none. The caller has made sure that `node.info` is current. */
  of(node: FileNode): StagedFile {
    if (node.content) return node.content;
    const { area, reader, store, uploads, maxHoleBytes, clock, log } = this.#options;
    const base = node.info && { key: node.info.key, etag: node.info.etag, size: node.info.size };
    const owner = this.#ownerOf(node);
    const content = new StagedFile({ area, reader, store, uploads, base, owner, maxHoleBytes, clock, log });
    node.content = content;
    this.#contents.add(content);
    return content;
  }

  /** Lets go of a file's content, and of what is staged of it. */
  async close(node: FileNode): Promise<void> {
    const { content } = node;
    if (!content) return;
    node.content = undefined;
    this.#contents.delete(content);
    await content.discard();
  }

  /** Ends everything under way. The files keep what is left of their contents. */
  async discardAll(): Promise<void> {
    await Promise.all([...this.#contents].map((content) => content.discard()));
  }

  /** The place for a file that cannot have its own name. */
  placeBeside(node: FileNode, beside: Beside): Placement {
    const { records, log } = this.#options;
    return new NodePlacement(node, { records, log, beside });
  }

  /** The bytes of `from` now are `to`, by a copy on the server: whatever reads or copies them goes on with it. */
  relabel(from: ObjectVersion, to: ObjectVersion): void {
    this.#options.reader.relabel(from, to);
    for (const content of this.#contents) content.relabel(from, to);
  }

  /** Nothing that was read of the key is good any more. */
  drop(key: string): void {
    this.#options.reader.drop(key);
  }

  /** The node has its new name; its object now is the copy. */
  recordMoved(node: FileNode, { from, to, headers }: CopiedObject): void {
    this.relabel(from, to);
    if (node.linkTarget?.etag === from.etag) node.linkTarget = { ...node.linkTarget, etag: to.etag };
    this.#options.records.recordFile(node, to, headers);
  }

  /** Every version that bytes of a changed file are in, or are to be copied from, once. */
  storedVersions(): ObjectVersion[] {
    const found: ObjectVersion[] = [];
    for (const content of this.#contents) {
      for (const version of content.storedVersions()) {
        if (!found.some((other) => isSameVersion(other, version))) found.push(version);
      }
    }
    return found;
  }

  /**
   * Stages what other files are to have copied from this version, which is about to go. `own`: the content that the version
   * is of. What another client has taken away already is left to the commits that miss it.
   */
  async stageCopiesOf(
    version: ObjectVersion,
    own: StagedFile | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    for (const content of [...this.#contents]) {
      if (content === own || !content.hasCopiedFrom(version)) continue;
      try {
        await content.stage(version, signal);
      } catch (error) {
        if (!isLost(error)) throw error;
      }
    }
  }

  #ownerOf(node: FileNode): StagedFileOwner {
    const { records, log } = this.#options;
    const placement = new NodePlacement(node, { records, log });
    return {
      target: () => placement.target(),
      onStored: (version, headers) => placement.onStored(version, headers),
      get key() {
        return node.key;
      },
      mayChange: () => {
        if (node.isOutdated) throw new FsError('ESTALE', `changing ${node.key}: replaced by another client`);
      },
      isWriteOnly: () => node.handles.size > 0 && [...node.handles].every(({ canRead }) => !canRead),
      beforeReplacing: (version, signal) => this.stageCopiesOf(version, node.content, signal),
      whileInPlace: (signal, work) => whileInPlace(node, signal, work),
    };
  }
}

interface PlacementOptions {
  readonly records: StoredRecords;
  readonly log: Log;
  readonly beside?: Beside;
}

/** Under the key that the file has by then, with the attributes that it has by then, in the place of the version that is known. */
class NodePlacement implements Placement {
  readonly #node: FileNode;
  readonly #options: PlacementOptions;

  constructor(node: FileNode, options: PlacementOptions) {
    this.#node = node;
    this.#options = options;
  }

  target(): StoreTarget {
    const { key, attributes, info } = this.#node;
    const { beside } = this.#options;
    this.#node.sentAttributes = attributes;
    const headers = headersOfAttributes(attributes, info);
    const unfinishedHeaders = attributes.hasTimesOfWrite ? withoutTimesOfWrite(headers) : undefined;
    const condition = info && !beside ? { ifMatch: info.etag } : ({ ifNoneMatch: '*' } as const);
    return { key, ...beside, headers, unfinishedHeaders, condition };
  }

  onStored(version: ObjectVersion, headers: ObjectHeaders): void {
    const node = this.#node;
    const { records, beside, log } = this.#options;
    if (version.key === beside?.key) return;
    if (version.key !== node.key) {
      // Its upload was begun before a rename. The content is not clean until it is under the key of now.
      log.debug({ key: node.key, storedAs: version.key }, 'stored under its former name first');
      return;
    }
    records.recordFile(node, version, headers);
    node.hasUnstoredAttributes = node.attributes !== node.sentAttributes;
  }
}
