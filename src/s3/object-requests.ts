/**
 * The requests about objects, as HTTP: https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html
 * Pure. What the replies say is in `object-replies.ts`; the bucket, the server and the signature are left to `transport.ts`.
 */
import type { CustomerKey } from '../keys/customer-key.js';
import type { HeaderField, HttpRequest } from '../http/connection.js';
import {
  mostBytesOf,
  type CopySource,
  type GetRequest,
  type UploadedPart,
  type UploadTarget,
} from '../object-store.js';
import { copySourceEncryptionHeaders, encryptionHeaders } from './encryption-headers.js';
import { quoteEtag } from './etag.js';
import { encodeUri } from '../signature-v4.js';
import { copySourceOf } from './key-encoding.js';
import type { MeasuredBody } from './request-body.js';

export interface ObjectRequest extends Omit<HttpRequest, 'path'> {
  /** Not '', and not encoded. */
  readonly key: string;
  /** Encoded, sorted by name; '' for none. */
  readonly query: string;
}

type Range = NonNullable<GetRequest['range']>;

/** `customerKey` undefined: an object that is not encrypted. */
export function headObject(key: string, customerKey: CustomerKey | undefined): ObjectRequest {
  return { ...plain('HEAD', key), headers: customerKey ? encryptionHeaders(customerKey) : [] };
}

/** As `headObject`. */
export function getObject(request: GetRequest, customerKey: CustomerKey | undefined): ObjectRequest {
  const { key, range, ifMatch, memory } = request;
  const headers: HeaderField[] = customerKey ? [...encryptionHeaders(customerKey)] : [];
  if (range) headers.push(['range', rangeText(range)]);
  if (ifMatch !== undefined) headers.push(['if-match', quoteEtag(ifMatch)]);
  return { ...plain('GET', key), headers, memory, maxContentBytes: mostBytesOf(request) };
}

export function putObject(key: string, headers: readonly HeaderField[], body: MeasuredBody): ObjectRequest {
  return withBody(plain('PUT', key), headers, body);
}

export function deleteObject(key: string): ObjectRequest {
  return plain('DELETE', key);
}

/** Copies `source` with other headers. Its tags are kept. */
export function copyObject(
  key: string,
  source: { readonly bucket: string; readonly key: string; readonly etag?: string },
  headers: readonly HeaderField[],
): ObjectRequest {
  const all: HeaderField[] = [...headers, ['x-amz-copy-source', copySourceOf(source.bucket, source.key)]];
  if (source.etag !== undefined) all.push(['x-amz-copy-source-if-match', quoteEtag(source.etag)]);
  return { ...plain('PUT', key), headers: [...all, zeroLength], isWork: true };
}

/** The headers say what is stored with the object, and under which key. */
export function createUpload(key: string, headers: readonly HeaderField[]): ObjectRequest {
  return { ...plain('POST', key), query: 'uploads=', headers: [...headers, zeroLength] };
}

export function uploadPart(
  { key, uploadId }: UploadTarget,
  partNumber: number,
  customerKey: CustomerKey,
  body: MeasuredBody,
): ObjectRequest {
  const request = { ...plain('PUT', key), query: partQuery(uploadId, partNumber) };
  return withBody(request, [...encryptionHeaders(customerKey), ofBytes], body);
}

/** `customerKey` of the source is undefined if the source is not encrypted. */
export function uploadPartCopy(
  { key, uploadId }: UploadTarget,
  partNumber: number,
  customerKey: CustomerKey,
  source: CopySource & { readonly bucket: string; readonly customerKey: CustomerKey | undefined },
): ObjectRequest {
  const headers: HeaderField[] = [
    ...encryptionHeaders(customerKey),
    ...(source.customerKey ? copySourceEncryptionHeaders(source.customerKey) : []),
    ['x-amz-copy-source', copySourceOf(source.bucket, source.key)],
    ['x-amz-copy-source-if-match', quoteEtag(source.ifMatch)],
  ];
  if (source.range) headers.push(['x-amz-copy-source-range', rangeText(source.range)]);
  const query = partQuery(uploadId, partNumber);
  return { ...plain('PUT', key), query, headers: [...headers, zeroLength], isWork: true };
}

export function completeUpload(
  { key, uploadId }: UploadTarget,
  parts: readonly UploadedPart[],
  headers: readonly HeaderField[],
): ObjectRequest {
  const listed = parts.map(
    ({ partNumber, etag }) =>
      `<Part><ETag>${escapeXml(quoteEtag(etag))}</ETag><PartNumber>${partNumber}</PartNumber></Part>`,
  );
  const xml = `<?xml version="1.0" encoding="UTF-8"?><CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">${listed.join('')}</CompleteMultipartUpload>`;
  const content = Buffer.from(xml);
  const request = { ...plain('POST', key), query: uploadQuery(uploadId), isWork: true };
  return withBody(request, [...headers, ['content-type', 'application/xml']], {
    content,
    length: content.length,
    md5: undefined,
  });
}

export function abortUpload({ key, uploadId }: UploadTarget): ObjectRequest {
  return { ...plain('DELETE', key), query: uploadQuery(uploadId) };
}

/** The type of a part, which says nothing about the whole object. */
const ofBytes: HeaderField = ['content-type', 'application/octet-stream'];

/** Requests that may have a body must say when they have none. */
const zeroLength: HeaderField = ['content-length', '0'];

function plain(method: HttpRequest['method'], key: string): ObjectRequest {
  return {
    method,
    key,
    query: '',
    headers: [],
    body: undefined,
    memory: undefined,
    maxContentBytes: 0,
    isWork: false,
  };
}

function withBody(
  request: ObjectRequest,
  headers: readonly HeaderField[],
  { content, length, md5 }: MeasuredBody,
): ObjectRequest {
  const all: HeaderField[] = [...headers, ['content-length', String(length)]];
  if (md5 !== undefined) all.push(['content-md5', md5]);
  return { ...request, headers: all, body: content };
}

function uploadQuery(uploadId: string): string {
  return `uploadId=${encodeUri(uploadId)}`;
}

function partQuery(uploadId: string, partNumber: number): string {
  return `partNumber=${partNumber}&${uploadQuery(uploadId)}`;
}

function rangeText({ offset, length }: Range): string {
  return `bytes=${offset}-${offset + length - 1}`;
}

function escapeXml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
