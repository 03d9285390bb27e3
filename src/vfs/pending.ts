/** What the bucket lacks of a node. */
import type { Node } from './nodes.js';

/** Whether there is something that is to be stored. */
export function isPending(node: Node): boolean {
  if (node.isRemoved) return isLeftOver(node);
  return node.hasUnstoredAttributes || hasUnstoredContent(node);
}

/** Whether the file was changed here, and another client took its name. A file that was removed here needs no storing. */
export function isLeftOver(node: Node): boolean {
  return node.isOutdated && hasUnstoredContent(node);
}

/** Whether somebody has it open to write and has not stored it yet: a close will come. */
export function isBeingWritten(node: Node): boolean {
  if (node.kind !== 'file' || !hasUnstoredContent(node)) return false;
  for (const handle of node.handles) if (handle.canWrite) return true;
  return false;
}

function hasUnstoredContent(node: Node): boolean {
  return node.kind === 'file' && node.hasUnstoredContent;
}
