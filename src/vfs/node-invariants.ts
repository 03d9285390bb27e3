/** The table in `nodes.ts` as code, for tests: throws where a node contradicts itself at the end of a turn. */
import type { DirectoryNode, FileNode, Node } from './nodes.js';

export function checkNode(node: Node): void {
  const require = (holds: boolean, what: string) => {
    if (!holds) throw new Error(`${node.kind} ${node.id} (${node.key}): ${what}`);
  };
  require(node.lookups >= 0, 'was forgotten more often than looked up');
  require(node.pins >= 0, 'was let go of more often than held');
  require(node.isRemoved || !node.isOutdated, 'is outdated and has a name');
  if (node.kind === 'file') checkFile(node, require);
  else if (!node.isRemoved) checkDirectory(node, require);
}

function checkFile(node: FileNode, require: (holds: boolean, what: string) => void): void {
  const { info, content, creation, changes, generation } = node;
  for (const handle of node.handles) {
    require(handle.node === node, 'has a handle of another file');
    require(handle.generation <= generation, 'has a handle of a later generation');
    require(handle.lastChange <= changes, 'has a handle with a change that was not counted');
  }
  require(node.storedChanges <= changes, 'has more stored changes than changes');
  if (node.isRemoved) {
    const isOpen = node.handles.size > 0;
    require(!isOpen || node.isOutdated || content !== undefined, 'is open, and its bytes are gone');
    return;
  }
  require(info !== undefined || content !== undefined, 'is neither here nor in the bucket');
  require(creation === undefined || node.hasUnstoredContent, 'is new, and nothing of it waits to be stored');
  require(!node.isUnreadable || !node.hasUnstoredContent, 'is made up, and waits to be stored');
  if (info) require(info.key === node.key, `has the object ${info.key}`);
  if (content && !content.isDirty) {
    const { base } = content;
    require(base?.etag === info?.etag &&
      base?.size === info?.size, 'is clean, and has another version than is known');
  }
}

function checkDirectory(node: DirectoryNode, require: (holds: boolean, what: string) => void): void {
  for (const [name, child] of node.children) {
    require(child.parent === node && child.name === name, `has a child ${name} of another name or parent`);
    require(!child.isRemoved, `has a child ${name} that is removed`);
  }
  const { listing, marker } = node;
  if (listing) require(listing.prefix === node.prefix, `has the listing of ${listing.prefix}`);
  if (typeof marker === 'object') require(marker.key === node.key, `has the marker ${marker.key}`);
}
