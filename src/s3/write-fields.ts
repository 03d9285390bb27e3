/** The fields of write requests that say what is stored beside the bytes, and under which condition. */
import type { StorageClass } from '@aws-sdk/client-s3';
import type { WriteCondition } from '../object-store.js';
import { quoteEtag } from './etag.js';
import { expiresField } from './header-bytes.js';
import type { TaggedHeaders } from './object-tags.js';

/** Said always: servers have one of their own for uploads, and another for whole objects. */
const defaultContentType = 'application/octet-stream';

export function headerFields({ metadata, contentType, kept = {}, tagging }: TaggedHeaders) {
  const fields = {
    Metadata: { ...metadata },
    ContentType: contentType ?? defaultContentType,
    ...(tagging !== undefined && { Tagging: tagging }),
  };
  return Object.keys(kept).length === 0 ? fields : { ...fields, ...keptFields(kept) };
}

function keptFields(kept: NonNullable<TaggedHeaders['kept']>) {
  return {
    CacheControl: kept['cache-control'],
    ContentDisposition: kept['content-disposition'],
    ContentEncoding: kept['content-encoding'],
    ContentLanguage: kept['content-language'],
    StorageClass: kept['x-amz-storage-class'] as StorageClass | undefined, // as the server said it
    WebsiteRedirectLocation: kept['x-amz-website-redirect-location'],
    [expiresField]: kept.expires,
  };
}

/** `quotes`: whether If-Match has quotes around the ETag. Ceph 16 compares it as it stands, with ETags without them. */
export function conditionFields({ ifMatch, ifNoneMatch }: WriteCondition, quotes: boolean) {
  return {
    ...(ifMatch !== undefined && { IfMatch: quotes ? quoteEtag(ifMatch) : ifMatch }),
    ...(ifNoneMatch !== undefined && { IfNoneMatch: ifNoneMatch }),
  };
}

export type ConditionFields = ReturnType<typeof conditionFields>;
