/** Stores one file, directory or symlink as an object; a large file in parts. Continues an interrupted upload. */
import { createHash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import { open, readlink, type FileHandle } from 'node:fs/promises';
import { mapLimited } from '../concurrency/for-each-limited.js';
import type { Limiter } from '../concurrency/limiter.js';
import { StoreError } from '../errors.js';
import type { ObjectHeaders, ObjectStore, UploadedPart } from '../object-store.js';
import { mayPutWhole, withMd5 } from '../streamed-body.js';
import { typeDirectory, typeRegular, typeSymlink } from '../vfs/modes.js';
import { abandonUpload } from './abandon-upload.js';
import { concernsAll, findEncryptionState } from './encryption-state.js';
import { headersOfStats, looksThere } from './file-headers.js';
import { planRanges, preferredPartBytes, type PlannedRange } from './part-plan.js';
import { TransferError } from './transfer-error.js';
import type { UploadJournal } from './upload-journal.js';

export interface LocalEntry {
  readonly path: string;
  readonly key: string;
  readonly kind: 'file' | 'directory' | 'symlink';
  readonly stats: BigIntStats;
}

/** The parts that the server has of an upload; undefined if it does not know it. */
type ListParts = (
  key: string,
  uploadId: string,
  signal: AbortSignal,
) => Promise<
  readonly { readonly partNumber: number; readonly size: number; readonly etag: string }[] | undefined
>;

export interface PutTools {
  readonly store: ObjectStore;
  /** The fingerprint of the key that the store writes under. */
  readonly fingerprint: string;
  readonly limiter: Limiter;
  readonly journal: UploadJournal;
  readonly listParts: ListParts;
  readonly onBytes: (bytes: number) => void;
}

/** Resolves with whether something was sent. Skips a file whose object has the same size, time and mode. */
export async function putEntry(tools: PutTools, entry: LocalEntry, signal: AbortSignal): Promise<boolean> {
  const { path, key, kind, stats } = entry;
  if (kind === 'file') return await putFile(tools, entry, signal);
  const headers = headersOfStats(stats, kind === 'directory' ? typeDirectory : typeSymlink);
  const content = kind === 'directory' ? Buffer.alloc(0) : await readlink(path, 'buffer');
  if (await isThere(tools, key, content.length, headers, signal)) return false;
  if (kind === 'directory') await requireNoContent(tools, key, signal);
  await tools.store.put({ key, body: [content], headers, condition: {} }, signal);
  return true;
}

/** A web tool may have put bytes under the key of a directory. */
async function requireNoContent({ store }: PutTools, key: string, signal: AbortSignal): Promise<void> {
  const { objects } = await store.list({ prefix: key, maxKeys: 1 }, signal);
  const [first] = objects;
  if (first?.key === key && first.size > 0) {
    throw new TransferError(`put ${key}: the key of the directory has content there, which is left as it is`);
  }
}

async function putFile(
  tools: PutTools,
  { path, key, stats }: LocalEntry,
  signal: AbortSignal,
): Promise<boolean> {
  const headers = headersOfStats(stats, typeRegular);
  const size = Number(stats.size);
  if (await isThere(tools, key, size, headers, signal)) return false;
  const file = await open(path, 'r');
  try {
    const source: Source = { file, path, key, stats, headers };
    const ranges = planRanges(size, tools.store.limits);
    const [only] = ranges;
    if (only !== undefined && ranges.length === 1) await putWhole(tools, source, only, signal);
    else await putInParts(tools, source, ranges, signal);
    return true;
  } finally {
    await file.close();
  }
}

interface Source {
  readonly file: FileHandle;
  readonly path: string;
  readonly key: string;
  /** Read before any content. */
  readonly stats: BigIntStats;
  readonly headers: ObjectHeaders;
}

async function isThere(
  { store, fingerprint }: PutTools,
  key: string,
  size: number,
  headers: ObjectHeaders,
  signal: AbortSignal,
): Promise<boolean> {
  const found = await findEncryptionState(store, key, signal);
  return (
    found.state === 'encrypted' && found.fingerprint === fingerprint && looksThere(found.info, size, headers)
  );
}

/** The server compares the body with its MD5 before it stores it. */
async function putWhole(
  tools: PutTools,
  source: Source,
  range: PlannedRange,
  signal: AbortSignal,
): Promise<void> {
  const { store, limiter, onBytes } = tools;
  const { key, headers } = source;
  await limiter.run({ bytes: range.length, signal, what: `put ${key}` }, async () => {
    const bytes = await readRange(source, range);
    await requireUnchanged(source);
    await store.put({ key, body: [bytes], headers, condition: {} }, signal);
    onBytes(bytes.length);
  });
}

async function putInParts(
  tools: PutTools,
  source: Source,
  ranges: readonly PlannedRange[],
  signal: AbortSignal,
): Promise<void> {
  const { store, limiter, journal, onBytes, fingerprint } = tools;
  const { key, headers } = source;
  let upload: Awaited<ReturnType<typeof beginUpload>>;
  try {
    upload = await beginUpload(tools, source, signal);
  } catch (error) {
    if (!mayPutWhole(error, Number(source.stats.size), store.limits)) throw error;
    await putStreamed(tools, source, ranges, signal);
    return;
  }
  const { uploadId, etags } = upload;
  const putPart = (range: PlannedRange, partSignal: AbortSignal): Promise<UploadedPart> =>
    limiter.run({ bytes: range.length, signal: partSignal, what: `put ${key}` }, async () => {
      const { partNumber, length } = range;
      const bytes = await readRange(source, range);
      const etag = createHash('md5').update(bytes).digest('hex');
      // Only where ETags are MD5s can the server show that it has this part; elsewhere it is sent again.
      const isThere = etags.get(partNumber) === etag;
      const part = isThere
        ? { partNumber, etag }
        : await store.uploadPart({ key, uploadId, partNumber, body: [bytes] }, partSignal);
      onBytes(length);
      return part;
    });
  try {
    const parts = await mapLimited(ranges, { limit: limiter.maxTasks, signal }, putPart);
    await requireUnchanged(source);
    await store.completeUpload({ key, uploadId, parts, condition: {} }, signal);
    await journal.remove(key);
  } catch (error) {
    if (!(error instanceof StoreError) || !concernsAll(error)) {
      await journal.remove(key);
      await abandonUpload(store, { key, uploadId });
    }
    throw error;
  }
  const info = await store.head(key, signal);
  if (!looksThere(info, Number(source.stats.size), headers) || info.keyFingerprint !== fingerprint) {
    throw new TransferError(`put ${key}: what is there now is not what was sent`);
  }
}

/** For buckets that deny uploads in parts. */
async function putStreamed(
  { store, limiter, onBytes }: PutTools,
  source: Source,
  ranges: readonly PlannedRange[],
  signal: AbortSignal,
): Promise<void> {
  const { key, headers, stats } = source;
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for (const range of ranges) yield await readRange(source, range);
  }
  await limiter.run({ bytes: preferredPartBytes, signal, what: `put ${key}` }, async () => {
    const body = await withMd5({ length: Number(stats.size), needsRequests: false, pieces }, signal);
    await requireUnchanged(source);
    await store.put({ key, body, headers, condition: {} }, signal);
    onBytes(body.length);
  });
}

