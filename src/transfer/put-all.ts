/** Stores files and trees below a prefix. */
import { lstat, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { Limiter } from '../concurrency/limiter.js';
import { forEachLimited } from '../concurrency/for-each-limited.js';
import { maxBytesInFlight, parallelParts } from './part-plan.js';
import type { Progress, TransferSummary } from './progress.js';
import { putEntry, type LocalEntry, type PutTools } from './put-file.js';
import { lastingFailure, messageOfOneFailure, TransferError } from './transfer-error.js';

interface PutAllOptions extends Omit<PutTools, 'limiter' | 'onBytes'> {
  /** Files and directories; those named `DIR/.` without the directory itself. */
  readonly sources: readonly string[];
  /** '' or ending in '/'. */
  readonly prefix: string;
  readonly concurrency: number;
  readonly progress: Progress;
  readonly summary: TransferSummary;
  readonly onFailure: (message: string) => void;
}

/** Rejects only with what concerns every file. */
export async function putAll(options: PutAllOptions, signal: AbortSignal): Promise<void> {
  const { sources, prefix, progress, summary, concurrency, onFailure } = options;
  const limiter = new Limiter({ maxTasks: parallelParts, maxBytes: maxBytesInFlight });
  const fail = (error: unknown): void => {
    const message = messageOfOneFailure(error);
    if (message === undefined) throw lastingFailure(error, 'put');
    summary.failed += 1;
    onFailure(message);
  };
  const entries = async function* (): AsyncGenerator<LocalEntry> {
    for (const source of sources) {
      for await (const entry of walkSource(source, prefix, fail)) {
        signal.throwIfAborted();
        progress.find(sizeOf(entry));
        yield entry;
      }
    }
    progress.isListed = true;
  };
  await forEachLimited(entries(), { limit: concurrency }, async (entry) => {
    let sent = 0;
    const onBytes = (bytes: number): void => {
      sent += bytes;
      progress.bytesDone += bytes;
    };
    try {
      const isSent = await putEntry({ ...options, limiter, onBytes }, entry, signal);
      summary.already += isSent ? 0 : 1;
      summary.transferred += isSent ? 1 : 0;
      summary.transferredBytes += isSent ? sizeOf(entry) : 0;
    } catch (error) {
      fail(error);
    }
    progress.objectsDone += 1;
    progress.bytesDone += Math.max(0, sizeOf(entry) - sent);
  });
}

function sizeOf({ kind, stats }: LocalEntry): number {
  return kind === 'file' ? Number(stats.size) : 0;
}

/** Follows a link that the user named; stores a link found in a directory as a link. */
async function* walkSource(
  source: string,
  prefix: string,
  fail: (error: unknown) => void,
): AsyncGenerator<LocalEntry> {
  const name = /(^|\/)\.\/*$/.test(source) ? '' : path.basename(path.resolve(source));
  const isFollowed = true;
  yield* walk(path.resolve(source), prefix + name, isFollowed, fail);
}

async function* walk(
  file: string,
  key: string,
  isFollowed: boolean,
  fail: (error: unknown) => void,
): AsyncGenerator<LocalEntry> {
  try {
    const stats = await (isFollowed ? stat : lstat)(file, { bigint: true });
    if (stats.isFile()) yield { path: file, key, kind: 'file', stats };
    else if (stats.isSymbolicLink()) yield { path: file, key, kind: 'symlink', stats };
    else if (stats.isDirectory()) {
      const below = key === '' || key.endsWith('/') ? key : `${key}/`;
      if (!isFollowed || !(key === '' || key.endsWith('/'))) {
        yield { path: file, key: below, kind: 'directory', stats };
      }
      for (const name of (await readdir(file)).sort())
        yield* walk(path.join(file, name), below + name, false, fail);
    } else {
      throw new TransferError(`${file} is neither a file, a directory nor a symbolic link; it is left out`);
    }
  } catch (error) {
    fail(error);
  }
}
