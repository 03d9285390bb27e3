/** ETags: the quotes around them, and the MD5s that Ceph (not AWS with SSE-C) makes them from. */
import { createHash } from 'node:crypto';
import type { UploadedPart } from '../object-store.js';
import { ownText } from './own-text.js';

const md5Pattern = /^[0-9a-f]{32}$/;

/** Whether it may be the MD5 of the content. It is not, if it was made from parts. */
export function isMd5(etag: string): boolean {
  return md5Pattern.test(etag);
}

/** The ETag as the seam knows it: without quotes. */
export function unquoteEtag(etag: string): string {
  return ownText(etag.startsWith('"') && etag.endsWith('"') && etag.length >= 2 ? etag.slice(1, -1) : etag);
}

/** The ETag as If-Match wants it. */
export function quoteEtag(etag: string): string {
  return `"${etag}"`;
}

/**
 * The ETag of the whole object on a server whose part ETags are MD5s: the MD5 of the parts' MD5s, a dash, their number.
 * Undefined if the part ETags have another form.
 */
export function multipartEtag(parts: readonly UploadedPart[]): string | undefined {
  const hash = createHash('md5');
  for (const { etag } of parts) {
    if (!md5Pattern.test(etag)) return undefined;
    hash.update(Buffer.from(etag, 'hex'));
  }
  return `${hash.digest('hex')}-${parts.length}`;
}
