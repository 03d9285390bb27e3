/** What is done with a node in whose place another client has put something else, or nothing. */
import type { BlockReader } from '../cache/block-reader.js';
import type { Log } from '../log.js';
import type { InodeTable } from './inode-table.js';
import { filesBelow, type Node } from './nodes.js';

export class Superseder {
  readonly #inodes: InodeTable;
  readonly #reader: BlockReader;
  readonly #log: Log;

  constructor(inodes: InodeTable, reader: BlockReader, log: Log) {
    this.#inodes = inodes;
    this.#reader = reader;
    this.#log = log;
  }

  /**
   * Frees the node's name: the next lookup finds what the bucket has, as another inode, so that the kernel cannot mix sizes or pages
   * of two versions. Handles of the node see ESTALE from now on.
   */
  supersede(node: Node): void {
    this.#log.debug({ key: node.key }, 'changed by another client');
    for (const file of filesBelow(node)) {
      file.isOutdated = true;
      file.generation += 1;
      this.#reader.drop(file.key);
    }
    node.isOutdated = true;
    this.#inodes.remove(node);
  }
}
