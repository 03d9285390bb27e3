/** The headers of write requests: what is stored beside the bytes, and the condition of the write. */
import type { HeaderField } from '../http/connection.js';
import { keptHeaderNames, type ObjectHeaders, type WriteCondition } from '../object-store.js';
import { quoteEtag } from './etag.js';

/** With the tags that `tagsOf` asks for, in the form of `x-amz-tagging`. */
export interface TaggedHeaders extends ObjectHeaders {
  readonly tagging?: string;
}

/** Always sent, since servers have different defaults for uploads and for whole objects. */
const defaultContentType = 'application/octet-stream';
export const metadataPrefix = 'x-amz-meta-';

export function storedHeaders({ metadata, contentType, kept = {}, tagging }: TaggedHeaders): HeaderField[] {
  const headers: HeaderField[] = [['content-type', contentType ?? defaultContentType]];
  for (const name in metadata) headers.push([`${metadataPrefix}${name.toLowerCase()}`, metadata[name] ?? '']);
  for (const name of keptHeaderNames) {
    const value = kept[name];
    if (value !== undefined) headers.push([name, value]);
  }
  if (tagging !== undefined) headers.push(['x-amz-tagging', tagging]);
  return headers;
}

/** `quotes`: whether If-Match has quotes around the ETag. Ceph 16 compares the text with its ETags, which have none. */
export function conditionHeaders(
  { ifMatch, ifNoneMatch }: WriteCondition,
  quotes: boolean,
): readonly HeaderField[] {
  const headers: HeaderField[] = [];
  if (ifMatch !== undefined) headers.push(['if-match', quotes ? quoteEtag(ifMatch) : ifMatch]);
  if (ifNoneMatch !== undefined) headers.push(['if-none-match', ifNoneMatch]);
  return headers;
}
