/** CopyObject: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html */
import { createHash, randomBytes } from 'node:crypto';
import { checkCopyConditions, checkLateConditions } from '../conditions.js';
import {
  copySourceKeyOf,
  encryptionReplyHeaders,
  newObjectKeyOf,
  openingKeyOf,
} from '../customer-key-headers.js';
import { isoTime, quoted, xmlReply, type GatewayReply } from '../gateway-reply.js';
import { headerOf } from '../request.js';
import { S3Error } from '../s3-error.js';
import type { ObjectRecord } from '../storage/object-record.js';
import { protect, recordKeyOf } from '../storage/protection.js';
import { element, xmlDocument } from '../xml.js';
import { authorize, headersForPolicy, requireBucket, type GatewayContext } from './gateway-operation.js';
import { checkSource, parseCopySource, withCopySource } from './copy-source.js';
import { bytesOf } from './object-bytes.js';
import { newObjectTags } from './object-tagging.js';
import { headersToRecord } from './recorded-headers.js';

export async function handleCopyObject(context: GatewayContext): Promise<GatewayReply> {
  const { request, flavor, storage, nowMs } = context;
  const bucket = requireBucket(context);
  const requestedKey = newObjectKeyOf(request, flavor);
  authorize(context, bucket, 's3:PutObject', headersForPolicy(context, 'other'));
  const replacesHeaders = headerOf(request, 'x-amz-metadata-directive') === 'REPLACE';
  const from = parseCopySource(context, 'object');
  return withCopySource(from, async (source) => {
    const { protection: sourceProtection } = source.record;
    if (sourceProtection !== undefined && !flavor.copiesEncryptedObjects) {
      throw new S3Error('NotImplemented', 'This server cannot copy encrypted objects.');
    }
    const sourceKey = openingKeyOf(request, sourceProtection, copySourceKeyOf(request), flavor);
    checkSource(source, sourceKey);
    if (flavor.honoursLateConditions) checkCopyConditions(request, source.record);
    // RGW accepts the encryption headers, but stores the copy in the form of the source.
    const customerKey = flavor.copiesEncryptedObjects ? requestedKey : undefined;
    const isOntoItself = from.bucket === bucket && from.key === request.key;
    if (isOntoItself && !replacesHeaders && customerKey === undefined) {
      throw new S3Error('InvalidRequest', 'A copy of an object onto itself must change something.');
    }
    const md5 = createHash('md5');
    const bytes = measured(bytesOf(storage.data, source.record, sourceKey, undefined), (piece) =>
      md5.update(piece),
    );
    const segment = await storage.data.write(bytes, customerKey);
    const protection = customerKey && protect(customerKey);
    const { headers, metadata } = replacesHeaders ? headersToRecord(request, flavor) : source.record;
    const replacesTags = headerOf(request, 'x-amz-tagging-directive') === 'REPLACE';
    const tags = replacesTags ? newObjectTags(context, bucket) : source.tags;
    const record: ObjectRecord = {
      bucket: bucket.info.name,
      key: request.key,
      size: segment.size,
      etag:
        customerKey !== undefined && flavor.hasOpaqueEtags
          ? randomBytes(16).toString('hex')
          : md5.digest('hex'),
      modifiedMs: nowMs,
      headers,
      metadata,
      segments: [segment],
      ...(protection && { protection }),
    };
    const recordKey = customerKey && protection && recordKeyOf(protection, customerKey);
    await bucket.put(record, { recordKey, tags }, (current) => checkLateConditions(request, flavor, current));
    return xmlReply(
      xmlDocument(
        'CopyObjectResult',
        element('LastModified', isoTime(nowMs)),
        element('ETag', flavor.describesCopies ? quoted(record.etag) : record.etag),
      ),
      encryptionReplyHeaders(customerKey),
    );
  });
}

async function* measured(
  source: AsyncIterable<Buffer>,
  see: (piece: Buffer) => void,
): AsyncGenerator<Buffer> {
  for await (const piece of source) {
    see(piece);
    yield piece;
  }
}
