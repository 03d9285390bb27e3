/** GET, HEAD, PUT and DELETE of one object. */
import { randomBytes } from 'node:crypto';
import { checkLateConditions, checkReadConditions, checkWriteConditions } from '../conditions.js';
import {
  customerKeyOf,
  encryptionReplyHeaders,
  newObjectKeyOf,
  openingKeyOf,
} from '../customer-key-headers.js';
import { parseRange } from '../ranges.js';
import { noContent, quoted, type GatewayReply } from '../gateway-reply.js';
import { headerOf } from '../request.js';
import type { ObjectRecord } from '../storage/object-record.js';
import { protect, recordKeyOf } from '../storage/protection.js';
import {
  authorize,
  headersForPolicy,
  noSuchKey,
  requireBucket,
  type GatewayContext,
} from './gateway-operation.js';
import { bytesOf } from './object-bytes.js';
import { newObjectTags } from './object-tagging.js';
import { headersToRecord, objectReplyHeaders } from './recorded-headers.js';

/** GET and HEAD. */
export async function handleReadObject(context: GatewayContext): Promise<GatewayReply> {
  const { request, flavor, storage } = context;
  const bucket = requireBucket(context);
  authorize(context, bucket, 's3:GetObject');
  const held = await bucket.hold(request.key);
  if (held === undefined) throw noSuchKey();
  let isHandedOver = false;
  try {
    const { record } = held;
    checkReadConditions(request, record); // first, as RGW does it
    const customerKey = openingKeyOf(request, record.protection, customerKeyOf(request), flavor);
    if (customerKey !== undefined) held.check(customerKey);
    const range = parseRange(headerOf(request, 'range'), record.size);
    const { offset, length } = range ?? { offset: 0, length: record.size };
    const headers = {
      ...objectReplyHeaders(request, record, held.tags),
      ...encryptionReplyHeaders(customerKey),
      'content-length': String(length),
      ...(range && { 'content-range': `bytes ${offset}-${offset + length - 1}/${record.size}` }),
    };
    const status = range === undefined ? 200 : 206;
    if (request.method === 'HEAD') return { status, headers };
    const bytes = bytesOf(storage.data, record, customerKey, range);
    // Reads the first bytes early, so that a failure gives the client a status and not a broken connection.
    const first = await bytes.next();
    isHandedOver = true;
    const done = async () => {
      await bytes.return(undefined);
      await held.release();
    };
    return { status, headers, body: concatenated(first, bytes), done };
  } finally {
    if (!isHandedOver) await held.release();
  }
}

export async function handlePutObject(context: GatewayContext): Promise<GatewayReply> {
  const { request, flavor, storage, nowMs } = context;
  const bucket = requireBucket(context);
  const customerKey = newObjectKeyOf(request, flavor);
  authorize(context, bucket, 's3:PutObject', headersForPolicy(context, 'put'));
  const fields = headersToRecord(request, flavor);
  const tags = newObjectTags(context, bucket);
  checkWriteConditions(request, flavor, await bucket.read(request.key)); // before the body is received in vain
  const payload = context.payload();
  const segment = await storage.data.write(payload.bytes, customerKey);
  const protection = customerKey && protect(customerKey);
  const record: ObjectRecord = {
    bucket: bucket.info.name,
    key: request.key,
    size: segment.size,
    etag:
      customerKey !== undefined && flavor.hasOpaqueEtags ? randomBytes(16).toString('hex') : payload.md5(),
    modifiedMs: nowMs,
    ...fields,
    segments: [segment],
    ...(protection && { protection }),
  };
  const recordKey = customerKey && protection && recordKeyOf(protection, customerKey);
  await bucket.put(record, { recordKey, tags }, (current) => checkWriteConditions(request, flavor, current));
  return {
    status: 200,
    headers: { etag: quoted(record.etag), ...encryptionReplyHeaders(customerKey), ...payload.verified() },
  };
}

export async function handleDeleteObject(context: GatewayContext): Promise<GatewayReply> {
  const { request, flavor } = context;
  const bucket = requireBucket(context);
  authorize(context, bucket, 's3:DeleteObject');
  await bucket.delete(request.key, (current) => checkLateConditions(request, flavor, current));
  return noContent;
}

async function* concatenated(
  first: IteratorResult<Buffer>,
  rest: AsyncGenerator<Buffer>,
): AsyncGenerator<Buffer> {
  if (first.done === true) return;
  yield first.value;
  yield* rest;
}
