/** Copies what is under a file's name, whatever version of it is there by now: the name is to be removed afterwards. */
import { FsError } from '../errors.js';
import type { ObjectInfo, WriteCondition } from '../object-store.js';
import type { CopiedObject } from './file-contents.js';
import { isStoreError } from './fs-errors.js';
import { mergeAttributes } from './merged-attributes.js';
import { isSameObject } from './object-rewriter.js';
import { attributesOfObject, headersOfAttributes, type StoredAttributes } from './stored-attributes.js';
import type { StoringParts } from './storing-parts.js';

type LatestCopyOptions = Pick<StoringParts, 'resolver' | 'rewriter' | 'defaults' | 'clock'>;

/** What is to be copied, as far as it is known. */
interface CopyOrder {
  readonly info: ObjectInfo;
  readonly attributes: StoredAttributes;
  readonly newKey: string;
  /** Nothing is replaced under the new key. */
  readonly noReplace: boolean;
}

export interface CopiedFile extends CopiedObject {
  readonly from: ObjectInfo;
  /** What the copy has. */
  readonly attributes: StoredAttributes;
}

/** There is nothing under the name that was to be renamed, at least no file. */
export class SourceGone extends FsError {
  constructor(key: string) {
    super('ENOENT', `rename ${key}: gone`);
  }
}

/** How often what another client changes meanwhile is looked at anew. */
const maxAttempts = 5;

/**
 * Resolves with what is under the key when the copy is complete: another version that somebody stores meanwhile is copied again.
 * Rejects with SourceGone, EEXIST, EBUSY, or a StoreError.
 */
export async function copyLatest(
  { resolver, rewriter, defaults, clock }: LatestCopyOptions,
  { info: known, attributes: given, newKey, noReplace }: CopyOrder,
  signal: AbortSignal,
): Promise<CopiedFile> {
  const { key } = known;
  let condition: WriteCondition = noReplace ? { ifNoneMatch: '*' } : {};
  let from = known;
  let attributes = given;
  let copied: CopiedFile | undefined;
  for (let attempt = 0; attempt < maxAttempts; attempt += 1) {
    attributes = { ...attributes, ctimeNs: clock.nowNs() };
    const headers = headersOfAttributes(attributes, from);
    try {
      const { etag } = await rewriter.copy({ source: from, targetKey: newKey, headers, condition }, signal);
      copied = { from, to: { key: newKey, etag, size: from.size }, headers, attributes };
      if (noReplace) condition = { ifMatch: etag };
    } catch (error) {
      if (!isStoreError(error, 'PreconditionFailed', 'NotFound')) throw error;
    }
    const now = await resolver.headIfExists(key, signal);
    if (!now && !copied) throw new SourceGone(key);
    if (copied && (!now || isSameObject(now, copied.from))) return copied;
    if (!now) break;
    if (noReplace && isSameObject(now, from)) throw new FsError('EEXIST', `rename to ${newKey}: exists`);
    const base = attributesOfObject(from, false, defaults);
    attributes = mergeAttributes(base, attributes, attributesOfObject(now, false, defaults));
    from = now;
  }
  throw new FsError('EBUSY', `rename ${key}: other clients change it all the time`);
}
