/**
 * Answers from the bucket what a name in a directory is: from the directory's listing while that is recent, otherwise by a request
 * for the one name. It knows no inodes; `NodeFinder` has those.
 */
import { BoundedMap } from '../bounded-map.js';
import type { ObjectInfoCache } from './object-info-cache.js';
import { type BlockReader, wholeObjectBytes } from '../cache/block-reader.js';
import type { Log } from '../log.js';
import type { ListedObject, ObjectInfo, ObjectStore } from '../object-store.js';
import type { Clock } from '../clock.js';
import { AbsentNames } from './absent-names.js';
import { DirectoryListing, type ListedEntry } from './directory-listing.js';
import { isStoreError } from './fs-errors.js';
import type { KnownMarker, KnownMarkers } from './known-markers.js';
import type { ListedDirectories } from './listed-directories.js';
import { keyOfEntry } from './names.js';
import { abortable } from '../concurrency/abortable.js';
import type { DirectoryNode } from './nodes.js';
import { SiblingsAhead, type Wanted } from './siblings-ahead.js';

/** An object as the bucket shows it. `isUnreadable`: encrypted under another key, not allowed to be read, or a reply without sense. */
export interface DescribedObject {
  readonly info: ObjectInfo;
  readonly isUnreadable: boolean;
}

export type Found =
  | ({ readonly kind: 'file'; readonly validatedAtMs: number } & DescribedObject)
  | {
      readonly kind: 'directory';
      readonly validatedAtMs: number;
      /** Undefined if the directory has no marker object, or none that can be read. */
      readonly marker: ObjectInfo | undefined;
      /** There may be a marker, of which nothing is known. */
      readonly isUnreadable: boolean;
    };

interface ResolverOptions {
  readonly store: ObjectStore;
  readonly infos: ObjectInfoCache;
  readonly reader: Pick<BlockReader, 'fetchWhole'>;
  /** How old knowledge of names and attributes may be. */
  readonly metadataTtlMs: number;
  /** How old the knowledge may be that a name is not there; not longer than `metadataTtlMs`. */
  readonly negativeTtlMs: number;
  readonly knownMarkers: KnownMarkers;
  readonly listed: ListedDirectories;
  readonly clock: Clock;
  readonly log: Log;
}

/** After so many names asked for one by one, the directory is listed instead: that answers up to 1,000 at once. */
const lookupsWorthListing = 2;
/** A directory of more pages is not listed only to look up names. */
const maxPagesForLookup = 4;

/** A look-up does not wait longer for all of a file that is fetched ahead, which may take long on a slow link: it asks itself. */
const patienceMs = 200;

/** Refusals of one object, or a reply that makes no sense: a directory has it all the same, and others beside it. */
const unreadableCodes = [
  'WrongCustomerKey',
  'AccessDenied',
  'PlaintextRefused',
  'CorruptReply',
  'InvalidRequest',
] as const;

/** The store has limits of its own; this one only makes sure that nothing is fetched ahead for ever. */
const aheadTimeoutMs = 60_000;

/** Of more directories with hidden keys, the log tells once more. */
const maxHiddenLogged = 1000;

interface AskedMarker extends KnownMarker {
  readonly isUnreadable: boolean;
}

