/**
 * readdir and readdirplus: walks a listing from a position, and gives the attributes of each entry along with it where
 * somebody wants them, fetching what is missing in parallel and ahead of the walk.
 */
import { FsError } from '../errors.js';
import {
  dotEntries,
  type Call,
  type DirectoryEntry,
  type HandleId,
  type OpenDirectoryReply,
  type ReadDirectoryPlusRequest,
  type ReadDirectoryRequest,
} from '../file-system.js';
import type { DirectoryListing, ListedEntry } from './directory-listing.js';
import { toFsError } from './fs-errors.js';
import { numberOf } from './inode-numbers.js';
import { maxLinkBytes, typeDirectory, typeRegular, typeUnknown } from './modes.js';
import type { NodeReplies } from './node-replies.js';
import type { DirectoryNode, Node } from './nodes.js';
import type { Found } from './resolver.js';
import { entriesAhead } from './siblings-ahead.js';
import type { WorkingParts } from './working-parts.js';

interface DirectoryReaderOptions extends Pick<WorkingParts, 'resolver' | 'finder' | 'inodes' | 'log'> {
  readonly replies: NodeReplies;
}

interface DirectoryHandle {
  readonly directory: DirectoryNode;
  listing: DirectoryListing | undefined;
  /** The listing's revision when its first entry was read. Undefined before. */
  revision: number | undefined;
  /** Attributes on their way, by position. */
  readonly ahead: Map<number, Promise<Found | undefined>>;
}

export class DirectoryReader {
  readonly #options: DirectoryReaderOptions;
  readonly #handles = new Map<HandleId, DirectoryHandle>();
  #nextHandle: HandleId = 1;

  constructor(options: DirectoryReaderOptions) {
    this.#options = options;
  }

  open(directory: DirectoryNode): OpenDirectoryReply {
    const id = this.#nextHandle++;
    directory.pins += 1;
    this.#handles.set(id, { directory, listing: undefined, revision: undefined, ahead: new Map() });
    const listing = this.#options.resolver.recentListing(directory);
    return { handle: id, keepCache: listing !== undefined && listing.revision === listing.readRevision };
  }

  release(id: HandleId): void {
    const handle = this.#handles.get(id);
    if (!handle) return;
    this.#handles.delete(id);
    handle.directory.pins -= 1;
    this.#options.inodes.release(handle.directory);
  }

  /** Names and types; no request beside the listing's. */
  async read({ handle, offset, add }: ReadDirectoryRequest, call: Call): Promise<void> {
    await this.#walk(this.#handle(handle), offset, call, (entry) => Promise.resolve(add(entry)));
  }

