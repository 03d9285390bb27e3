/** Reads a ListObjectsV2 reply with `EncodingType: url`: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html */
import type { ListObjectsV2CommandOutput } from '@aws-sdk/client-s3';
import { StoreError } from '../errors.js';
import type { ListedObject, ListPage } from '../object-store.js';
import { unquoteEtag } from './etag.js';
import { ownText } from './own-text.js';

export function parseListPage(output: ListObjectsV2CommandOutput, prefix: string): ListPage {
  const corrupt = (what: string) => new StoreError('CorruptReply', `list ${prefix}: ${what}`);
  if (output.Name === undefined) throw corrupt('the reply is no listing');
  const isEncoded = output.EncodingType === 'url';
  const decode = (text: string) => (isEncoded ? decodeKey(text) : text);
  const objects = (output.Contents ?? []).map(({ Key, Size, ETag, LastModified }): ListedObject => {
    if (Key === undefined || Size === undefined || ETag === undefined || LastModified === undefined) {
      throw corrupt('an entry lacks key, size, ETag or LastModified');
    }
    return {
      key: ownText(decode(Key)),
      size: Size,
      etag: unquoteEtag(ETag),
      lastModifiedMs: LastModified.getTime(),
    };
  });
  const prefixes = (output.CommonPrefixes ?? []).map(({ Prefix }) => {
    if (Prefix === undefined) throw corrupt('a common prefix is empty');
    return decode(Prefix);
  });
  const continuationToken = output.IsTruncated === true ? output.NextContinuationToken : undefined;
  if (output.IsTruncated === true && continuationToken === undefined) {
    throw corrupt('the page is truncated but names no next one');
  }
  return { objects, prefixes, continuationToken };
}

/** AWS writes a space as '+', Ceph as '%20'; both write '+' as '%2B'. Bytes that are not UTF-8 show as U+FFFD. */
function decodeKey(text: string): string {
  const spaced = text.replaceAll('+', ' ');
  try {
    return decodeURIComponent(spaced);
  } catch {
    return unescapeBytes(spaced).toString('utf8');
  }
}

function unescapeBytes(text: string): Buffer {
  const latin1 = text.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) =>
    String.fromCharCode(parseInt(hex, 16)),
  );
  return Buffer.from(latin1, 'latin1');
}
