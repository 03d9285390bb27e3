/**
 * Records that this mount stored or removed an object, in all places that remember it: the node, the listing of its directory, and
 * what is known of objects.
 */
import { infoOfHeaders } from '../object-headers.js';
import type { ObjectHeaders, ObjectInfo } from '../object-store.js';
import type { ObjectVersion } from '../object-version.js';
import type { DirectoryNode, FileNode } from './nodes.js';
import type { StoredAttributes } from './stored-attributes.js';
import type { KnownParts } from './known-parts.js';

type StoredRecordsOptions = Pick<
  KnownParts,
  'inodes' | 'infos' | 'knownMarkers' | 'listed' | 'reader' | 'clock'
>;

export class StoredRecords {
  readonly #options: StoredRecordsOptions;

  constructor(options: StoredRecordsOptions) {
    this.#options = options;
  }

  /** The object of this file now is `version`, stored here with `headers`. */
  recordFile(node: FileNode, version: ObjectVersion, headers: ObjectHeaders): void {
    const info = this.remember(version, headers);
    node.info = info;
    node.pageEtag = version.etag;
    node.creation = undefined;
    node.isUnreadable = false;
    node.validatedAtMs = this.#options.clock.monotonicMs();
    if (!node.isRemoved) node.parent?.listing?.set({ name: node.name, kind: 'file', object: info });
  }

  /** The marker of this directory was stored with `attributes`. */
  recordMarker(directory: DirectoryNode, marker: ObjectInfo, attributes: StoredAttributes): void {
    directory.marker = marker;
    this.#options.infos.setWritten(marker);
    directory.hasUnstoredAttributes = directory.attributes !== attributes;
  }

  /** The object of this file was removed here. The node keeps its content for those who have it open. */
  recordFileRemoved(node: FileNode): void {
    const { inodes, infos, reader, clock } = this.#options;
    infos.delete(node.key);
    reader.drop(node.key);
    node.parent?.listing?.remove(node.name);
    node.attributes = { ...node.attributes, ctimeNs: clock.nowNs() };
    inodes.remove(node);
  }

  /** The marker of this directory, which was empty, was removed here. */
  recordDirectoryRemoved(node: DirectoryNode): void {
    const { inodes, infos, knownMarkers, listed } = this.#options;
    infos.delete(node.key);
    knownMarkers.forget(node.key);
    listed.drop(node);
    node.parent?.listing?.remove(node.name);
    inodes.remove(node);
  }

  /** What a HEAD of this object, which was stored a moment ago, would tell. */
  remember(version: ObjectVersion, headers: ObjectHeaders): ObjectInfo {
    const info: ObjectInfo = {
      ...version,
      lastModifiedMs: Number(this.#options.clock.nowNs() / 1_000_000n),
      ...infoOfHeaders(headers),
      isEncrypted: true,
    };
    this.#options.infos.setWritten(info);
    return info;
  }
}