  /**
   * Names, types and attributes. The kernel begins every directory like this; further on it does so only if entries were
   * looked up meanwhile. So at the beginning attributes are given if they are known, and not asked for: `find`, a shell's `*`
   * and `ls` need none, and SiblingsAhead fetches ahead for programs that look the entries up.
   */
  async readPlus({ handle: id, offset, add }: ReadDirectoryPlusRequest, call: Call): Promise<void> {
    const handle = this.#handle(id);
    const isWanted = offset > 0;
    await this.#walk(handle, offset, call, async (entry, position) => {
      if (position === undefined) return add(entry, undefined);
      if (isWanted) this.#fetchAhead(handle, position, call.signal);
      if (!isWanted && !this.#isKnown(handle, position)) return add(entry, undefined);
      const node = await this.#nodeAt(handle, position, call.signal);
      if (!node || node.isRemoved || node.name !== entry.name) return add(entry, undefined);
      const full = this.#options.replies.entryOf(node);
      const isTaken = add({ ...entry, type: node.attributes.type, ino: full.attributes.ino }, full);
      if (!isTaken) this.#options.replies.withdraw(node);
      return isTaken;
    });
  }

  async #walk(
    handle: DirectoryHandle,
    offset: number,
    call: Call,
    take: (entry: DirectoryEntry, position: number | undefined) => Promise<boolean>,
  ): Promise<void> {
    const { directory } = handle;
    if (offset === 0) {
      handle.listing = directory.isRemoved ? undefined : this.#options.resolver.listingOf(directory);
      handle.revision = handle.listing?.revision;
      handle.ahead.clear();
      if (!(await take(dotEntry('.', directory, 1), undefined))) return;
    }
    if (offset <= 1 && !(await take(dotEntry('..', directory.parent ?? directory, dotEntries), undefined)))
      return;
    if (directory.isRemoved) return;
    handle.listing ??= this.#options.resolver.listingOf(directory);
    const { listing } = handle;
    for (let position = Math.max(0, offset - dotEntries); ; position += 1) {
      while (position >= listing.length && !listing.isComplete)
        await this.#loadMore(listing, directory, call.signal);
      if (position >= listing.length) {
        // A reader that goes on from the middle may have begun before a change.
        if (handle.revision === listing.revision) listing.readRevision = listing.revision;
        return;
      }
      const entry = listing.at(position);
      if (!entry) continue;
      if (!(await take(this.#entryAt(directory, entry, position), position))) return;
    }
  }

  async #loadMore(listing: DirectoryListing, directory: DirectoryNode, signal: AbortSignal): Promise<void> {
    try {
      await listing.loadMore(signal);
    } catch (error) {
      throw toFsError(error, `listing ${directory.key}`);
    }
  }

  #entryAt(directory: DirectoryNode, entry: ListedEntry, position: number): DirectoryEntry {
    const live = directory.children.get(entry.name);
    return {
      name: entry.name,
      ino: this.#options.inodes.numberAt(directory, entry.name, entry.kind),
      type: live?.attributes.type ?? typeOf(entry),
      nextOffset: position + 1 + dotEntries,
    };
  }

  /** Starts the requests that the next entries need. The walk uses the answers when it gets there. */
  #fetchAhead(handle: DirectoryHandle, position: number, signal: AbortSignal): void {
    const { listing, directory, ahead } = handle;
    if (!listing) return;
    for (let next = position; next < Math.min(position + entriesAhead, listing.length); next += 1) {
      const entry = listing.at(next);
      if (!entry || ahead.has(next) || this.#currentNode(directory, entry.name)) continue;
      const fetching = this.#options.resolver.describeEntry(listing, entry, signal);
      fetching.catch(() => undefined); // the walk asks again when it needs it
      ahead.set(next, fetching);
    }
  }

  /** Whether attributes can be told without a request. */
  #isKnown({ listing, directory }: DirectoryHandle, position: number): boolean {
    const entry = listing?.at(position);
    if (!listing || !entry) return false;
    if (this.#currentNode(directory, entry.name)) return true;
    return this.#options.resolver.isDescribed(listing, entry);
  }

  async #nodeAt(handle: DirectoryHandle, position: number, signal: AbortSignal): Promise<Node | undefined> {
    const { listing, directory, ahead } = handle;
    const entry = listing?.at(position);
    if (!listing || !entry) return undefined;
    const fetching = ahead.get(position);
    ahead.delete(position);
    const { resolver, log } = this.#options;
    try {
      const found = fetching && (await fetching.catch(() => undefined));
      const current = this.#currentNode(directory, entry.name);
      if (current) return current;
      return this.#options.finder.integrate(
        directory,
        entry.name,
        found ?? (await resolver.describeEntry(listing, entry, signal)),
      );
    } catch (error) {
      if (signal.aborted) throw toFsError(error, `reading ${directory.key}`);
      // One entry that cannot be asked for must not hide the others: the kernel looks it up when it needs to.
      log.debug({ name: entry.name, err: error }, 'attributes of an entry could not be fetched');
      return undefined;
    }
  }

  #currentNode(directory: DirectoryNode, name: string): Node | undefined {
    const live = directory.children.get(name);
    return live && this.#options.finder.isCurrent(live) ? live : undefined;
  }

  #handle(id: HandleId): DirectoryHandle {
    const handle = this.#handles.get(id);
    if (!handle) throw new FsError('EBADF', `directory handle ${id} is not open`);
    return handle;
  }
}

/** A listing does not tell small files from symbolic links, pipes and the like. Programs that need the type look it up. */
function typeOf(entry: ListedEntry): number {
  if (entry.kind === 'directory') return typeDirectory;
  const { size } = entry.object;
  return size <= maxLinkBytes ? typeUnknown : typeRegular;
}

function dotEntry(name: string, directory: DirectoryNode, nextOffset: number): DirectoryEntry {
  return { name, ino: numberOf(directory), type: typeDirectory, nextOffset };
}
