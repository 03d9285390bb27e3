/** Chooses the key for a version that lost against another client's: a directory can show it, and the server takes it. */
import { FsError } from '../errors.js';
import { maxNameBytes } from './names.js';
import { ancestorsOf, type DirectoryNode, type FileNode } from './nodes.js';

/** Follows the name that keeps ours. Theirs lies under that key while ours is completed under the file's own name. */
export const asideSuffix = '.other';

const maxHostBytes = 20;
const maxExtensionBytes = 16;

interface ConflictKeyRequest {
  readonly node: FileNode;
  readonly host: string;
  readonly time: Date;
  readonly maxKeyBytes: number;
}

/**
 * NAME.conflict-HOST-TIME, with as much of NAME as leaves room for it all, in the nearest directory above that still is there: a
 * key below another would hide what a client has put in its place, or bring it back. Throws ENAMETOOLONG if there is no room.
 */
export function conflictKeyOf({ node, host, time, maxKeyBytes }: ConflictKeyRequest): {
  readonly key: string;
  readonly directory: DirectoryNode;
} {
  const suffix = `.conflict-${cutAt(host, maxHostBytes)}-${time.toISOString()}`;
  for (const directory of ancestorsOf(node)) {
    if (directory.isRemoved) continue;
    const maxBytes = Math.min(maxNameBytes, maxKeyBytes - Buffer.byteLength(directory.prefix));
    const name = shortened(node.name, maxBytes - Buffer.byteLength(suffix + asideSuffix));
    if (name !== undefined) return { key: directory.prefix + name + suffix, directory };
  }
  throw new FsError('ENAMETOOLONG', `${node.key}: no name for it beside what another client stored`);
}

/** The name, or a beginning of it and its extension, in so many bytes; undefined if nothing of the beginning fits. */
export function shortened(name: string, maxBytes: number): string | undefined {
  if (Buffer.byteLength(name) <= maxBytes) return name;
  const dot = name.lastIndexOf('.');
  const hasExtension = dot > 0 && Buffer.byteLength(name.slice(dot)) <= maxExtensionBytes;
  const extension = hasExtension ? name.slice(dot) : '';
  const stem = cutAt(hasExtension ? name.slice(0, dot) : name, maxBytes - Buffer.byteLength(extension));
  return stem === '' ? undefined : stem + extension;
}

/** The longest beginning of whole characters that has no more bytes. */
function cutAt(text: string, maxBytes: number): string {
  let cut = '';
  let bytes = 0;
  for (const character of text) {
    bytes += Buffer.byteLength(character);
    if (bytes > maxBytes) break;
    cut += character;
  }
  return cut;
}
