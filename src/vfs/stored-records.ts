/**
 * What the mount knows of an object that it has put into the bucket itself, in all places where that is remembered: the node, the
 * listing of its directory, and what is known of objects.
 */
import type { Clock } from '../clock.js';
import { infoOfHeaders } from '../object-headers.js';
import type { ObjectHeaders, ObjectInfo } from '../object-store.js';
import type { ObjectVersion } from '../object-version.js';
import type { DirectoryNode, FileNode } from './nodes.js';
import type { ObjectInfoCache } from './object-info-cache.js';
import type { StoredAttributes } from './stored-attributes.js';

export class StoredRecords {
  readonly #infos: ObjectInfoCache;
  readonly #clock: Clock;

  constructor(infos: ObjectInfoCache, clock: Clock) {
    this.#infos = infos;
    this.#clock = clock;
  }

  /** The object of this file now is `version`, stored here with `headers`. */
  recordFile(node: FileNode, version: ObjectVersion, headers: ObjectHeaders): void {
    const info = this.remember(version, headers);
    node.info = info;
    node.pageEtag = version.etag;
    node.creation = undefined;
    node.isUnreadable = false;
    node.validatedAtMs = this.#clock.monotonicMs();
    if (!node.isRemoved) node.parent?.listing?.set({ name: node.name, kind: 'file', object: info });
  }

  /** The marker of this directory was stored with `attributes`. */
  recordMarker(directory: DirectoryNode, marker: ObjectInfo, attributes: StoredAttributes): void {
    directory.marker = marker;
    this.#infos.setWritten(marker);
    directory.hasUnstoredAttributes = directory.attributes !== attributes;
  }

  /** What a HEAD of this object, which was stored a moment ago, would tell. */
  remember(version: ObjectVersion, headers: ObjectHeaders): ObjectInfo {
    const info: ObjectInfo = {
      ...version,
      lastModifiedMs: Number(this.#clock.nowNs() / 1_000_000n),
      ...infoOfHeaders(headers),
      isEncrypted: true,
    };
    this.#infos.setWritten(info);
    return info;
  }
}
