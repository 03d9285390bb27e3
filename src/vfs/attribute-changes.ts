/** chmod, chown, utimens and access(2): what they do to, and read from, the attributes of a node. */
import { FsError } from '../errors.js';
import { accessMasks, type AttributeChanges, type Call } from '../file-system.js';
import { permissionMask, setGroupIdBit, setUserIdBit, typeDirectory } from './modes.js';
import type { Node } from './nodes.js';
import { shownAttributes, type AttributeDefaults, type StoredAttributes } from './stored-attributes.js';

/** False if nothing was changed. */
export function applyChanges(node: Node, changes: AttributeChanges, nowNs: bigint): boolean {
  const timeOf = (change: bigint | 'now') => (change === 'now' ? nowNs : change);
  const { mode, uid, gid, atime, mtime, ctime, killSetId } = changes;
  const changed: Partial<StoredAttributes> = {
    ...(mode === undefined ? {} : { permissions: mode & permissionMask }),
    ...(uid === undefined ? {} : { uid }),
    ...(gid === undefined ? {} : { gid }),
    ...(atime === undefined ? {} : { atimeNs: timeOf(atime) }),
    ...(mtime === undefined ? {} : { mtimeNs: timeOf(mtime), hasTimesOfWrite: false }),
  };
  if (killSetId && mode === undefined) {
    const kept = node.attributes.permissions & ~(setUserIdBit | setGroupIdBit);
    if (kept !== node.attributes.permissions) Object.assign(changed, { permissions: kept });
  }
  if (Object.keys(changed).length === 0) return false;
  node.attributes = { ...node.attributes, ...changed, ctimeNs: ctime ?? nowNs };
  return true;
}

/** Throws EACCES unless the caller may do what `mask` says: 4 read, 2 write, 1 execute or search, as in access(2). */
export function requireAccess(node: Node, mask: number, call: Call, defaults: AttributeDefaults): void {
  const { type } = node.attributes;
  const { permissions, uid, gid } = shownAttributes(node.attributes, defaults);
  if (call.uid === 0) {
    const needsExecute = (mask & ~(accessMasks.read | accessMasks.write)) !== 0;
    if (!needsExecute || type === typeDirectory || (permissions & 0o111) !== 0) return;
  } else {
    const shift = call.uid === uid ? 6 : call.gid === gid ? 3 : 0;
    if (((permissions >> shift) & mask) === mask) return;
  }
  throw new FsError('EACCES', `access ${node.key}: permission denied`);
}
