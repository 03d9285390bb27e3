/**
 * The entries of one directory as ListObjectsV2 shows them, loaded page by page as readers need them, with this mount's
 * own changes on top. Positions never move, so that a reader may continue from an offset while entries come and go.
 */
import { SingleFlight } from '../concurrency/single-flight.js';
import type { ListedObject, ObjectStore } from '../object-store.js';
import { isShowableName, reservedName } from './names.js';
import { abortable } from '../concurrency/abortable.js';

export type ListedEntry =
  | { readonly name: string; readonly kind: 'file'; readonly object: ListedObject }
  | { readonly name: string; readonly kind: 'directory' };

interface DirectoryListingOptions {
  readonly store: ObjectStore;
  readonly prefix: string;
  readonly isRoot: boolean;
  readonly startedAtMs: number;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** Called once, when the listing is complete, with the number of keys that a directory cannot show. */
  readonly onHidden: (count: number, example: string) => void;
}

export class DirectoryListing {
  readonly startedAtMs: number;
  /** The object `prefix` itself, if there is one. */
  marker: ListedObject | undefined;
  /** Counts what this mount did since the listing began. */
  revision = 0;
  /** At which revision somebody last read all of it, if anybody did. */
  readRevision: number | undefined;
  readonly #options: DirectoryListingOptions;
  /** Undefined where an entry was removed. Positions are what readers hold. */
  readonly #entries: (ListedEntry | undefined)[] = [];
  readonly #positions = new Map<string, number>();
  /** The positions from which entries were listed at another time; ascending. */
  readonly #pages: { readonly position: number; readonly listedAtMs: number }[] = [];
  /** Names changed by this mount since the listing began: pages that arrive later do not know better. */
  readonly #ownChanges = new Set<string>();
  #continuationToken: string | undefined;
  #isComplete = false;
  readonly #loading = new SingleFlight<void>();
  #hiddenCount = 0;
  #hiddenExample = '';

  constructor(options: DirectoryListingOptions) {
    this.#options = options;
    this.startedAtMs = options.startedAtMs;
  }

  /** Of the directory's keys. */
  get prefix(): string {
    return this.#options.prefix;
  }

  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** How many positions there are so far, removed ones included. */
  get length(): number {
    return this.#entries.length;
  }

  /** How many entries there are so far. */
  get size(): number {
    return this.#positions.size;
  }

  at(position: number): ListedEntry | undefined {
    return this.#entries[position];
  }

  /** When the bucket was asked for the page that has this entry: a long listing is older at its start than at its end. */
  listedAtMs(name: string): number {
    const position = this.#positions.get(name) ?? 0;
    return this.#pages.findLast((page) => page.position <= position)?.listedAtMs ?? this.startedAtMs;
  }

  get(name: string): ListedEntry | undefined {
    const position = this.#positions.get(name);
    return position === undefined ? undefined : this.#entries[position];
  }

  /** Undefined if there is no such entry so far. */
  positionOf(name: string): number | undefined {
    return this.#positions.get(name);
  }

  /** Records what this mount did: `name` now is this. */
  set(entry: ListedEntry): void {
    this.revision += 1;
    this.#ownChanges.add(entry.name);
    this.#put(entry);
  }

  /** Records what this mount did: `name` is gone. */
  remove(name: string): void {
    this.revision += 1;
    this.#ownChanges.add(name);
    const position = this.#positions.get(name);
    if (position === undefined) return;
    this.#entries[position] = undefined;
    this.#positions.delete(name);
  }

  /** Loads one more page; callers share the request, and the interruption of one does not stop it for others. */
  async loadMore(signal: AbortSignal): Promise<void> {
    if (this.#isComplete) return;
    await abortable(
      this.#loading.run(() => this.#loadPage()),
      signal,
    );
  }

  async #loadPage(): Promise<void> {
    const { store, prefix, now } = this.#options;
    const listedAtMs = now();
    const page = await store.list(
      {
        prefix,
        delimiter: '/',
        ...(this.#continuationToken === undefined ? {} : { continuationToken: this.#continuationToken }),
      },
      AbortSignal.timeout(pageTimeoutMs),
    );
    this.#pages.push({ position: this.#entries.length, listedAtMs });
    for (const object of page.objects) {
      if (object.key === prefix) this.marker = object;
      else this.#addListed({ name: object.key.slice(prefix.length), kind: 'file', object });
    }
    for (const key of page.prefixes) {
      this.#addListed({ name: key.slice(prefix.length, -1), kind: 'directory' });
    }
    this.#continuationToken = page.continuationToken;
    if (page.continuationToken === undefined) {
      this.#isComplete = true;
      if (this.#hiddenCount > 0) this.#options.onHidden(this.#hiddenCount, this.#hiddenExample);
    }
  }

  #addListed(entry: ListedEntry): void {
    if (this.#options.isRoot && entry.name === reservedName) return;
    const known = this.get(entry.name);
    const isShadowed = known?.kind === 'directory' && entry.kind === 'file';
    const shadows = known?.kind === 'file' && entry.kind === 'directory';
    if (!isShowableName(entry.name) || isShadowed || shadows) {
      this.#hiddenCount += 1;
      this.#hiddenExample ||= this.#options.prefix + entry.name;
    }
    if (!isShowableName(entry.name) || isShadowed || this.#ownChanges.has(entry.name)) return;
    this.#put(entry);
  }

  #put(entry: ListedEntry): void {
    const position = this.#positions.get(entry.name);
    if (position !== undefined) {
      this.#entries[position] = entry;
    } else {
      this.#positions.set(entry.name, this.#entries.length);
      this.#entries.push(entry);
    }
  }
}

/** The store has limits of its own; this one only makes sure that a page cannot be waited for without end. */
const pageTimeoutMs = 300_000;
