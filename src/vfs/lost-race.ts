/**
 * Settles a lost race: another client changed or removed the object of a changed file since it was opened here. Or bytes of the file
 * were in another object, or in an upload, that is gone. The version stored first stays, and ours is kept beside it. The caller that
 * stores ours gets an error.
 */
import { hostname } from 'node:os';
import { cleanupSignal } from '../concurrency/abortable.js';
import type { StagedFile } from '../staging/staged-file.js';
import { FsError } from '../errors.js';
import { headersOf } from '../object-headers.js';
import type { ObjectInfo } from '../object-store.js';
import { isSameVersion, type ObjectVersion } from '../object-version.js';
import { asideSuffix, conflictKeyOf } from './conflict-key.js';
import { isLost, isStoreError } from './fs-errors.js';
import type { DirectoryNode, FileNode } from './nodes.js';
import type { StoringParts } from './storing-parts.js';

type LostRaceOptions = Pick<StoringParts, 'store' | 'contents' | 'clock' | 'log'>;

/** Either ours could be stored after all, or it is kept beside, in the directory `keptIn`, and `error` says so. */
type Settlement =
  | { readonly isStored: true; readonly version: ObjectVersion }
  | { readonly isStored: false; readonly error: FsError; readonly keptIn: DirectoryNode };

/** What the bucket has under a key; `refused`: something else than was expected there, which cannot be looked at from here. */
type Present = ObjectInfo | 'refused' | undefined;

/** Theirs, and where a copy of it lies while ours is completed in its place. */
interface Aside {
  readonly theirs: ObjectInfo;
  readonly copy: ObjectInfo;
}

/** How many ranges a log line names. */
const loggedRanges = 50;
/**
 * Limit of a settlement in which keys change hands, which no caller's signal ends: enough for large files. The store has its own
 * limit for each request.
 */
const settlementTimeoutMs = 3_600_000;

