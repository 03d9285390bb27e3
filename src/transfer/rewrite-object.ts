/**
 * Writes an object again under the store's own customer key, through this machine, and reads it back. The old version can be
 * read until the new one is complete; if another client replaces it meanwhile, their version stays.
 */
import { createHash } from 'node:crypto';
import { forEachLimited, mapLimited } from '../concurrency/for-each-limited.js';
import type { Limiter } from '../concurrency/limiter.js';
import { StoreError } from '../errors.js';
import { headersOf } from '../object-headers.js';
import { joinPieces, type ObjectInfo, type ObjectStore, type UploadedPart } from '../object-store.js';
import { mayPutWhole } from '../streamed-body.js';
import { abandonUpload } from './abandon-upload.js';
import { planRanges, preferredPartBytes, type PlannedRange } from './part-plan.js';

interface RewriteTools {
  /** Decrypts the object, and writes under the new key. */
  readonly store: ObjectStore;
  /** The new key's. */
  readonly fingerprint: string;
  /** Bounds the memory of all objects that are rewritten at once. */
  readonly limiter: Limiter;
  /** Called with bytes that have been written. */
  readonly onBytes: (bytes: number) => void;
}

/** Rejects with `PreconditionFailed` if the object is not `info` any more, with `CorruptReply` if it reads back differently. */
export async function rewriteObject(
  tools: RewriteTools,
  info: ObjectInfo,
  signal: AbortSignal,
): Promise<void> {
  const { store } = tools;
  const ranges = planRanges(info.size, store.limits);
  const [only] = ranges;
  const { etag, hashes } =
    only !== undefined && ranges.length === 1
      ? await rewriteWhole(tools, info, only, signal)
      : await rewriteInParts(tools, info, ranges, signal);
  await verify(tools, { ...info, etag }, ranges, hashes, signal);
}

interface Written {
  readonly etag: string;
  /** By the index of the range. */
  readonly hashes: readonly string[];
}

async function rewriteWhole(
  tools: RewriteTools,
  info: ObjectInfo,
  range: PlannedRange,
  signal: AbortSignal,
): Promise<Written> {
  const { store, limiter, onBytes } = tools;
  const { key, etag: ifMatch } = info;
  return await limiter.run({ bytes: range.length, signal, what: `rewrite ${key}` }, async () => {
    const bytes = joinPieces((await store.get({ key, ifMatch, maxBytes: info.size }, signal)).pieces);
    const { etag } = await store.put(
      { key, body: [bytes], headers: headersOf(info), condition: { ifMatch } },
      signal,
    );
    onBytes(bytes.length);
    return { etag, hashes: [hashOf(bytes)] };
  });
}

async function rewriteInParts(
  tools: RewriteTools,
  info: ObjectInfo,
  ranges: readonly PlannedRange[],
  signal: AbortSignal,
): Promise<Written> {
  const { store, limiter, onBytes } = tools;
  const { key, etag: ifMatch } = info;
  let uploadId: string;
  try {
    uploadId = await store.createUpload({ key, headers: headersOf(info) }, signal);
  } catch (error) {
    if (!mayPutWhole(error, info.size, store.limits)) throw error;
    return await rewriteStreamed(tools, info, ranges, signal);
  }
  const rewritePart = (
    range: PlannedRange,
    partSignal: AbortSignal,
  ): Promise<{ part: UploadedPart; hash: string }> =>
    limiter.run({ bytes: range.length, signal: partSignal, what: `rewrite ${key}` }, async () => {
      const bytes = joinPieces((await store.get({ key, range, ifMatch }, partSignal)).pieces);
      const part = await store.uploadPart(
        { key, uploadId, partNumber: range.partNumber, body: [bytes] },
        partSignal,
      );
      onBytes(bytes.length);
      return { part, hash: hashOf(bytes) };
    });
  try {
    const parts = await mapLimited(ranges, { limit: limiter.maxTasks, signal }, rewritePart);
    const uploaded = parts.map(({ part }) => part);
    const { etag } = await store.completeUpload(
      { key, uploadId, parts: uploaded, condition: { ifMatch } },
      signal,
    );
    return { etag, hashes: parts.map(({ hash }) => hash) };
  } catch (error) {
    await abandonUpload(store, { key, uploadId });
    throw error;
  }
}

async function rewriteStreamed(
  { store, limiter, onBytes }: RewriteTools,
  info: ObjectInfo,
  ranges: readonly PlannedRange[],
  signal: AbortSignal,
): Promise<Written> {
  const { key, size, etag: ifMatch } = info;
  const hashes: string[] = [];
  async function* pieces(pieceSignal: AbortSignal): AsyncGenerator<Uint8Array> {
    for (const [index, range] of ranges.entries()) {
      const bytes = joinPieces((await store.get({ key, range, ifMatch }, pieceSignal)).pieces);
      hashes[index] = hashOf(bytes);
      yield bytes;
    }
  }
  return await limiter.run({ bytes: preferredPartBytes, signal, what: `rewrite ${key}` }, async () => {
    const body = { length: size, needsRequests: true, pieces };
    const { etag } = await store.put({ key, body, headers: headersOf(info), condition: { ifMatch } }, signal);
    onBytes(size);
    return { etag, hashes };
  });
}

async function verify(
  { store, fingerprint, limiter }: RewriteTools,
  { key, size, etag }: ObjectInfo,
  ranges: readonly PlannedRange[],
  hashes: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const info = await store.head(key, signal);
  if (info.etag !== etag) return; // another client replaced it since
  if (info.size !== size || info.keyFingerprint !== fingerprint) throw isDifferent(key);
  await forEachLimited(ranges.entries(), { limit: limiter.maxTasks, signal }, ([index, range], rangeSignal) =>
    limiter.run({ bytes: range.length, signal: rangeSignal, what: `verify ${key}` }, async () => {
      const bytes = joinPieces((await store.get({ key, range, ifMatch: etag }, rangeSignal)).pieces);
      if (hashOf(bytes) !== hashes[index]) throw isDifferent(key);
    }),
  );
}

function isDifferent(key: string): StoreError {
  return new StoreError('CorruptReply', `rewrite ${key}: what was read back is not what was written`);
}

function hashOf(bytes: Uint8Array): string {
  return createHash('md5').update(bytes).digest('base64');
}
