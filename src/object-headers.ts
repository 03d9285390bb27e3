/** The headers that an object keeps when it is written again: all that the writer does not change. */
import type { ObjectHeaders, ObjectInfo } from './object-store.js';

/** All headers of an object. */
export function headersOf(info: ObjectInfo): ObjectHeaders {
  return {
    metadata: info.metadata,
    ...(info.contentType !== undefined && { contentType: info.contentType }),
    ...keptOf(info),
  };
}

/** The headers that only other programs use. Undefined: a new object. */
export function keptOf(info: ObjectInfo | undefined): Pick<ObjectHeaders, 'kept' | 'tagsOf'> {
  return { ...(info?.kept && { kept: info.kept }), ...(info?.hasTags === true && { tagsOf: info.key }) };
}

/** The part of `ObjectInfo` that follows from the headers of a write. */
export function infoOfHeaders({
  metadata,
  contentType,
  kept,
  tagsOf,
}: ObjectHeaders): Pick<ObjectInfo, 'metadata' | 'contentType' | 'kept' | 'hasTags'> {
  return { metadata, contentType, ...(kept && { kept }), ...(tagsOf !== undefined && { hasTags: true }) };
}

export function isSameHeaders(a: ObjectHeaders, b: ObjectHeaders): boolean {
  return (
    a.contentType === b.contentType &&
    a.tagsOf === b.tagsOf &&
    isSameRecord(a.metadata, b.metadata) &&
    isSameRecord(a.kept ?? {}, b.kept ?? {})
  );
}

export function isSameRecord(
  a: Readonly<Record<string, string | undefined>>,
  b: Readonly<Record<string, string | undefined>>,
): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}
