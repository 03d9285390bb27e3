/**
 * Stores the whole content of a file as an object: by one PUT, by a multipart upload that is planned in advance, or by one PUT of
 * any size where multipart uploads are denied.
 */
import { FsError } from '../errors.js';
import type { WriteReply } from '../object-store.js';
import { mayPutWhole, withMd5 } from '../streamed-body.js';
import { MultipartUpload, type UploadServices, type UploadSignals } from './multipart-upload.js';
import type { StoreTarget } from './placement.js';
import { streamedRange } from './streamed-range.js';
import { planUpload, type PlanLimits, type PlannedPart } from './upload-plan.js';

/** Where the content goes, and the signals that end it. */
export interface ContentOrder {
  readonly target: StoreTarget;
  readonly signals: UploadSignals;
}

interface StoredContent {
  readonly etag: string;
  /** The bytes, if they were stored by one PUT. */
  readonly bytes: Uint8Array | undefined;
}

/** The content must not change until it resolves. After a failure the bucket has nothing of it, and the content is as it was. */
export async function storeContent(
  services: UploadServices,
  limits: PlanLimits,
  order: ContentOrder,
): Promise<StoredContent> {
  const { content } = services;
  const parts = planOrRefuse(order.target.key, () =>
    planUpload(content.extents.slice(0, content.size), limits),
  );
  if (!parts) return put(services, order);
  try {
    return { ...(await storeParts(services, parts, order)), bytes: undefined };
  } catch (error) {
    if (!mayPutWhole(error, content.size, limits)) throw error;
    return { ...(await putStreamed(services, order)), bytes: undefined };
  }
}

/** Turns an impossible plan into EFBIG. */
function planOrRefuse<T>(key: string, plan: () => T): T {
  try {
    return plan();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new FsError('EFBIG', `${key}: too large for the store`, { cause: error });
  }
}

async function put(
  { store, limiter, content }: UploadServices,
  { target: { key, headers, condition }, signals: { signal, finalSignal } }: ContentOrder,
): Promise<StoredContent> {
  const send = async () => {
    const body = await content.lend(0, content.size, signal);
    let isSent = false;
    try {
      const { etag } = await store.put({ key, body: body.pieces, headers, condition }, finalSignal);
      isSent = true;
      return { etag, bytes: Buffer.concat(body.pieces) };
    } finally {
      body.release(isSent);
    }
  };
  // Content in memory needs no place of the limiter, so that small files do not queue behind large ones.
  const isInMemory = content.absentBytes(0, content.size) === 0;
  return isInMemory ? send() : limiter.run({ bytes: content.size, signal, what: `put ${key}` }, send);
}

/** Much of the content may be on disk, or in objects, which cannot be copied on the server then. */
function putStreamed(
  { store, limiter, content, heldBytes }: UploadServices,
  { target: { key, headers, condition }, signals: { signal, finalSignal } }: ContentOrder,
): Promise<WriteReply> {
  return limiter.run({ bytes: heldBytes, signal, what: `put ${key}` }, async () => {
    const body = streamedRange(content, { offset: 0, length: content.size }, heldBytes);
    const sent = body.needsRequests ? body : await withMd5(body, signal);
    return store.put({ key, body: sent, headers, condition }, finalSignal);
  });
}

async function storeParts(
  services: UploadServices,
  parts: readonly PlannedPart[],
  { target: { key, headers, condition }, signals: { signal, finalSignal } }: ContentOrder,
): Promise<WriteReply> {
  const upload = new MultipartUpload(services, key, headers);
  try {
    const uploaded = await upload.sendAll(1, parts, signal);
    return await upload.complete(uploaded, condition, finalSignal);
  } catch (error) {
    const aborted = upload.abort(); // never rejects
    services.onCleanup(aborted);
    if (!signal.aborted) await aborted;
    throw error;
  }
}
