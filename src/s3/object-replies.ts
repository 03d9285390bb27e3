/** Reads the replies to requests about objects. Pure. */
import type { CustomerKey } from '../keys/customer-key.js';
import { StoreError } from '../errors.js';
import type { HttpReply } from '../http/connection.js';
import { keptHeaderNames, type KeptHeaders, type GetRequest, type ObjectInfo } from '../object-store.js';
import { encryptionOf } from './encryption-headers.js';
import { type FailedCall, RefusedReply } from './error-codes.js';
import { unquoteEtag } from './etag.js';
import { ownText } from './own-text.js';
import { metadataPrefix } from './write-headers.js';

/**
 * What the reply to a HEAD, to a GET of the whole object or to a GET of `range` says about the object. Throws `CorruptReply`.
 */
export function infoOf(
  call: FailedCall,
  reply: HttpReply,
  range: GetRequest['range'],
  customerKey: CustomerKey | undefined,
): ObjectInfo {
  const { headers } = reply;
  const etag = headers.get('etag');
  const lastModifiedMs = Date.parse(headers.get('last-modified') ?? '');
  const size = sizeOf(call, reply, range);
  if (size === undefined || etag === undefined || Number.isNaN(lastModifiedMs)) {
    throw corrupt(call, 'the reply lacks size, ETag or Last-Modified');
  }
  const isEncrypted = encryptionOf(headers).algorithm !== undefined;
  const contentType = headers.get('content-type');
  const kept = keptHeadersOf(headers);
  const toldAtMs = Date.parse(headers.get('date') ?? '');
  return {
    key: call.key,
    size,
    etag: unquoteEtag(etag),
    lastModifiedMs,
    metadata: metadataOf(headers),
    contentType: contentType === undefined ? undefined : ownText(contentType),
    ...(kept && { kept }),
    ...(Number(headers.get('x-amz-tagging-count') ?? 0) > 0 && { hasTags: true }),
    isEncrypted,
    ...(!Number.isNaN(toldAtMs) && { toldAtMs }),
    ...(isEncrypted && customerKey && { keyFingerprint: customerKey.fingerprint }),
  };
}

/** The length of the content, as the reply announces it. */
export function contentLengthOf({ headers }: HttpReply): number | undefined {
  const length = headers.get('content-length');
  return length === undefined ? undefined : Number(length);
}

/** The ETag in the header of the reply to a write. Throws `CorruptReply` without one. */
export function etagOf(call: FailedCall, { headers }: HttpReply): string {
  return unquoteEtag(present(call, 'ETag', headers.get('etag')));
}

/** The ETag of the copy. Throws `CorruptReply`. */
export function copiedEtagOf(call: FailedCall, reply: HttpReply): string {
  return unquoteEtag(present(call, 'ETag', xmlText(reply.body.toString(), 'ETag')));
}

/** The ETag of the completed object; '' if the server does not say, as Ceph 16. */
export function completedEtagOf({ body }: HttpReply): string {
  return unquoteEtag(xmlText(body.toString(), 'ETag') ?? '');
}

/** Throws `CorruptReply`. */
export function uploadIdOf(call: FailedCall, { body }: HttpReply): string {
  return present(call, 'UploadId', xmlText(body.toString(), 'UploadId'));
}

/** The version that the server has made of the object. Undefined if the bucket keeps none. */
export function versionIdOf({ headers }: HttpReply): string | undefined {
  return headers.get('x-amz-version-id');
}

/**
 * Why the server has not done what was asked. Undefined if it has. During long work it may send 200 before it knows:
 * https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
 */
export function refusalOf({ status, headers, body }: HttpReply, isWork: boolean): RefusedReply | undefined {
  const isDone = status >= 200 && status < 300;
  if (isDone && !isWork) return undefined;
  const xml = body.toString();
  if (isDone && !/<Error[\s>]/.test(xml)) return undefined;
  // Replies to HEAD have no body.
  const code = xmlText(xml, 'Code');
  const statusOfCode = isDone ? 500 : status;
  return new RefusedReply(code, xmlText(xml, 'Message'), statusOfCode, headers.get('x-amz-request-id'));
}

/** The text of the first element of that name, which contains no elements. Undefined if there is none. */
function xmlText(xml: string, name: string): string | undefined {
  const [, text] = new RegExp(`<${name}(?:\\s[^>]*)?>([^<]*)</${name}>`).exec(xml) ?? [];
  return text === undefined ? undefined : withoutEntities(text);
}

const entities: Readonly<Record<string, string>> = { amp: '&', apos: "'", gt: '>', lt: '<', quot: '"' };

/** Decodes the entities of XML and leaves others. */
function withoutEntities(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|(\w+));/gi, (entity, decimal, hex, name) => {
    if (name !== undefined) return entities[String(name)] ?? entity;
    const point = decimal === undefined ? parseInt(String(hex), 16) : Number(decimal);
    return point <= 0x10ffff ? String.fromCodePoint(point) : entity;
  });
}

function metadataOf(headers: HttpReply['headers']): Record<string, string> {
  const metadata: Record<string, string> = {};
  for (const [name, value] of headers) {
    if (name.startsWith(metadataPrefix)) metadata[name.slice(metadataPrefix.length)] = ownText(value);
  }
  return metadata;
}

/** Undefined if there are none, as is usual. */
function keptHeadersOf(headers: HttpReply['headers']): KeptHeaders | undefined {
  let kept: Record<string, string> | undefined;
  for (const name of keptHeaderNames) {
    const value = headers.get(name);
    if (value !== undefined) (kept ??= {})[name] = ownText(value);
  }
  return kept;
}

/** The size of the whole object. Checks that the reply has the requested range. */
function sizeOf(call: FailedCall, reply: HttpReply, range: GetRequest['range']): number | undefined {
  const length = contentLengthOf(reply);
  if (!range) return length;
  const told = reply.headers.get('content-range') ?? '';
  const [, first, last, total] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(told) ?? [];
  const size = Number(total);
  const end = Math.min(range.offset + range.length, size);
  if (
    total === undefined ||
    Number(first) !== range.offset ||
    Number(last) + 1 !== end ||
    length !== end - range.offset
  ) {
    throw corrupt(call, 'the reply has another range than was asked for');
  }
  return size;
}

function present(call: FailedCall, what: string, value: string | undefined): string {
  if (value !== undefined && value !== '') return value;
  throw corrupt(call, `the reply lacks ${what}`);
}

function corrupt({ operation, key }: FailedCall, what: string): StoreError {
  return new StoreError('CorruptReply', `${operation} ${key}: ${what}`);
}
