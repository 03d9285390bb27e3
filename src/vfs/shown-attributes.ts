/** What the kernel and programs see of the stored attributes: these, but for what the mount shows of every file, as s3fs's uid, gid, umask. */
import type { AttributeDefaults, StoredAttributes } from './stored-attributes.js';

type ShownAttributes = Pick<StoredAttributes, 'uid' | 'gid' | 'permissions'>;

export function shownAttributes(
  { uid, gid, permissions }: ShownAttributes,
  { overrides }: Pick<AttributeDefaults, 'overrides'>,
): ShownAttributes {
  return { uid, gid, permissions, ...overrides };
}