const reasonsOf = {
  uploadGone: {
    long: 'somebody aborted the upload of this file, or the server has lost it,',
    short: 'its upload was aborted from outside',
  },
  removed: {
    long: 'another client removed this object after it was opened here',
    short: 'changed by another client',
  },
  refused: {
    long: 'another client has put an object here that this mount may not read or has no key for; that one stays',
    short: 'replaced by what this mount may not read or has no key for',
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
   * To be called under the node's lock, when a commit of `content` rejected with `lost`. An outdated file is always kept beside: its
   * name already leads to something else. `signal` ends the wait only before the settlement has begun to change keys.
   */
  async settle(node: FileNode, content: StagedFile, lost: Error, signal: AbortSignal): Promise<Settlement> {
    const theirs = await this.#find(node.key, node.info?.etag, signal);
    if (node.isOutdated) return await this.#keepBeside(node, content, theirs, lost);
    const { creation } = node;
    const wasThereBefore =
      creation?.replaces === true &&
      isObject(theirs) &&
      this.#leastAgeMs(theirs) >= this.#options.clock.monotonicMs() - creation.atMs;
    // An object that parts are copied from got another version: that has come about since, or the next try tells.
    const isOurs = isObject(theirs) && theirs.etag === node.info?.etag;
    if (theirs !== 'refused' && (isOurs || theirs === undefined || wasThereBefore)) {
      if (!isOurs) node.info = theirs;
      try {
        return { isStored: true, version: await content.commit(signal) };
      } catch (error) {
        if (!isLost(error)) throw error;
      }
    }
    return await this.#keepBeside(node, content, theirs, lost);
  }

  async #keepBeside(node: FileNode, content: StagedFile, theirs: Present, lost: Error): Promise<Settlement> {
    const { log } = this.#options;
    const signal = AbortSignal.timeout(settlementTimeoutMs);
    const time = new Date(this.#nowMs());
    const { maxKeyBytes } = this.#options.store.limits;
    const { key: ownKey, directory: keptIn } = conflictKeyOf({ node, host: hostname(), time, maxKeyBytes });
    const { isUploadGone } = content;
    if (theirs === 'refused' && content.sentTo === node.key) {
      // What was sent can only be completed under this key, and theirs cannot be set aside for that.
      throw new FsError('EACCES', `storing ${node.key}: ${reasonsOf.refused.short}`, { cause: lost });
    }
    const missingBytes = await this.#giveUpLost(content, ownKey, signal);
    if (isObject(theirs) && content.sentTo === node.key) {
      await this.#commitThrough(node, content, theirs, ownKey, signal);
    } else {
      await this.#commitBeside(node, content, ownKey, signal);
    }
    const rest = missingBytes > 0 ? `; ${missingBytes} bytes of it are gone and are zeros` : '';
    const reasons = isUploadGone ? reasonsOf.uploadGone : reasonsFor(theirs);
    log.error(
      { key: node.key, keptAs: ownKey, missingBytes },
      `${reasons.long} and ours is kept under another key${rest}`,
    );
    const message = `storing ${node.key}: ${reasons.short}; ours is kept as ${ownKey}${rest}`;
    const error = new FsError(isUploadGone ? 'EIO' : 'ESTALE', message, { cause: lost });
    return { isStored: false, error, keptIn };
  }

  /**
   * What was to come from objects that are gone, and was not read before, cannot be had any more. Returns how many bytes that
   * concerns.
   */
  async #giveUpLost(content: StagedFile, ownKey: string, signal: AbortSignal): Promise<number> {
    const lost: ObjectVersion[] = [];
    for (const version of content.storedVersions()) {
      const now = await this.#find(version.key, version.etag, signal);
      if (isObject(now) && now.etag === version.etag) continue;
      lost.push(version);
      await stageWhatIsHere(content, version, signal);
    }
    if (lost.length === 0 && !content.isUploadGone) return 0;
    const missing = await content.giveUp(
      (version) => lost.some((other) => isSameVersion(version, other)),
      signal,
    );
    if (missing.length === 0) return 0;
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
    await content.commit(signal, this.#options.contents.placeBeside(node, { key: ownKey }));
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
    const { store, contents, log } = this.#options;
    const asideKey = ownKey + asideSuffix;
    log.warn({ key: node.key, asideKey }, 'the other version is set aside for a moment');
    const { etag } = await store.copy(
      { source: theirs, targetKey: asideKey, headers: headersOf(theirs), condition: {} },
      signal,
    );
    const aside = { theirs, copy: { ...theirs, key: asideKey, etag } };
    const through = { ifMatch: theirs.etag };
    try {
      await content.commit(signal, contents.placeBeside(node, { key: ownKey, through }));
    } finally {
      await this.#putBack(node, content, aside);
    }
  }

  /**
   * Ends what `#commitThrough` has begun, however its commit ended. Theirs comes back only in the place of what was completed for
   * ours, and only if ours is kept elsewhere by then. Otherwise it stays where it was set aside. Never rejects.
   */
  async #putBack(node: FileNode, content: StagedFile, { theirs, copy }: Aside): Promise<void> {
    const { store, log } = this.#options;
    const { key } = node;
    const signal = cleanupSignal();
    try {
      await content.idle(signal); // the completion may still be on its way, though nobody waits for it
      const now = await this.#find(key, undefined, signal);
      const isOurs = isObject(now) && now.etag === node.info?.etag && !content.isDirty;
      if (isOurs)
        await store.copy(
          { source: copy, targetKey: key, headers: headersOf(copy), condition: { ifMatch: now.etag } },
          signal,
        );
      if (isOurs || (isObject(now) && now.etag === theirs.etag)) {
        await store.delete(copy.key, signal);
        return;
      }
      log.error(
        { key, asideKey: copy.key },
        'the version that another client stored is left under another key',
      );
    } catch (error) {
      log.error(
        { key, asideKey: copy.key, err: error },
        'the version that another client stored may be left under another key',
      );
    }
  }

  /** Rejects where it is not known what is there: a refusal of what may still be the version that is expected says nothing. */
  async #find(key: string, expectedEtag: string | undefined, signal: AbortSignal): Promise<Present> {
    const { store } = this.#options;
    try {
      return await store.head(key, signal);
    } catch (error) {
      if (isStoreError(error, 'NotFound')) return undefined;
      if (isStoreError(error, 'WrongCustomerKey', 'PlaintextRefused')) return 'refused';
      if (!isStoreError(error, 'AccessDenied')) throw error;
      const [listed] = (await store.list({ prefix: key, maxKeys: 1 }, signal)).objects;
      if (listed?.key !== key) return undefined; // some servers refuse to say that there is nothing
      if (listed.etag === expectedEtag) throw error;
      return 'refused';
    }
  }

  /**
   * For how long theirs has been there, at least. Of the server's clock and ours only differences are compared: they may tell quite
   * different times. The server's are whole seconds.
   */
  #leastAgeMs({ lastModifiedMs, toldAtMs = this.#nowMs() }: ObjectInfo): number {
    return toldAtMs - lastModifiedMs - 1000;
  }

  #nowMs(): number {
    return Number(this.#options.clock.nowNs() / 1_000_000n);
  }
}

function isObject(present: Present): present is ObjectInfo {
  return typeof present === 'object';
}

function reasonsFor(theirs: Present) {
  if (theirs === 'refused') return reasonsOf.refused;
  return theirs ? reasonsOf.changed : reasonsOf.removed;
}

/** The cache may have some bytes of a version that is gone from the bucket, and all of a small file. */
async function stageWhatIsHere(
  content: StagedFile,
  version: ObjectVersion,
  signal: AbortSignal,
): Promise<void> {
  try {
    await content.stage(version, signal);
  } catch (error) {
    if (!isLost(error)) throw error;
  }
}
