/** Stores other attributes with an object, whatever version of it is there by now. */
import type { ObjectHeaders, ObjectInfo } from '../object-store.js';
import type { ObjectVersion } from '../object-version.js';
import { isStoreError } from './fs-errors.js';
import { mergeAttributes } from './merged-attributes.js';
import { isSameObject } from './object-rewriter.js';
import { attributesOfObject, headersOfAttributes, type StoredAttributes } from './stored-attributes.js';
import type { StoringParts } from './storing-parts.js';

type AttributeCopyOptions = Pick<StoringParts, 'store' | 'rewriter' | 'defaults'>;

interface AttributeCopy {
  /** What was copied: `known`, or what another client has stored since. */
  readonly from: ObjectInfo;
  readonly to: ObjectVersion;
  readonly headers: ObjectHeaders;
  /** What it has now. */
  readonly attributes: StoredAttributes;
}

/** How often what other clients change meanwhile is looked at anew. */
const maxAttempts = 5;

/**
 * `attributes`: those of `known`, changed. The changes are made to what the object has now, since others may have changed the rest:
 * also where the ETag is the same, which on Ceph tells of the bytes only. Rejects with a StoreError, `NotFound` if the object is gone.
 */
export async function copyWithAttributes(
  { store, rewriter, defaults }: AttributeCopyOptions,
  known: ObjectInfo,
  attributes: StoredAttributes,
  signal: AbortSignal,
): Promise<AttributeCopy> {
  const shown = (info: ObjectInfo) => attributesOfObject(info, false, defaults);
  let from = await store.head(known.key, signal);
  for (let attempt = 1; ; attempt += 1) {
    const wanted = isSameObject(from, known)
      ? attributes
      : mergeAttributes(shown(known), attributes, shown(from));
    const headers = headersOfAttributes(wanted, from);
    try {
      const { etag } = await rewriter.copy(
        { source: from, targetKey: from.key, headers, condition: { ifMatch: from.etag } },
        signal,
      );
      return { from, to: { key: from.key, etag, size: from.size }, headers, attributes: wanted };
    } catch (error) {
      if (!isStoreError(error, 'PreconditionFailed', 'NotFound') || attempt === maxAttempts) throw error;
      const now = await store.head(from.key, signal);
      if (isSameObject(now, from)) throw error;
      from = now;
    }
  }
}
