/**
 * Writes the marker objects of directories. Web tools store bytes in keys that end in '/': such a marker is a directory here, and
 * its bytes, which no path can have, stay with it.
 */
import { StoreError } from '../errors.js';
import { headersOf, infoOfHeaders } from '../object-headers.js';
import type { Metadata, ObjectInfo, WriteCondition } from '../object-store.js';
import { isStoreError } from './fs-errors.js';
import type { KnownMarkers } from './known-markers.js';
import type { ObjectRewriter } from './object-rewriter.js';
import { headersOfAttributes, type StoredAttributes } from './stored-attributes.js';
import type { KnownParts } from './known-parts.js';

interface DirectoryMarkersOptions extends Pick<KnownParts, 'store' | 'clock' | 'log'> {
  readonly rewriter: ObjectRewriter;
  /** Told of what is stored, or may be. */
  readonly knownMarkers: Pick<KnownMarkers, 'forget'>;
}

/** How often the mount looks again at a marker that others write at the same time. */
const maxAttempts = 3;
/** Of more keys, the log tells some once more. */
const maxTold = 10_000;

export class DirectoryMarkers {
  readonly #options: DirectoryMarkersOptions;
  readonly #told = new Set<string>();

  constructor(options: DirectoryMarkersOptions) {
    this.#options = options;
  }

  /** Undefined if there is none. Rejects if it may not be read: what it holds must not be written over. */
  async find(key: string, signal: AbortSignal): Promise<ObjectInfo | undefined> {
    try {
      return await this.#options.store.head(key, signal);
    } catch (error) {
      if (isStoreError(error, 'NotFound')) return undefined;
      throw error;
    }
  }

  /** Stores that of a new directory. Rejects if there is one. */
  async make(key: string, attributes: StoredAttributes, signal: AbortSignal): Promise<ObjectInfo> {
    return await this.#store(undefined, key, attributes, { ifNoneMatch: '*' }, signal);
  }

  /** Stores `attributes` with the marker under `key`. `known`: the marker, or that there is none, as far as is known. */
  async write(
    key: string,
    attributes: StoredAttributes,
    known: ObjectInfo | undefined | 'unknown',
    signal: AbortSignal,
  ): Promise<ObjectInfo> {
    let marker = known === 'unknown' ? await this.find(key, signal) : known;
    for (let attempt = 1; ; attempt += 1) {
      try {
        const condition = marker ? { ifMatch: marker.etag } : ({ ifNoneMatch: '*' } as const);
        return await this.#store(marker, key, attributes, condition, signal);
      } catch (error) {
        if (attempt === maxAttempts || !isStoreError(error, 'PreconditionFailed', 'NotFound')) throw error;
        marker = await this.#findAgain(key, marker, signal);
      }
    }
  }

  /** A directory that is gone, its marker and all entries, must not come back by what is stored with it. */
  async #findAgain(
    key: string,
    former: ObjectInfo | undefined,
    signal: AbortSignal,
  ): Promise<ObjectInfo | undefined> {
    const marker = await this.find(key, signal);
    if (marker || !former) return marker;
    const { objects } = await this.#options.store.list({ prefix: key, maxKeys: 1 }, signal);
    if (objects.length === 0) throw new StoreError('NotFound', `put ${key}: the directory was removed`);
    return undefined;
  }

  /** Stores a marker under another key, with the bytes of `source`, if there is one. */
  async move(
    source: ObjectInfo | undefined,
    targetKey: string,
    attributes: StoredAttributes,
    signal: AbortSignal,
  ): Promise<ObjectInfo> {
    return await this.#store(source, targetKey, attributes, {}, signal);
  }

  /** Stores an empty marker again, in the place of the one with this ETag. Its tags are gone. */
  async restore(marker: ObjectInfo, etag: string, signal: AbortSignal): Promise<void> {
    const { store, knownMarkers } = this.#options;
    try {
      await store.put(
        { key: marker.key, body: [], headers: headersOf(marker), condition: { ifMatch: etag } },
        signal,
      );
    } finally {
      knownMarkers.forget(marker.key);
    }
  }

  /** Logs, once for each key, that the key of a directory has content. */
  tell(key: string, size: number): void {
    if (this.#told.has(key)) return;
    if (this.#told.size >= maxTold) this.#told.clear();
    this.#told.add(key);
    this.#options.log.warn(
      { key, size },
      'the key of a directory has content, which no program can see here; it is kept, and the directory cannot be removed',
    );
  }

  async #store(
    source: ObjectInfo | undefined,
    key: string,
    attributes: StoredAttributes,
    condition: WriteCondition,
    signal: AbortSignal,
  ): Promise<ObjectInfo> {
    const { store, rewriter, knownMarkers, clock } = this.#options;
    const size = source?.size ?? 0;
    if (source && size > 0) this.tell(source.key, size);
    const ofDirectory = headersOfAttributes(attributes, source);
    const ofContent = source?.contentType === undefined ? {} : { contentType: source.contentType };
    const headers = size > 0 ? { ...ofDirectory, ...ofContent } : ofDirectory;
    try {
      const { etag } = source
        ? await rewriter.copy({ source, targetKey: key, headers, condition }, signal)
        : await store.put({ key, body: [], headers, condition }, signal);
      const lastModifiedMs = Number(clock.nowNs() / 1_000_000n);
      return { key, etag, size, lastModifiedMs, ...infoOfHeaders(headers), isEncrypted: true };
    } finally {
      knownMarkers.forget(key); // also after a failure: the server may have stored it, or have what others stored
    }
  }
}

/** `attributes` with other metadata added. */
export function withMetadata(attributes: StoredAttributes, added: Metadata): StoredAttributes {
  return { ...attributes, otherMetadata: { ...attributes.otherMetadata, ...added } };
}
