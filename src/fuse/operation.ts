/** What every request handler is given and gives back; the handlers are in the `*-requests.ts` files. */
import type { Call, Entry, FileSystem, InodeId, KernelCaches } from '../file-system.js';
import type { CachedInodes } from './cached-inodes.js';
import { encodeEntry, type FuseReply } from './reply-encoding.js';
import type { SetIdInodes } from './set-id-inodes.js';

export interface FuseContext {
  readonly fileSystem: FileSystem;
  readonly setIdInodes: SetIdInodes;
  readonly cachedInodes: CachedInodes;
  readonly caches: KernelCaches;
  /** Reports a failure while an unwanted answer was taken back. */
  reportFailure(operation: string, error: unknown): void;
}

export interface Request {
  readonly inode: InodeId;
  /** What follows the request's header. Everything must be decoded before the first await, unless it is lasting. */
  readonly body: Buffer;
  /** Whether `body` stays until the answer. Else the next request overwrites it. */
  readonly isBodyLasting: boolean;
}

/** Rejects with an `FsError`; anything else is answered with EIO. */
export type FuseOperation = (
  context: FuseContext,
  request: Request,
  call: Call,
) => Promise<FuseReply> | FuseReply;

/** The answer that hands out one lookup. */
export function replyEntry({ fileSystem, setIdInodes }: FuseContext, entry: Entry): FuseReply {
  setIdInodes.note(entry.inode, entry.attributes);
  return { head: encodeEntry(entry), undo: () => fileSystem.forget(entry.inode, 1) };
}
