/** The target of a symbolic link: what its object contains. */
import { FsError } from '../errors.js';
import { joinPieces, type GetReply, type ObjectStore } from '../object-store.js';
import { isStoreError } from './fs-errors.js';
import { maxLinkBytes, typeSymlink } from './modes.js';
import type { FileNode } from './nodes.js';

/** Rejects with EINVAL if the file is no symbolic link, ESTALE if it was replaced, EIO if its object cannot be a target. */
export async function readLinkTarget(
  node: FileNode,
  store: ObjectStore,
  signal: AbortSignal,
): Promise<string> {
  if (node.attributes.type !== typeSymlink) throw new FsError('EINVAL', `${node.key}: not a symbolic link`);
  const { info } = node;
  if (info && node.linkTarget?.etag === info.etag) return node.linkTarget.target;
  // Every client that may write to the bucket can say that this is a symbolic link.
  if (info && info.size > maxLinkBytes) throw tooLongForLink(node);
  const reply = await getLink(node, store, signal);
  const target = Buffer.from(joinPieces(reply.pieces)).toString();
  if (target === '' || target.includes('\0')) {
    throw new FsError('EIO', `${node.key}: a symbolic link without a target`);
  }
  node.linkTarget = { etag: reply.info.etag, target };
  // The kernel keeps the target as the inode's first page, and is not told of another one.
  node.pageEtag = reply.info.etag;
  return target;
}

async function getLink(node: FileNode, store: ObjectStore, signal: AbortSignal): Promise<GetReply> {
  try {
    const condition = node.info && { ifMatch: node.info.etag };
    return await store.get({ key: node.key, ...condition, maxBytes: maxLinkBytes }, signal);
  } catch (error) {
    if (isStoreError(error, 'EntityTooLarge')) throw tooLongForLink(node, error);
    if (!isStoreError(error, 'PreconditionFailed', 'NotFound')) throw error;
    // The kernel looks the name up again, but only once: the listing must not answer.
    node.parent?.askAtNextLookup(node.name);
    throw new FsError('ESTALE', `readlink ${node.key}: replaced or removed`, { cause: error });
  }
}

function tooLongForLink(node: FileNode, cause?: unknown): FsError {
  return new FsError('EIO', `${node.key}: too long for a symbolic link`, { cause });
}
