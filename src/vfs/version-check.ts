/**
 * Asks the bucket which version of a file an open gets, so that an open on any machine sees what was stored before it. For a small
 * file that is opened to be read, the bytes come along.
 */
import { abortable } from '../concurrency/abortable.js';
import { FsError } from '../errors.js';
import type { OpenFlags } from '../file-system.js';
import { joinPieces, type ObjectInfo } from '../object-store.js';
import { isStoreError, toFsError } from './fs-errors.js';
import { isHeld, isOtherVersion } from './node-finder.js';
import type { FileNode } from './nodes.js';
import type { WorkingParts } from './working-parts.js';

type VersionCheckOptions = Pick<
  WorkingParts,
  'store' | 'reader' | 'resolver' | 'finder' | 'kernel' | 'clock'
>;

/** A GET of this size takes RGW hardly longer than a HEAD. */
const fetchedAtOpenBytes = 128 * 1024;

export class VersionCheck {
  readonly #options: VersionCheckOptions;

  constructor(options: VersionCheckOptions) {
    this.#options = options;
  }

  /**
   * Makes the node's version recent. `flags`: of the open that wants it. Rejects with ESTALE if the bucket has something else in its
   * place that the node cannot become, or nothing: the kernel looks the name up again then.
   */
  async check(node: FileNode, flags: OpenFlags | undefined, signal: AbortSignal): Promise<void> {
    const { resolver, finder, clock } = this.#options;
    if (node.isOutdated) throw outdated(node);
    const known = node.info;
    if (node.isRemoved || !known || isChanging(node)) return;
    const validatedAtMs = clock.monotonicMs();
    try {
      const info = await this.#ask(known, flags, signal);
      if (node.info !== known || isChanging(node)) return; // changed here meanwhile
      const isOther = isOtherVersion(node, info);
      const isOtherInode = isOther && (isHeld(node) || trustsSize(flags, known.size, info.size));
      if (!finder.confirm(node, info, isOtherInode)) {
        throw new FsError('ESTALE', `open ${node.key}: replaced`);
      }
      node.validatedAtMs = validatedAtMs;
      // It would otherwise cut what is read at the size that it knows. This drops no pages, for which it might wait for us.
      if (isOther) await abortable(this.#options.kernel().dropInode(node.id, -1), signal);
    } catch (error) {
      if (isStoreError(error, 'NotFound')) {
        // The kernel looks the name up again on ESTALE, and creates the file anew where that was asked for.
        node.validatedAtMs = -Infinity;
        if (node.parent) resolver.dropListing(node.parent);
        throw new FsError('ESTALE', `open ${node.key}: gone from the bucket`, { cause: error });
      }
      throw toFsError(error, `open ${node.key}`);
    }
  }

  /** What the bucket has now. The bytes come along unless they are here or on their way. */
  async #ask(
    { key, ...known }: ObjectInfo,
    flags: OpenFlags | undefined,
    signal: AbortSignal,
  ): Promise<ObjectInfo> {
    const { store, reader, resolver } = this.#options;
    const isSmall = known.size > 0 && known.size <= fetchedAtOpenBytes;
    if (!flags || !isOnlyRead(flags) || !isSmall || reader.holds({ key, ...known })) {
      return await resolver.head(key, signal);
    }
    try {
      const range = { offset: 0, length: fetchedAtOpenBytes };
      const reply = await store.get({ key, range }, signal);
      const info = resolver.remember(reply.info);
      reader.seed(info, 0, joinPieces(reply.pieces));
      return info;
    } catch (error) {
      if (isStoreError(error, 'RangeNotSatisfiable')) return await resolver.head(key, signal); // empty by now
      throw error;
    }
  }
}

export function isOnlyRead({ read, write }: OpenFlags): boolean {
  return read && !write;
}

/** The kernel looks the name up again, but only once: it must not be told what a listing said a while ago. */
export function outdated(node: FileNode): FsError {
  node.parent?.askAtNextLookup(node.name);
  return new FsError('ESTALE', `open ${node.key}: replaced or removed`);
}

/** Whether it is ahead of the bucket, or about to be. */
function isChanging(node: FileNode): boolean {
  return node.hasUnstoredContent || node.lock.isBusy;
}

/**
 * Whether the kernel would go by the size it knows of a file that another client has changed. The answer to an open tells it
 * none: it would append at the former end, and read on to it in several requests at once, of which it takes a short answer
 * for the end only if no other comes before. Where there is more by now, read(2) asks before it goes beyond, but sendfile(2) and
 * splice(2) end there.
 */
function trustsSize(flags: OpenFlags | undefined, known: number, now: number): boolean {
  if (!flags || flags.truncate) return false; // it sets the size
  return now !== known;
}
