/** Multipart uploads without the bytes of their parts: begin, list parts, abort, list uploads. */
import { customerKeyOf, encryptionReplyHeaders, newObjectKeyOf } from '../customer-key-headers.js';
import { isoTime, noContent, quoted, xmlReply, type GatewayReply } from '../gateway-reply.js';
import { queryNumber, queryValue } from '../request.js';
import { S3Error } from '../s3-error.js';
import type { Bucket } from '../storage/bucket.js';
import { protect } from '../storage/protection.js';
import { uploadProtection, type Upload } from '../storage/upload.js';
import { element, xmlDocument } from '../xml.js';
import { authorize, headersForPolicy, requireBucket, type GatewayContext } from './gateway-operation.js';
import { newObjectTags } from './object-tagging.js';
import { headersToRecord } from './recorded-headers.js';

const maxListed = 1000;

export async function handleCreateUpload(context: GatewayContext): Promise<GatewayReply> {
  const { request, flavor, nowMs } = context;
  const bucket = requireBucket(context);
  const customerKey = newObjectKeyOf(request, flavor);
  authorize(context, bucket, 's3:PutObject', headersForPolicy(context, 'other'));
  const tags = newObjectTags(context, bucket);
  const upload = await bucket.createUpload({
    key: request.key,
    startedMs: nowMs,
    ...headersToRecord(request, flavor),
    ...(tags !== undefined && flavor.keepsTagsOfUploads && { tags }),
    ...(customerKey && uploadProtection(protect(customerKey), customerKey)),
  });
  return xmlReply(
    xmlDocument(
      'InitiateMultipartUploadResult',
      element('Bucket', bucket.info.name),
      element('Key', request.key),
      element('UploadId', upload.info.id),
    ),
    encryptionReplyHeaders(customerKey),
  );
}

/** The request's upload. Throws `NoSuchUpload`. */
export function requireUpload({ request }: GatewayContext, bucket: Bucket): Upload {
  const upload = bucket.upload(request.key, queryValue(request, 'uploadId') ?? '');
  if (upload === undefined) throw noSuchUpload();
  return upload;
}

export function noSuchUpload(): S3Error {
  return new S3Error('NoSuchUpload', 'The specified multipart upload does not exist.');
}

export async function handleAbortUpload(context: GatewayContext): Promise<GatewayReply> {
  const bucket = requireBucket(context);
  authorize(context, bucket, 's3:AbortMultipartUpload');
  const upload = bucket.upload(context.request.key, queryValue(context.request, 'uploadId') ?? '');
  const isAborted = upload !== undefined && (await bucket.abortUpload(upload));
  if (!isAborted && context.flavor.refusesUnknownAborts) throw noSuchUpload();
  return noContent;
}

export function handleListParts(context: GatewayContext): Promise<GatewayReply> {
  const { request } = context;
  const bucket = requireBucket(context);
  authorize(context, bucket, 's3:ListMultipartUploadParts');
  const upload = requireUpload(context, bucket);
  const marker = queryNumber(request, 'part-number-marker', 10_000) ?? 0;
  const maxParts = queryNumber(request, 'max-parts', maxListed) ?? maxListed;
  const following = upload.parts.filter(({ number }) => number > marker);
  const listed = following.slice(0, maxParts);
  const reply = xmlDocument(
    'ListPartsResult',
    element('Bucket', bucket.info.name),
    element('Key', request.key),
    element('UploadId', upload.info.id),
    element('StorageClass', 'STANDARD'),
    element('PartNumberMarker', marker),
    element('NextPartNumberMarker', listed.at(-1)?.number ?? marker),
    element('MaxParts', maxParts),
    element('IsTruncated', following.length > listed.length),
    listed.map(({ number, etag, modifiedMs, segment }) =>
      element(
        'Part',
        element('PartNumber', number),
        element('LastModified', isoTime(modifiedMs)),
        element('ETag', quoted(etag)),
        element('Size', segment.size),
      ),
    ),
  );
  return Promise.resolve(xmlReply(reply, encryptionReplyHeaders(customerKeyOf(request))));
}

/** https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html, without delimiter. */
export function handleListUploads(context: GatewayContext): Promise<GatewayReply> {
  const { request } = context;
  const bucket = requireBucket(context);
  authorize(context, bucket, 's3:ListBucketMultipartUploads', {}, '');
  if (queryValue(request, 'delimiter'))
    throw new S3Error('NotImplemented', 'Uploads are listed without delimiter.');
  const prefix = queryValue(request, 'prefix') ?? '';
  const keyMarker = queryValue(request, 'key-marker') ?? '';
  const idMarker = queryValue(request, 'upload-id-marker') ?? '';
  const maxUploads = queryNumber(request, 'max-uploads', maxListed) ?? maxListed;
  const following = bucket.uploads
    .filter(({ info }) => info.key.startsWith(prefix) && isBehind(info, keyMarker, idMarker))
    .sort((a, b) => compare(a.info.key, b.info.key) || (a.info.id < b.info.id ? -1 : 1));
  const listed = following.slice(0, maxUploads);
  const last = listed.at(-1)?.info;
  const isTruncated = following.length > listed.length;
  const reply = xmlDocument(
    'ListMultipartUploadsResult',
    element('Bucket', bucket.info.name),
    element('Prefix', prefix),
    element('KeyMarker', keyMarker),
    element('UploadIdMarker', idMarker),
    ...(isTruncated && last
      ? [element('NextKeyMarker', last.key), element('NextUploadIdMarker', last.id)]
      : []),
    element('MaxUploads', maxUploads),
    element('IsTruncated', isTruncated),
    listed.map(({ info }) =>
      element(
        'Upload',
        element('Key', info.key),
        element('UploadId', info.id),
        element('StorageClass', 'STANDARD'),
        element('Initiated', isoTime(info.startedMs)),
      ),
    ),
  );
  return Promise.resolve(xmlReply(reply));
}

function isBehind(info: Upload['info'], keyMarker: string, idMarker: string): boolean {
  const order = compare(info.key, keyMarker);
  return order > 0 || (order === 0 && idMarker !== '' && info.id > idMarker);
}

function compare(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
