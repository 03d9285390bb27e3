/**
 * What becomes of a changed file whose object somebody else changed or removed since it was opened here, or whose bytes
 * were to be copied from an object, or are in an upload, that is gone: the version stored first stays, ours is kept beside
 * it, whoever stores ours hears of it.
 */
import { hostname } from 'node:os';
import { isSameVersion } from '../cache/version-map.js';
import type { StagedFile } from '../cache/staged-file.js';
import { FsError } from '../errors.js';
import type { Log } from '../log.js';
import type { ObjectHeaders, ObjectInfo, ObjectStore } from '../object-store.js';
import type { ObjectVersion } from '../object-version.js';
import type { Clock } from '../clock.js';
import { asideSuffix, conflictKeyOf } from './conflict-key.js';
import { isStoreError } from './fs-errors.js';
import type { DirectoryNode, FileNode } from './nodes.js';

export interface LostRaceOptions {
  readonly store: ObjectStore;
  readonly clock: Clock;
  readonly log: Log;
}

/** Either ours could be stored after all, or it is kept beside, in the directory `keptIn`, and `error` says so. */
export type Settlement =
  | { readonly isStored: true; readonly version: ObjectVersion }
  | { readonly isStored: false; readonly error: FsError; readonly keptIn: DirectoryNode };

/** Theirs, and where a copy of it lies while ours is completed in its place. */
interface Aside {
  readonly theirs: ObjectInfo;
  readonly headers: ObjectHeaders;
  readonly copy: ObjectInfo;
}

/** How many of the ranges that could be kept a log line names. */
const loggedRanges = 50;
/**
 * Of a settlement in which keys change hands, which no caller's signal ends: enough for large files. The store's own limits hold
 * for each request.
 */
const settlementTimeoutMs = 3_600_000;
const cleanupTimeoutMs = 60_000;

const reasonsOf = {
  uploadGone: {
    long: 'somebody aborted the upload of this file, or the server has lost it,',
    short: 'its upload was aborted from outside',
  },
  removed: {
    long: 'another client removed this object after it was opened here',
    short: 'changed by another client',
  },
  changed: {
    long: 'another client changed this object, or one that was copied from, after it was opened here; its version stays',
    short: 'changed by another client',
  },
} as const;

export class LostRace {
  readonly #options: LostRaceOptions;

  constructor(options: LostRaceOptions) {
    this.#options = options;
  }

  /**
   * To be called under the node's lock, when a commit of `content` rejected with `lost`. What is outdated, which whoever looks
   * its name up finds to be something else already, is kept beside in any case. `signal` ends it only as long as it has not begun to.
   */
  async settle(node: FileNode, content: StagedFile, lost: Error, signal: AbortSignal): Promise<Settlement> {
    const theirs = await this.#headOf(node.key, signal);
    if (node.isOutdated) return await this.#keepBeside(node, content, theirs, lost);
    const { creation } = node;
    const wasThereBefore =
      creation?.replaces === true && theirs !== undefined && theirs.lastModifiedMs + 1000 <= creation.atMs;
    // An object that parts are copied from got another version: that has come about since, or the next try tells.
    const isOurs = theirs !== undefined && theirs.etag === node.info?.etag;
    if (isOurs || theirs === undefined || wasThereBefore) {
      if (!isOurs) node.info = theirs;
      try {
        return { isStored: true, version: await content.commit(signal) };
      } catch (error) {
        if (!isLost(error)) throw error;
      }
    }
    return await this.#keepBeside(node, content, theirs, lost);
  }

