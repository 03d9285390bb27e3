/**
 * The keys of one bucket in the order of their UTF-8 bytes, in memory: about 300 bytes for each object. It is rebuilt from
 * the records at each start.
 */

/** What listings show about an object. */
interface ListedRecord {
  readonly key: string;
  readonly size: number;
  readonly etag: string;
  readonly modifiedMs: number;
}

interface IndexEntry {
  /** The key's UTF-8 bytes, each as one character: JavaScript compares these as S3 compares keys. */
  readonly order: string;
  readonly listed: ListedRecord;
}

export interface KeyPage {
  readonly objects: readonly ListedRecord[];
  readonly prefixes: readonly string[];
  /** The next `after`. Undefined if nothing follows. */
  readonly next: string | undefined;
}

export interface KeyQuery {
  readonly prefix: string;
  /** '' for none. */
  readonly delimiter: string;
  /** Only keys after this one, without the common prefix that it is or lies in. */
  readonly after: string;
  /** The most objects and prefixes together. */
  readonly maxKeys: number;
}

export class KeyIndex {
  /** Sorted by `order`, each key once. */
  #entries: IndexEntry[];

  constructor(records: readonly ListedRecord[]) {
    this.#entries = records.map(entryOf).sort((a, b) => (a.order < b.order ? -1 : 1));
  }

  get size(): number {
    return this.#entries.length;
  }

  set(listed: ListedRecord): void {
    const entry = entryOf(listed);
    const at = this.#firstFrom(entry.order);
    const isKnown = this.#entries[at]?.order === entry.order;
    this.#entries.splice(at, isKnown ? 1 : 0, entry);
  }

  delete(key: string): void {
    const order = orderOf(key);
    const at = this.#firstFrom(order);
    if (this.#entries[at]?.order === order) this.#entries.splice(at, 1);
  }

  has(key: string): boolean {
    const order = orderOf(key);
    return this.#entries[this.#firstFrom(order)]?.order === order;
  }

  list(query: KeyQuery): KeyPage {
    const prefix = orderOf(query.prefix);
    const delimiter = orderOf(query.delimiter);
    const objects: ListedRecord[] = [];
    const prefixes: string[] = [];
    let last = '';
    let at = this.#firstBehind(orderOf(query.after), prefix, delimiter);
    for (;;) {
      const entry = this.#entries[at];
      if (!entry?.order.startsWith(prefix)) return { objects, prefixes, next: undefined };
      if (objects.length + prefixes.length >= query.maxKeys) {
        return { objects, prefixes, next: query.maxKeys > 0 ? keyOf(last) : undefined };
      }
      const common = commonPrefixOf(entry.order, prefix, delimiter);
      if (common === undefined) {
        objects.push(entry.listed);
        last = entry.order;
        at += 1;
      } else {
        prefixes.push(keyOf(common));
        last = common;
        at = this.#firstFrom(orderBehind(common));
      }
    }
  }

  /** For tests. Throws if the order is broken. */
  checkInvariants(): void {
    for (const [at, { order }] of this.#entries.entries()) {
      const before = this.#entries[at - 1];
      if (before !== undefined && before.order >= order) throw new Error(`out of order at ${at}`);
    }
  }

  #firstBehind(after: string, prefix: string, delimiter: string): number {
    if (after < prefix) return this.#firstFrom(prefix);
    const common = after.startsWith(prefix) ? commonPrefixOf(after, prefix, delimiter) : undefined;
    if (common !== undefined) return this.#firstFrom(orderBehind(common));
    return this.#firstFrom(`${after}\u0000`);
  }

  /** The position of the first entry whose order is not less. */
  #firstFrom(order: string): number {
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const entry = this.#entries[middle];
      if (entry !== undefined && entry.order < order) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function commonPrefixOf(order: string, prefix: string, delimiter: string): string | undefined {
  if (delimiter === '') return undefined;
  const at = order.indexOf(delimiter, prefix.length);
  return at === -1 ? undefined : order.slice(0, at + delimiter.length);
}

/** A text that sorts after everything that begins with `prefix`. UTF-8 has no byte 0xff, so it is never part of a key. */
function orderBehind(prefix: string): string {
  return `${prefix}\u00ff`;
}

function entryOf(listed: ListedRecord): IndexEntry {
  return { order: orderOf(listed.key), listed };
}

function orderOf(key: string): string {
  return Buffer.from(key).toString('latin1');
}

function keyOf(order: string): string {
  return Buffer.from(order, 'latin1').toString();
}
