/** Fetches an object, or everything below a prefix, into a local tree. */
import { Limiter } from '../concurrency/limiter.js';
import { joinPieces, type ListedObject, type ObjectStore } from '../object-store.js';
import { maxLinkBytes, typeSymlink } from '../vfs/modes.js';
import { reservedName } from '../vfs/names.js';
import {
  attributesOfObject,
  type AttributeDefaults,
  type StoredAttributes,
} from '../vfs/stored-attributes.js';
import { DirectoryNames } from './directory-names.js';
import { EtagKnowledge, fetchInto } from './get-object.js';
import type { LocalTree } from './local-tree.js';
import { listObjects } from './object-listing.js';
import { forEachLimited } from '../concurrency/for-each-limited.js';
import { maxBytesInFlight, parallelParts } from './part-plan.js';
import type { Progress, TransferSummary } from './progress.js';
import { lastingFailure, messageOfOneFailure, TransferError } from './transfer-error.js';

interface GetAllOptions {
  readonly store: ObjectStore;
  /** '' or ending in '/': everything below it, and the object of that name without the '/'. */
  readonly prefix: string;
  readonly tree: LocalTree;
  /** Of objects that carry no mode. */
  readonly defaults: AttributeDefaults;
  readonly concurrency: number;
  readonly progress: Progress;
  readonly summary: TransferSummary;
  readonly onFailure: (message: string) => void;
}

/** Rejects only with what concerns every file; with a `TransferError` if there is nothing at `prefix`. */
export async function getAll(options: GetAllOptions, signal: AbortSignal): Promise<void> {
  await new TreeGetter(options, signal).run();
}

/** An object and its outcome. */
interface Fetch {
  readonly object: ListedObject;
  /** Set when the work on it begins. */
  done?: Promise<void>;
  /** Undefined if it failed. */
  outcome?: 'transferred' | 'already';
}

class TreeGetter {
  readonly #options: GetAllOptions;
  readonly #signal: AbortSignal;
  readonly #limiter = new Limiter({ maxTasks: parallelParts, maxBytes: maxBytesInFlight });
  readonly #etags = new EtagKnowledge();
  /** Made last, so that nothing is written through them. */
  readonly #links: { readonly relative: string; readonly target: string }[] = [];
  /** Get their attributes after everything in them: writing changes their times and may need permissions that they lack. */
  readonly #directories: { readonly relative: string; readonly attributes: StoredAttributes }[] = [];

  constructor(options: GetAllOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
  }

  async run(): Promise<void> {
    const { concurrency, progress, prefix, tree } = this.#options;
    await forEachLimited(this.#fetches(), { limit: concurrency }, (fetch) => this.#get(fetch));
    if (progress.objectsFound === 0) throw new TransferError(`there is nothing at ${JSON.stringify(prefix)}`);
    for (const { relative, target } of this.#links) {
      await this.#countingFailure(relative, () => tree.makeLink(relative, target));
    }
    this.#directories.sort((a, b) => b.relative.length - a.relative.length);
    for (const { relative, attributes } of this.#directories) {
      await this.#countingFailure(relative, () => tree.finishDirectory(relative, attributes));
    }
  }

  async *#fetches(): AsyncGenerator<Fetch> {
    const { store, prefix, progress } = this.#options;
    const names = new DirectoryNames<Fetch>();
    for await (const object of listObjects(store, prefix, this.#signal)) {
      if (object.key.startsWith(`${prefix}${reservedName}/`)) continue; // reserved by mounts, which hide it too
      progress.find(object.size);
      const fetch: Fetch = { object };
      for (const shadowed of names.add(object.key, fetch)) await this.#giveWay(shadowed);
      yield fetch;
    }
    progress.isListed = true;
  }

  #get(fetch: Fetch): Promise<void> {
    fetch.done = this.#getCounted(fetch);
    return fetch.done;
  }

  async #getCounted(fetch: Fetch): Promise<void> {
    const { object } = fetch;
    const { progress } = this.#options;
    let received = 0;
    const onBytes = (bytes: number): void => {
      received += bytes;
      progress.bytesDone += bytes;
    };
    await this.#countingFailure(object.key, async () => {
      fetch.outcome = (await this.#place(object, onBytes)) ? 'transferred' : 'already';
      this.#count(fetch.outcome, object, 1);
    });
    progress.objectsDone += 1;
    progress.bytesDone += Math.max(0, object.size - received);
  }

  /** Removes a fetched file whose name is also that of a directory: a mount shows the directory too. */
  async #giveWay(fetch: Fetch): Promise<void> {
    await fetch.done;
    const { object, outcome } = fetch;
    if (outcome === undefined) return; // reported already
    this.#count(outcome, object, -1);
    await this.#countingFailure(object.key, async () => {
      const relative = this.#relativeOf(object.key);
      const link = this.#links.findIndex((each) => each.relative === relative);
      if (link >= 0) this.#links.splice(link, 1);
      else await this.#options.tree.removeFile(relative);
      throw new TransferError(`${object.key}: it has the name of a directory, and is left out`);
    });
  }

  #count(outcome: 'transferred' | 'already', { size }: ListedObject, step: 1 | -1): void {
    const { summary } = this.#options;
    summary[outcome] += step;
    if (outcome === 'transferred') summary.transferredBytes += step * size;
  }

  /** Resolves with false if it is there already. */
  async #place({ key }: ListedObject, onBytes: (bytes: number) => void): Promise<boolean> {
    const { store, tree, defaults } = this.#options;
    const isDirectory = key.endsWith('/');
    const relative = this.#relativeOf(isDirectory ? key.slice(0, -1) : key);
    tree.pathOf(relative);
    const info = await store.head(key, this.#signal);
    const attributes = attributesOfObject(info, isDirectory, defaults);
    if (isDirectory) {
      if (info.size > 0) throw new TransferError(`${key}: a directory cannot have content; it is left out`);
      await tree.makeDirectory(relative);
      this.#directories.push({ relative, attributes });
      return true;
    }
    if (attributes.type === typeSymlink) {
      if (info.size > maxLinkBytes) throw new TransferError(`${key}: too long for a symbolic link`);
      const bytes = joinPieces(
        (await store.get({ key, ifMatch: info.etag, maxBytes: info.size }, this.#signal)).pieces,
      );
      this.#links.push({ relative, target: Buffer.from(bytes).toString() });
      return true;
    }
    if (await tree.hasFile(relative, info.size, attributes)) return false;
    const tools = { store, limiter: this.#limiter, etags: this.#etags, onBytes };
    await tree.writeFile(relative, attributes, (file) => fetchInto(file, info, tools, this.#signal));
    return true;
  }

  #relativeOf(key: string): string {
    const { prefix } = this.#options;
    return key.startsWith(prefix) ? key.slice(prefix.length) : '';
  }

  async #countingFailure(what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const message = messageOfOneFailure(error);
      if (message === undefined) throw lastingFailure(error, `get ${what}`);
      this.#options.summary.failed += 1;
      this.#options.onFailure(message);
    }
  }
}
