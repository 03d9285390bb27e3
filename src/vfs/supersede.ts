/** What is done with a node in whose place another client has put something else. */
import type { BlockReader } from '../cache/block-reader.js';
import type { Log } from '../log.js';
import type { InodeTable } from './inode-table.js';
import { filesBelow, type Node } from './nodes.js';

interface SupersedeContext {
  readonly inodes: InodeTable;
  readonly reader: BlockReader;
  readonly log: Log;
}

/**
 * Frees the node's name: the next lookup finds what the bucket has, as another inode, so that the kernel cannot mix sizes or pages of
 * two versions. Handles of the node see ESTALE from now on.
 */
export function supersede(node: Node, { inodes, reader, log }: SupersedeContext): void {
  log.debug({ key: node.key }, 'changed by another client');
  for (const file of filesBelow(node)) {
    file.isOutdated = true;
    file.generation += 1;
    reader.drop(file.key);
  }
  node.isOutdated = true;
  inodes.remove(node);
}
