/** Fetches the bytes of one object into a file, in parallel ranges of one version, and compares them with its ETag. */
import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { mapLimited } from '../concurrency/for-each-limited.js';
import type { Limiter } from '../concurrency/limiter.js';
import { joinPieces, type ObjectInfo, type ObjectStore } from '../object-store.js';
import { planRanges, type PlannedRange } from './part-plan.js';
import { TransferError } from './transfer-error.js';

interface GetTools {
  readonly store: ObjectStore;
  /** Limits the memory of all objects that are fetched at once. */
  readonly limiter: Limiter;
  readonly onBytes: (bytes: number) => void;
  /** What is known about the server's ETags. */
  readonly etags: EtagKnowledge;
}

/** On Ceph the ETag of what was put in one piece is its MD5; on AWS it says nothing for objects under customer keys. */
export class EtagKnowledge {
  areOpaque = false;
}

export async function fetchInto(
  file: FileHandle,
  info: ObjectInfo,
  tools: GetTools,
  signal: AbortSignal,
): Promise<void> {
  const ranges = planRanges(info.size, tools.store.limits);
  const hashes = await fetchRanges(info, ranges, tools, signal, async (bytes, offset) => {
    await writeAll(file, bytes, offset);
    tools.onBytes(bytes.length);
  });
  if (!/^[0-9a-f]{32}$/.test(info.etag) || tools.etags.areOpaque) return;
  const whole = hashes.length === 1 ? hashes[0] : await hashOfFile(file, ranges);
  if (whole === info.etag) return;
  // Either the bytes were damaged, or ETags are no MD5s here: a second read shows which.
  const again = await fetchRanges(info, ranges, tools, signal, () => Promise.resolve());
  if (again.some((hash, index) => hash !== hashes[index])) {
    throw new TransferError(`get ${info.key}: two readings of it differ; try again`);
  }
  tools.etags.areOpaque = true;
}

/** Resolves with the MD5 of each range. */
async function fetchRanges(
  { key, etag: ifMatch }: ObjectInfo,
  ranges: readonly PlannedRange[],
  { store, limiter }: GetTools,
  signal: AbortSignal,
  take: (bytes: Uint8Array, offset: number) => Promise<void>,
): Promise<readonly string[]> {
  return await mapLimited(ranges, { limit: limiter.maxTasks, signal }, (range, rangeSignal) =>
    limiter.run({ bytes: range.length, signal: rangeSignal, what: `get ${key}` }, async () => {
      const bytes = joinPieces((await store.get({ key, range, ifMatch }, rangeSignal)).pieces);
      if (bytes.length !== range.length) throw new TransferError(`get ${key}: it became shorter`);
      await take(bytes, range.offset);
      return createHash('md5').update(bytes).digest('hex');
    }),
  );
}

async function hashOfFile(file: FileHandle, ranges: readonly PlannedRange[]): Promise<string> {
  const hash = createHash('md5');
  for (const { offset, length } of ranges) {
    const bytes = Buffer.allocUnsafeSlow(length);
    let filled = 0;
    while (filled < length) {
      const { bytesRead } = await file.read(bytes, filled, length - filled, offset + filled);
      if (bytesRead === 0) throw new TransferError('the file became shorter while it was written');
      filled += bytesRead;
    }
    hash.update(bytes);
  }
  return hash.digest('hex');
}

async function writeAll(file: FileHandle, bytes: Uint8Array, offset: number): Promise<void> {
  let written = 0;
  while (written < bytes.length) {
    const { bytesWritten } = await file.write(bytes, written, bytes.length - written, offset + written);
    written += bytesWritten;
  }
}