/** Continues the upload of an earlier run if it has the same content. */
async function beginUpload(
  { store, journal, listParts, fingerprint }: PutTools,
  { path, key, stats, headers }: Source,
  signal: AbortSignal,
): Promise<{ readonly uploadId: string; readonly etags: ReadonlyMap<number, string> }> {
  const { mode, mtime } = headers.metadata;
  const identity = JSON.stringify([path, String(stats.size), mode, mtime, fingerprint]);
  const earlier = await journal.find(key);
  if (earlier?.identity === identity) {
    const parts = await listParts(key, earlier.uploadId, signal);
    if (parts !== undefined) {
      return {
        uploadId: earlier.uploadId,
        etags: new Map(parts.map((part) => [part.partNumber, part.etag])),
      };
    }
  } else if (earlier !== undefined) {
    await store.abortUpload({ key, uploadId: earlier.uploadId }, signal);
  }
  const uploadId = await store.createUpload({ key, headers }, signal);
  await journal.write(key, { uploadId, identity });
  return { uploadId, etags: new Map() };
}

async function readRange({ file, path }: Source, { offset, length }: PlannedRange): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await file.read(bytes, filled, length - filled, offset + filled);
    if (bytesRead === 0) throw new TransferError(`${path} became shorter while it was read`);
    filled += bytesRead;
  }
  return bytes;
}

async function requireUnchanged({ file, path, stats }: Source): Promise<void> {
  const now = await file.stat({ bigint: true });
  if (now.ino !== stats.ino || now.size !== stats.size || now.mtimeNs !== stats.mtimeNs) {
    throw new TransferError(`${path} was changed while it was read`);
  }
}