export class Resolver {
  readonly #options: ResolverOptions;
  readonly #siblings = new SiblingsAhead<DirectoryListing>({
    fetch: (listing, position, wanted) => this.#fetchAhead(listing, position, wanted),
    bytesAt: (listing, position) => {
      const entry = listing.at(position);
      return entry?.kind === 'file' && isSmall(entry.object) ? entry.object.size : 0;
    },
  });
  /** The listings in which a directory was looked up: markers are fetched ahead as well. */
  readonly #walked = new WeakSet<DirectoryListing>();
  /**
   * Requests for attributes, or for all of a file, that were sent ahead, by version. A look-up waits for them.
   * Invariant: none whose request has settled.
   */
  readonly #ahead = new Map<string, Promise<void>>();
  /** The prefixes whose hidden keys were told of. */
  readonly #hiddenLogged = new BoundedMap<string, true>(maxHiddenLogged);
  readonly #absent: AbsentNames;

  constructor(options: ResolverOptions) {
    this.#options = options;
    const { store, clock, negativeTtlMs: ttlMs } = options;
    this.#absent = new AbsentNames({ store, clock, ttlMs });
  }

  /** The directory's recent listing, complete or not, or undefined. */
  recentListing(directory: DirectoryNode): DirectoryListing | undefined {
    const { listing } = directory;
    if (!listing) return undefined;
    if (!this.#isExpired(listing.startedAtMs)) return listing;
    // Nobody would read it, and it would still record what this mount makes and removes.
    this.dropListing(directory);
    return undefined;
  }

  /** The directory's recent listing, or a new one, of which nothing is loaded yet. */
  listingOf(directory: DirectoryNode): DirectoryListing {
    return this.recentListing(directory) ?? this.#startListing(directory);
  }

  dropListing(directory: DirectoryNode): void {
    this.#options.listed.drop(directory);
  }

  /** Undefined if there is nothing of this name. `wasFile`: it was an object when last seen, which is cheaper to ask. */
  async find(
    directory: DirectoryNode,
    name: string,
    wasFile: boolean,
    signal: AbortSignal,
  ): Promise<Found | undefined> {
    const listing = await this.#listingForLookup(directory, signal);
    const entry = listing?.get(name);
    if (listing && entry) {
      const position = listing.positionOf(name);
      if (position !== undefined) {
        const underWay = this.#ahead.get(nameAhead(listing, entry));
        if (entry.kind === 'directory') this.#walked.add(listing);
        this.#siblings.noteLookup(listing, position);
        if (underWay && !this.isDescribed(listing, entry)) await abortable(underWay, signal);
      }
      const found = await this.describeEntry(listing, entry, signal);
      if (found) return found;
    } else if (listing?.isComplete) {
      return await this.#findUnlisted(directory, name, listing, signal);
    }
    return await this.#probe(directory, name, wasFile, signal);
  }

  /** For a name that a complete listing lacks: another client may have made it since. */
  async #findUnlisted(
    directory: DirectoryNode,
    name: string,
    listing: DirectoryListing,
    signal: AbortSignal,
  ): Promise<Found | undefined> {
    const { prefix } = directory;
    if (await this.#absent.isAbsent(prefix, name, listing, signal)) return undefined;
    const askedAtMs = this.#options.clock.monotonicMs();
    const found = await this.#probe(directory, name, false, signal);
    if (!found) this.#absent.note(prefix, name, askedAtMs);
    else if (!listing.get(name)) {
      listing.set(
        found.kind === 'file' ? { name, kind: 'file', object: found.info } : { name, kind: 'directory' },
      );
    }
    return found;
  }

  /** Like `find` of what was a file, but asks the bucket even if a listing knows the name. The listing learns the answer. */
  async ask(directory: DirectoryNode, name: string, signal: AbortSignal): Promise<Found | undefined> {
    const found = await this.#probe(directory, name, true, signal);
    if (found?.kind === 'file') directory.listing?.set({ name, kind: 'file', object: found.info });
    else this.dropListing(directory);
    return found;
  }

  /** Whether `describeEntry` needs no request. */
  isDescribed({ prefix }: DirectoryListing, entry: ListedEntry): boolean {
    if (entry.kind === 'file') return this.isKnown(entry.object);
    return this.#options.knownMarkers.get(`${prefix}${entry.name}/`) !== undefined;
  }

  /** Whether `describe` needs no request. */
  isKnown(listed: ListedObject): boolean {
    return this.#options.infos.get(listed) !== undefined;
  }

  /** What is known, or HEAD tells, of an object that a listing shows. Undefined if it has gone since. */
  async describe(listed: ListedObject, signal: AbortSignal): Promise<DescribedObject | undefined> {
    const known = this.#options.infos.get(listed);
    if (known) return { info: known, isUnreadable: false };
    try {
      return { info: await this.head(listed.key, signal, listed), isUnreadable: false };
    } catch (error) {
      if (isStoreError(error, 'NotFound')) return undefined;
      if (isStoreError(error, ...unreadableCodes)) {
        const info = { ...listed, metadata: {}, contentType: undefined, isEncrypted: true };
        return { info, isUnreadable: true };
      }
      throw error;
    }
  }

  /** This file is being opened to be read. */
  noteOpen(directory: DirectoryNode, name: string): void {
    const listing = this.recentListing(directory);
    const position = listing?.positionOf(name);
    if (listing && position !== undefined) this.#siblings.noteOpen(listing, position);
  }

  /** Fetches for a look-up that will probably come. If this fails, the look-up asks again, and gets the error. */
  #fetchAhead(listing: DirectoryListing, position: number, wanted: Wanted): void {
    const entry = listing.at(position);
    if (!entry || (entry.kind === 'file' ? !isInBucket(entry.object) : !this.#walked.has(listing))) return;
    const name = nameAhead(listing, entry);
    if (this.#ahead.has(name)) return;
    const content = wanted === 'content' && entry.kind === 'file' ? this.#getAhead(entry.object) : undefined;
    const request = content ?? this.#describeAhead(listing, entry);
    if (!request) return;
    const fetching = request
      .catch((error: unknown) => this.#options.log.debug({ name, err: error }, 'fetching ahead failed'))
      .finally(() => this.#ahead.delete(name));
    this.#ahead.set(name, content ? this.#atMost(fetching, patienceMs) : fetching);
  }

  /** Undefined if it is not worth it, or done already. */
  #getAhead(object: ListedObject): Promise<void> | undefined {
    const { reader, infos } = this.#options;
    if (!isSmall(object)) return undefined;
    return reader.fetchWhole(object)?.then((info) => void infos.set(info, object));
  }

  #describeAhead(listing: DirectoryListing, entry: ListedEntry): Promise<void> | undefined {
    if (this.isDescribed(listing, entry)) return undefined;
    const described = this.describeEntry(listing, entry, AbortSignal.timeout(aheadTimeoutMs));
    return described.then(() => undefined);
  }

  /** HEAD, remembered. `listed`: the listing's entry that it is asked for. */
  async head(key: string, signal: AbortSignal, listed?: ListedObject): Promise<ObjectInfo> {
    return this.#options.infos.set(await this.#options.store.head(key, signal), listed);
  }

  /** What another request has told of an object. */
  remember(info: ObjectInfo): ObjectInfo {
    return this.#options.infos.set(info);
  }

  async headIfExists(key: string, signal: AbortSignal): Promise<ObjectInfo | undefined> {
    try {
      return await this.head(key, signal);
    } catch (error) {
      if (isStoreError(error, 'NotFound')) return undefined;
      throw error;
    }
  }

  /** The marker object of a directory. A marker that may not be read is there all the same; that answer is not remembered. */
  async headMarker(key: string, signal: AbortSignal): Promise<AskedMarker> {
    const askedAtMs = this.#options.clock.monotonicMs();
    try {
      const known = await this.#options.knownMarkers.learn(key, () => this.headIfExists(key, signal));
      return { ...known, isUnreadable: false };
    } catch (error) {
      if (isStoreError(error, ...unreadableCodes))
        return { marker: undefined, askedAtMs, isUnreadable: true };
      throw error;
    }
  }

  async #listingForLookup(
    directory: DirectoryNode,
    signal: AbortSignal,
  ): Promise<DirectoryListing | undefined> {
    const recent = this.recentListing(directory);
    if (recent) return recent;
    directory.lookupsSinceListing += 1;
    if (directory.lookupsSinceListing <= lookupsWorthListing || directory.isLarge) return undefined;
    const listing = this.#startListing(directory);
    for (let page = 0; page < maxPagesForLookup && !listing.isComplete; page += 1)
      await listing.loadMore(signal);
    directory.isLarge = !listing.isComplete;
    return listing;
  }

  #startListing(directory: DirectoryNode): DirectoryListing {
    const { store, clock } = this.#options;
    const listing = new DirectoryListing({
      store,
      prefix: directory.prefix,
      isRoot: directory.parent === undefined,
      startedAtMs: clock.monotonicMs(),
      now: () => clock.monotonicMs(),
      onHidden: (count, example) => this.#logHidden(directory.prefix, count, example),
    });
    for (const child of directory.children.values()) {
      if (child.kind === 'file' && child.isAheadOfBucket) {
        listing.set(entryOfUnstored(child.name, child.key, child.size));
      }
    }
    directory.listing = listing;
    directory.lookupsSinceListing = 0;
    this.#options.listed.add(directory);
    return listing;
  }

  /** What is known, or HEAD tells, of an entry of a listing. Undefined if it has gone since. */
  async describeEntry(
    listing: DirectoryListing,
    entry: ListedEntry,
    signal: AbortSignal,
  ): Promise<Found | undefined> {
    const now = this.#options.clock.monotonicMs();
    if (entry.kind === 'file') {
      const isKnown = this.isKnown(entry.object);
      const described = await this.describe(entry.object, signal);
      // HEAD's answer is as recent as its request. What a listing only confirms is as recent as the listing.
      const validatedAtMs = isKnown ? listing.listedAtMs(entry.name) : now;
      return described && { kind: 'file', validatedAtMs, ...described };
    }
    const key = `${listing.prefix}${entry.name}/`;
    const known = this.#options.knownMarkers.get(key);
    const { marker, askedAtMs, isUnreadable } = known
      ? { ...known, isUnreadable: false }
      : await this.headMarker(key, signal);
    // Without a marker only the listing says that the directory is there.
    const listedAtMs = listing.listedAtMs(entry.name);
    const validatedAtMs = marker ? Math.max(askedAtMs, listedAtMs) : listedAtMs;
    return { kind: 'directory', validatedAtMs, marker, isUnreadable };
  }

  /** Asks for the object and for anything below the name at once; a directory hides a file of the same name. */
  async #probe(
    directory: DirectoryNode,
    name: string,
    wasFile: boolean,
    signal: AbortSignal,
  ): Promise<Found | undefined> {
    const { store, clock } = this.#options;
    const validatedAtMs = clock.monotonicMs();
    const key = keyOfEntry(directory.prefix, name, 'file', store.limits.maxKeyBytes);
    if (wasFile) {
      const same = await this.findObject(key, signal);
      if (same) return { kind: 'file', validatedAtMs, ...same };
    }
    const prefix = `${key}/`;
    const canBeDirectory = Buffer.byteLength(prefix) <= store.limits.maxKeyBytes;
    const [object, below] = await Promise.all([
      this.findObject(key, signal),
      canBeDirectory ? store.list({ prefix, maxKeys: 1 }, signal) : undefined,
    ]);
    const first = below?.objects[0];
    if (first) {
      if (first.key !== prefix) {
        await this.#options.knownMarkers.learn(prefix, () => Promise.resolve(undefined));
        return { kind: 'directory', validatedAtMs, marker: undefined, isUnreadable: false };
      }
      const { marker, isUnreadable } = await this.headMarker(prefix, signal);
      return { kind: 'directory', validatedAtMs, marker, isUnreadable };
    }
    return object && { kind: 'file', validatedAtMs, ...object };
  }

  /** The object of this key, also one that may not be read; undefined if there is none. */
  async findObject(key: string, signal: AbortSignal): Promise<DescribedObject | undefined> {
    try {
      const info = await this.headIfExists(key, signal);
      return info && { info, isUnreadable: false };
    } catch (error) {
      if (!isStoreError(error, ...unreadableCodes)) throw error;
      // HEAD does not tell the size of such an object, a listing does.
      const page = await this.#options.store.list({ prefix: key, maxKeys: 1 }, signal);
      const listed = page.objects[0];
      if (listed?.key !== key) {
        // A server also refuses what is not there, to credentials that may list only a prefix.
        if (isStoreError(error, 'AccessDenied')) return undefined;
        throw error;
      }
      const info = { ...listed, metadata: {}, contentType: undefined, isEncrypted: true };
      return { info, isUnreadable: true };
    }
  }

  #logHidden(prefix: string, count: number, example: string): void {
    if (this.#hiddenLogged.has(prefix)) return;
    this.#hiddenLogged.set(prefix, true);
    this.#options.log.warn(
      { prefix, count, example },
      'some keys cannot be shown as names in a directory and are hidden',
    );
  }

  /** Resolves when `work` does, which never rejects, or after so long. */
  #atMost(work: Promise<void>, ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#options.clock.startTimer(ms, resolve);
      void work.then(() => {
        cancel();
        resolve();
      });
    });
  }

  #isExpired(timeMs: number): boolean {
    return this.#options.clock.monotonicMs() - timeMs >= this.#options.metadataTtlMs;
  }
}

/** Small enough that its content may be fetched before anybody asks for it. Such a request takes three times as long as HEAD. */
function isSmall({ size }: ListedObject): boolean {
  return size > 0 && size <= wholeObjectBytes;
}

/** Whether the bucket has it, which `entryOfUnstored` says it has not. */
function isInBucket({ etag }: ListedObject): boolean {
  return etag !== '';
}

/** Names what is fetched ahead: a version of an object, or a directory's marker. */
function nameAhead({ prefix }: DirectoryListing, entry: ListedEntry): string {
  if (entry.kind === 'directory') return `${prefix}${entry.name}/`;
  const { key, etag, lastModifiedMs } = entry.object;
  return `${etag} ${lastModifiedMs} ${key}`;
}

/** How a listing shows a file that the bucket does not have yet. */
export function entryOfUnstored(name: string, key: string, size: number): ListedEntry {
  return { name, kind: 'file', object: { key, size, etag: '', lastModifiedMs: 0 } };
}
