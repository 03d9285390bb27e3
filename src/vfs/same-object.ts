/** Whether what HEAD tells is what was seen before, attributes included: two versions with the same bytes may have the same ETag. */
import { isSameRecord } from '../object-headers.js';
import type { ObjectInfo } from '../object-store.js';

export function isSameObject(a: ObjectInfo, b: ObjectInfo): boolean {
  return a.etag === b.etag && a.size === b.size && isSameRecord(a.metadata, b.metadata);
}
