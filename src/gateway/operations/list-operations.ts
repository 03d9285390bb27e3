/** ListObjects, in both versions: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html */
import { isoTime, quoted, xmlReply, type GatewayReply } from '../gateway-reply.js';
import { queryNumber, queryValue } from '../request.js';
import { S3Error } from '../s3-error.js';
import { encodeUri } from '../../signature-v4.js';
import type { KeyPage } from '../storage/key-index.js';
import { element, xmlDocument, type XmlElement } from '../xml.js';
import { authorize, requireBucket, type GatewayContext } from './gateway-operation.js';

const maxListed = 1000;

/** `list-type=2` or the first version. */
export function handleListObjects(context: GatewayContext): Promise<GatewayReply> {
  const { request } = context;
  const bucket = requireBucket(context);
  authorize(context, bucket, 's3:ListBucket', {}, '');
  const isSecond = queryValue(request, 'list-type') === '2';
  const prefix = queryValue(request, 'prefix') ?? '';
  const delimiter = queryValue(request, 'delimiter') ?? '';
  const maxKeys = queryNumber(request, 'max-keys', maxListed) ?? maxListed;
  const encodeName = nameEncoder(queryValue(request, 'encoding-type'));
  const token = queryValue(request, 'continuation-token');
  const startAfter = queryValue(request, 'start-after') ?? '';
  const marker = queryValue(request, 'marker') ?? '';
  const after = !isSecond ? marker : token === undefined ? startAfter : decodeToken(token);
  const page = bucket.index.list({ prefix, delimiter, after, maxKeys });
  const start = isSecond
    ? [
        ...(token === undefined ? [] : [element('ContinuationToken', token)]),
        ...(startAfter === '' ? [] : [element('StartAfter', encodeName(startAfter))]),
        ...(page.next === undefined ? [] : [element('NextContinuationToken', encodeToken(page.next))]),
        element('KeyCount', page.objects.length + page.prefixes.length),
      ]
    : [
        element('Marker', encodeName(marker)),
        ...(page.next === undefined ? [] : [element('NextMarker', encodeName(page.next))]),
      ];
  const reply = xmlDocument(
    'ListBucketResult',
    element('Name', bucket.info.name),
    element('Prefix', encodeName(prefix)),
    ...(delimiter === '' ? [] : [element('Delimiter', encodeName(delimiter))]),
    ...(queryValue(request, 'encoding-type') === undefined ? [] : [element('EncodingType', 'url')]),
    element('MaxKeys', maxKeys),
    element('IsTruncated', page.next !== undefined),
    ...start,
    contentsOf(page, encodeName, context.flavor.listsMilliseconds ? 1 : 1000),
  );
  return Promise.resolve(xmlReply(reply));
}

function contentsOf(page: KeyPage, encodeName: (name: string) => string, unitMs: number): XmlElement[] {
  const contents = page.objects.map(({ key, size, etag, modifiedMs }) =>
    element(
      'Contents',
      element('Key', encodeName(key)),
      element('LastModified', isoTime(Math.floor(modifiedMs / unitMs) * unitMs)),
      element('ETag', quoted(etag)),
      element('Size', size),
      element('StorageClass', 'STANDARD'),
    ),
  );
  const prefixes = page.prefixes.map((prefix) =>
    element('CommonPrefixes', element('Prefix', encodeName(prefix))),
  );
  return [...contents, ...prefixes];
}

function nameEncoder(encodingType: string | undefined): (name: string) => string {
  if (encodingType === undefined) return (name) => name;
  if (encodingType !== 'url') throw new S3Error('InvalidArgument', 'encoding-type must be url.');
  return (name) => encodeUri(name).replaceAll('%2F', '/');
}

/** Opaque to clients. Otherwise they would have to encode what XML cannot hold. */
function encodeToken(key: string): string {
  return Buffer.from(key).toString('base64url');
}

function decodeToken(token: string): string {
  return Buffer.from(token, 'base64url').toString();
}
