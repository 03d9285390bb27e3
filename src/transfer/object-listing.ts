/** Streams the entries of listings of any length. Requests the next page while the caller works on one. */
import type { ListedObject, ListPage, ObjectStore } from '../object-store.js';

export type ListingEntry =
  { readonly object: ListedObject } | { readonly object?: undefined; readonly prefix: string };

interface ListingOptions {
  /** Everything below the prefix, instead of only what is directly in it. */
  readonly isRecursive: boolean;
}

/**
 * What is at `prefix`, which is '' or ends in '/': everything below it, after the object of that name without the '/', if there
 * is one. Not in the order of keys where common prefixes stand between objects: those come first in each page.
 */
export async function* listEntries(
  store: ObjectStore,
  prefix: string,
  { isRecursive }: ListingOptions,
  signal: AbortSignal,
): AsyncGenerator<ListingEntry> {
  if (prefix !== '') {
    const name = prefix.slice(0, -1);
    const { objects } = await store.list({ prefix: name, maxKeys: 1 }, signal);
    if (objects[0]?.key === name) yield { object: objects[0] };
  }
  const load = (continuationToken?: string): Promise<ListPage> =>
    store.list(
      {
        prefix,
        ...(!isRecursive && { delimiter: '/' as const }),
        ...(continuationToken !== undefined && { continuationToken }),
      },
      signal,
    );
  for (let loading: Promise<ListPage> | undefined = load(); loading !== undefined;) {
    const page: ListPage = await loading;
    loading = page.continuationToken === undefined ? undefined : load(page.continuationToken);
    loading?.catch(() => undefined); // awaited later, or never if the reader stops
    for (const common of page.prefixes) yield { prefix: common };
    for (const object of page.objects) yield { object };
  }
}

/** Only the objects, all of them. */
export async function* listObjects(
  store: ObjectStore,
  prefix: string,
  signal: AbortSignal,
): AsyncGenerator<ListedObject> {
  for await (const entry of listEntries(store, prefix, { isRecursive: true }, signal)) {
    if (entry.object !== undefined) yield entry.object;
  }
}
