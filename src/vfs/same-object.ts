/** Whether what HEAD tells is what was seen before, attributes included: two versions with the same bytes may have the same ETag. */
import type { ObjectInfo } from '../object-store.js';

export function isSameObject(a: ObjectInfo, b: ObjectInfo): boolean {
  const names = Object.keys(a.metadata);
  return (
    a.etag === b.etag &&
    a.size === b.size &&
    names.length === Object.keys(b.metadata).length &&
    names.every((name) => a.metadata[name] === b.metadata[name])
  );
}