  async #keepBeside(
    node: FileNode,
    content: StagedFile,
    theirs: ObjectInfo | undefined,
    lost: Error,
  ): Promise<Settlement> {
    const { log } = this.#options;
    const signal = AbortSignal.timeout(settlementTimeoutMs);
    const time = new Date(this.#nowMs());
    const { maxKeyBytes } = this.#options.store.limits;
    const { key: ownKey, directory: keptIn } = conflictKeyOf({ node, host: hostname(), time, maxKeyBytes });
    const { isUploadGone } = content;
    const missingBytes = await this.#giveUpLost(content, ownKey, signal);
    if (theirs !== undefined && content.sentTo === node.key) {
      await this.#commitThrough(node, content, theirs, ownKey, signal);
    } else {
      await this.#commitBeside(node, content, ownKey, signal);
    }
    const rest = missingBytes > 0 ? `; ${missingBytes} bytes of it are gone and are zeros` : '';
    const reasons = isUploadGone ? reasonsOf.uploadGone : theirs ? reasonsOf.changed : reasonsOf.removed;
    log.error(
      { key: node.key, keptAs: ownKey, missingBytes },
      `${reasons.long} and ours is kept under another key${rest}`,
    );
    const message = `storing ${node.key}: ${reasons.short}; ours is kept as ${ownKey}${rest}`;
    const error = new FsError(isUploadGone ? 'EIO' : 'ESTALE', message, { cause: lost });
    return { isStored: false, error, keptIn };
  }

  /** What was to come from objects that are gone cannot be had any more. Returns how many bytes that concerns. */
  async #giveUpLost(content: StagedFile, ownKey: string, signal: AbortSignal): Promise<number> {
    const lost: ObjectVersion[] = [];
    for (const version of content.storedVersions()) {
      const now = await this.#headOf(version.key, signal);
      if (now?.etag !== version.etag) lost.push(version);
    }
    if (lost.length === 0 && !content.isUploadGone) return 0;
    const missing = await content.giveUp(
      (version) => lost.some((other) => isSameVersion(version, other)),
      signal,
    );
    this.#options.log.error(
      { keptAs: ownKey, missing: missing.slice(0, loggedRanges), ranges: missing.length },
      'these ranges were in objects or an upload that are gone from the bucket',
    );
    return missing.reduce((sum, { length }) => sum + length, 0);
  }

  async #commitBeside(
    node: FileNode,
    content: StagedFile,
    ownKey: string,
    signal: AbortSignal,
  ): Promise<void> {
    node.detour = { key: ownKey };
    try {
      await content.commit(signal);
    } finally {
      node.detour = undefined;
    }
  }

  /**
   * Parts that were sent while the file was written can only be completed under the file's own key. So theirs is set aside
   * for that moment. After a crash in between it is found under the key that was logged.
   */
  async #commitThrough(
    node: FileNode,
    content: StagedFile,
    theirs: ObjectInfo,
    ownKey: string,
    signal: AbortSignal,
  ): Promise<void> {
    const { store, log } = this.#options;
    const asideKey = ownKey + asideSuffix;
    const headers: ObjectHeaders = {
      metadata: theirs.metadata,
      ...(theirs.contentType === undefined ? {} : { contentType: theirs.contentType }),
    };
    log.warn({ key: node.key, asideKey }, 'the other version is set aside for a moment');
    const { etag } = await store.copy(theirs, asideKey, headers, {}, signal);
    const aside = { theirs, headers, copy: { ...theirs, key: asideKey, etag } };
    node.detour = { key: ownKey, through: { ifMatch: theirs.etag } };
    try {
      await content.commit(signal);
    } finally {
      node.detour = undefined;
      await this.#putBack(node, content, aside);
    }
  }

  /**
   * Ends what `#commitThrough` has begun, however its commit ended. Theirs comes back only in the place of what was completed for
   * ours, and only if ours is kept elsewhere by then. Otherwise it stays where it was set aside. Never rejects.
   */
  async #putBack(node: FileNode, content: StagedFile, { theirs, headers, copy }: Aside): Promise<void> {
    const { store, log } = this.#options;
    const { key } = node;
    const signal = AbortSignal.timeout(cleanupTimeoutMs);
    try {
      await content.idle(signal); // the completion may still be on its way, though nobody waits for it
      const now = await this.#headOf(key, signal);
      const isOurs = now !== undefined && now.etag === node.info?.etag && !content.isDirty;
      if (isOurs) await store.copy(copy, key, headers, { ifMatch: now.etag }, signal);
      if (isOurs || now?.etag === theirs.etag) {
        await store.delete(copy.key, signal);
        return;
      }
      log.error(
        { key, asideKey: copy.key },
        'the version that another client stored is left under another key',
      );
    } catch (error) {
      log.error(
        { key, asideKey: copy.key, error },
        'the version that another client stored may be left under another key',
      );
    }
  }

  async #headOf(key: string, signal: AbortSignal): Promise<ObjectInfo | undefined> {
    try {
      return await this.#options.store.head(key, signal);
    } catch (error) {
      if (isStoreError(error, 'NotFound')) return undefined;
      throw error;
    }
  }

  #nowMs(): number {
    return Number(this.#options.clock.nowNs() / 1_000_000n);
  }
}

/**
 * Whether a commit failed because the object, or one that parts are copied from, is not what it was, or because the upload
 * is gone that had a part of the bytes.
 */
export function isLost(error: unknown): error is Error {
  return isStoreError(error, 'PreconditionFailed', 'NotFound', 'NoSuchUpload');
}
