/** CompleteMultipartUpload: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html */
import { createHash } from 'node:crypto';
import { checkLateConditions } from '../conditions.js';
import type { Flavor } from '../flavor.js';
import { payloadText } from '../payload.js';
import { quoted, unquoted, xmlReply, type GatewayReply } from '../gateway-reply.js';
import { S3Error } from '../s3-error.js';
import type { ObjectRecord } from '../storage/object-record.js';
import type { StoredPart, UploadInfo } from '../storage/upload.js';
import { childrenOf, childText, element, malformed, parseXml, xmlDocument } from '../xml.js';
import { authorize, headersForPolicy, requireBucket, type GatewayContext } from './gateway-operation.js';
import { noSuchUpload, requireUpload } from './upload-operations.js';

/** For every part but the last. */
const minPartBytes = 5 * 2 ** 20;

interface WantedPart {
  readonly number: number;
  readonly etag: string;
}

export async function handleCompleteUpload(context: GatewayContext): Promise<GatewayReply> {
  const { request, flavor, nowMs } = context;
  const bucket = requireBucket(context);
  const upload = requireUpload(context, bucket);
  authorize(context, bucket, 's3:PutObject', policyHeaders(context, upload.info));
  const wanted = parseWanted(await payloadText(context.payload()));
  let etag = '';
  const isCompleted = await bucket.completeUpload(
    upload,
    (parts) => {
      const record = recordOf(upload.info, choose(parts, wanted, flavor), nowMs);
      etag = record.etag;
      return record;
    },
    (current) => checkLateConditions(request, flavor, current),
  );
  if (!isCompleted) throw noSuchUpload();
  return xmlReply(
    xmlDocument(
      'CompleteMultipartUploadResult',
      element('Location', `/${bucket.info.name}/${request.key}`),
      element('Bucket', bucket.info.name),
      element('Key', request.key),
      element('ETag', flavor.namesEtagOfCompletion ? quoted(etag) : ''),
    ),
  );
}

/** AWS shows policies whether the upload began with a customer key; RGW shows them nothing. */
function policyHeaders(context: GatewayContext, info: UploadInfo): Readonly<Record<string, string>> {
  if (!context.flavor.showsPoliciesCustomerKeys || info.protection === undefined) {
    return headersForPolicy(context, 'other');
  }
  return { 'x-amz-server-side-encryption-customer-algorithm': 'AES256' };
}

function parseWanted(text: string): WantedPart[] {
  const wanted = childrenOf(parseXml(text, 'CompleteMultipartUpload'), 'Part').map((part) => {
    const number = Number(childText(part, 'PartNumber'));
    const etag = childText(part, 'ETag');
    if (!Number.isInteger(number) || etag === undefined) throw malformed();
    return { number, etag: unquoted(etag.trim()) };
  });
  if (wanted.length === 0) throw malformed();
  return wanted;
}

/** If a part is listed twice, the last entry counts. */
function inOrder(listed: readonly WantedPart[]): WantedPart[] {
  const byNumber = new Map(listed.map((part) => [part.number, part]));
  return [...byNumber.values()].sort((a, b) => a.number - b.number);
}

function choose(parts: readonly StoredPart[], listed: readonly WantedPart[], flavor: Flavor): StoredPart[] {
  const wanted = flavor.wantsPartsInOrder ? listed : inOrder(listed);
  if (wanted.some(({ number }, at) => at > 0 && number <= (wanted[at - 1]?.number ?? 0))) {
    throw new S3Error('InvalidPartOrder', 'The list of parts was not in ascending order.');
  }
  if (!flavor.completesSomeParts && wanted.length !== parts.length) throw invalidPart();
  const byNumber = new Map(parts.map((part) => [part.number, part]));
  const chosen = wanted.map(({ number, etag }) => {
    const part = byNumber.get(number);
    if (part?.etag !== etag) throw invalidPart();
    return part;
  });
  if (chosen.slice(0, -1).some(({ segment }) => segment.size < minPartBytes)) {
    throw new S3Error('EntityTooSmall', `A part but the last has at least ${minPartBytes} bytes.`);
  }
  return chosen;
}

function recordOf(info: UploadInfo, parts: readonly StoredPart[], nowMs: number): ObjectRecord {
  const md5 = createHash('md5');
  for (const { etag } of parts) md5.update(Buffer.from(etag, 'hex'));
  return {
    bucket: info.bucket,
    key: info.key,
    size: parts.reduce((sum, { segment }) => sum + segment.size, 0),
    etag: `${md5.digest('hex')}-${parts.length}`,
    modifiedMs: nowMs,
    headers: info.headers,
    metadata: info.metadata,
    segments: parts.map(({ segment }) => segment),
    ...(info.protection && { protection: info.protection }),
  };
}

function invalidPart(): S3Error {
  return new S3Error('InvalidPart', 'One or more of the specified parts could not be found.');
}
