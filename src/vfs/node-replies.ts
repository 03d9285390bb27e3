/** What the kernel is told: entries and attributes of nodes, for how long it may use them, and how much room there is. */
import type { Attributes, AttributesReply, Entry, FileSystemStatistics } from '../file-system.js';
import type { IdleInodes } from './idle-inodes.js';
import { numberOf } from './inode-numbers.js';
import type { KnownParts } from './known-parts.js';
import { maxNameBytes } from './names.js';
import type { Node } from './nodes.js';
import { shownAttributes } from './stored-attributes.js';

interface NodeRepliesOptions extends Pick<KnownParts, 'inodes' | 'freshness' | 'defaults'> {
  readonly idleInodes: IdleInodes;
}

const statBlockBytes = 512;

const freeBlocks = 2 ** 38;
const freeFiles = 2 ** 40;

/** What statfs tells of a bucket: S3 knows no limit, and df shows a pebibyte. */
export const unlimitedSpace: FileSystemStatistics = {
  blockSize: 4096,
  blocks: freeBlocks,
  blocksFree: freeBlocks,
  files: freeFiles,
  filesFree: freeFiles,
  maxNameBytes,
};

export class NodeReplies {
  readonly #options: NodeRepliesOptions;

  constructor(options: NodeRepliesOptions) {
    this.#options = options;
  }

  /** The entry of a node; counts as one lookup. */
  entryOf(node: Node): Entry {
    const { inodes, idleInodes, freshness } = this.#options;
    inodes.revive(node);
    node.lookups += 1;
    idleInodes.noteKnown();
    const ttlMs = freshness.ttlMsOf(node);
    return {
      inode: node.id,
      attributes: this.#attributesOf(node),
      entryTtlMs: ttlMs,
      attributesTtlMs: ttlMs,
    };
  }

  /** The kernel did not take an entry after all. */
  withdraw(node: Node): void {
    node.lookups -= 1;
    this.#options.inodes.release(node);
  }

  attributesReply(node: Node): AttributesReply {
    return { attributes: this.#attributesOf(node), attributesTtlMs: this.#options.freshness.ttlMsOf(node) };
  }

  /** stat of a node. Directories have a link count of 1, which tells tools not to count subdirectories by it. */
  #attributesOf(node: Node): Attributes {
    const { permissions, uid, gid } = shownAttributes(node.attributes, this.#options.defaults);
    const { type, atimeNs, mtimeNs, ctimeNs, deviceNumber } = node.attributes;
    const size = node.kind === 'file' ? node.size : 0;
    return {
      ino: numberOf(node),
      mode: type | permissions,
      linkCount: node.isRemoved ? 0 : 1,
      uid,
      gid,
      size,
      blocks: Math.ceil(size / statBlockBytes),
      atimeNs,
      mtimeNs,
      ctimeNs,
      ...(deviceNumber !== undefined && { deviceNumber }),
    };
  }
}
