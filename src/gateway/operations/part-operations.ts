/** UploadPart and UploadPartCopy. */
import { createHash, randomBytes } from 'node:crypto';
import type { CustomerKey } from '../../keys/customer-key.js';
import { checkCopyConditions } from '../conditions.js';
import {
  copySourceKeyOf,
  customerKeyOf,
  encryptionReplyHeaders,
  openingKeyOf,
} from '../customer-key-headers.js';
import type { Flavor } from '../flavor.js';
import { parseCopyRange } from '../ranges.js';
import { isoTime, quoted, xmlReply, type GatewayReply } from '../gateway-reply.js';
import { headerOf, queryValue, type S3Request } from '../request.js';
import { S3Error } from '../s3-error.js';
import type { Bucket } from '../storage/bucket.js';
import type { Segment } from '../storage/data-files.js';
import type { Upload } from '../storage/upload.js';
import { element, xmlDocument } from '../xml.js';
import { authorize, headersForPolicy, requireBucket, type GatewayContext } from './gateway-operation.js';
import { checkSource, parseCopySource, withCopySource } from './copy-source.js';
import { bytesOf } from './object-bytes.js';
import { noSuchUpload, requireUpload } from './upload-operations.js';

/** https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html */
const maxPartNumber = 10_000;

export async function handleUploadPart(context: GatewayContext): Promise<GatewayReply> {
  const { request, flavor, storage } = context;
  const bucket = requireBucket(context);
  const number = partNumberOf(request);
  const upload = requireUpload(context, bucket);
  const customerKey = partKeyOf(request, flavor, upload);
  authorize(context, bucket, 's3:PutObject', headersForPolicy(context, 'put'));
  const payload = context.payload();
  const segment = await storage.data.write(payload.bytes, customerKey);
  const etag = await addPart(context, bucket, upload, number, segment, payload.md5());
  return {
    status: 200,
    headers: { etag: quoted(etag), ...encryptionReplyHeaders(customerKey), ...payload.verified() },
  };
}

export async function handleUploadPartCopy(context: GatewayContext): Promise<GatewayReply> {
  const { request, flavor, storage, nowMs } = context;
  const bucket = requireBucket(context);
  const number = partNumberOf(request);
  const upload = requireUpload(context, bucket);
  const customerKey = partKeyOf(request, flavor, upload);
  authorize(context, bucket, 's3:PutObject', headersForPolicy(context, 'put'));
  return withCopySource(parseCopySource(context, 'part'), async (source) => {
    const givenKey = copySourceKeyOf(request);
    // RGW reads the source with the target's key, even if the request has another one for the source.
    const triedKey = flavor.copiesEncryptedObjects ? givenKey : customerKey;
    const sourceKey = openingKeyOf(request, source.record.protection, triedKey, flavor);
    checkSource(source, sourceKey);
    if (flavor.honoursLateConditions) checkCopyConditions(request, source.record);
    const range = parseCopyRange(headerOf(request, 'x-amz-copy-source-range'), source.record.size);
    const md5 = createHash('md5');
    async function* bytes() {
      for await (const piece of bytesOf(storage.data, source.record, sourceKey, range)) {
        md5.update(piece);
        yield piece;
      }
    }
    const segment = await storage.data.write(bytes(), customerKey);
    const etag = await addPart(context, bucket, upload, number, segment, md5.digest('hex'));
    return xmlReply(
      xmlDocument(
        'CopyPartResult',
        element('LastModified', isoTime(nowMs)),
        element('ETag', flavor.describesCopies ? quoted(etag) : etag),
      ),
      flavor.describesCopies ? encryptionReplyHeaders(customerKey) : {},
    );
  });
}

/** Returns the part's ETag. */
async function addPart(
  { flavor, nowMs }: GatewayContext,
  bucket: Bucket,
  upload: Upload,
  number: number,
  segment: Segment,
  md5: string,
): Promise<string> {
  const etag = segment.salt !== undefined && flavor.hasOpaqueEtags ? randomBytes(16).toString('hex') : md5;
  const isAdded = await bucket.addPart(upload, { number, etag, modifiedMs: nowMs, segment });
  if (!isAdded) throw noSuchUpload();
  return etag;
}

function partNumberOf(request: S3Request): number {
  const number = Number(queryValue(request, 'partNumber'));
  if (!(Number.isInteger(number) && number >= 1 && number <= maxPartNumber)) {
    throw new S3Error('InvalidArgument', `partNumber must be from 1 to ${maxPartNumber}.`);
  }
  return number;
}

/** The customer key for a part of this upload. Throws an `S3Error` if it is not the key that the upload began with. */
function partKeyOf(request: S3Request, flavor: Flavor, upload: Upload): CustomerKey | undefined {
  const customerKey = customerKeyOf(request);
  if (flavor.refusesUnneededCustomerKey) {
    const needsKey = upload.info.protection !== undefined;
    const isFitting = customerKey === undefined ? !needsKey : needsKey && upload.isUnder(customerKey);
    if (!isFitting) {
      throw new S3Error(
        'InvalidRequest',
        'The provided encryption parameters did not match the ones used originally.',
      );
    }
  }
  return openingKeyOf(request, upload.info.protection, customerKey, flavor);
}
