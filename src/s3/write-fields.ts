/** The fields of write requests that say what is stored beside the bytes, and under which condition. */
import type { ObjectHeaders, WriteCondition } from '../object-store.js';
import { quoteEtag } from './etag.js';

export function headerFields({ metadata, contentType }: ObjectHeaders) {
  return { Metadata: { ...metadata }, ...(contentType !== undefined && { ContentType: contentType }) };
}

/** `quotes`: whether If-Match has quotes around the ETag. Ceph 16 compares it as it stands, with ETags without them. */
export function conditionFields({ ifMatch, ifNoneMatch }: WriteCondition, quotes: boolean) {
  return {
    ...(ifMatch !== undefined && { IfMatch: quotes ? quoteEtag(ifMatch) : ifMatch }),
    ...(ifNoneMatch !== undefined && { IfNoneMatch: ifNoneMatch }),
  };
}

export type ConditionFields = ReturnType<typeof conditionFields>;
