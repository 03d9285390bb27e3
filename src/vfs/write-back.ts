/**
 * Puts into the bucket what it lacks: the content of files, the attributes of everything. Stores on demand (close,
 * fsync, rename), after a short delay (attributes, so that chmod, chown and utimens cost one copy together), and again
 * after a failure: what could not be stored is kept and retried, never dropped.
 */
import type { ObjectInfoCache } from './object-info-cache.js';
import type { BlockReader } from '../cache/block-reader.js';
import type { StagedFile } from '../staging/staged-file.js';
import { FsError, StoreError } from '../errors.js';
import type { Log } from '../log.js';
import type { ObjectHeaders, ObjectStore } from '../object-store.js';
import type { ObjectVersion } from '../object-version.js';
import type { Clock } from '../clock.js';
import { copyWithAttributes } from './attribute-copy.js';
import type { Pending } from '../mount-statistics.js';
import { countOf } from '../units.js';
import type { DirectoryMarkers } from './directory-markers.js';
import { Drain, type Scope } from './drain.js';
import type { FileContents } from './file-contents.js';
import { isLost, isTransient, toFsError } from './fs-errors.js';
import type { InodeTable } from './inode-table.js';
import { LostRace } from './lost-race.js';
import { moveAbove, whileInPlace } from './moves.js';
import type { DirectoryNode, FileNode, Node } from './nodes.js';
import { abortable } from '../concurrency/abortable.js';
import type { ObjectRewriter } from './object-rewriter.js';
import { isBeingWritten, isLeftOver, isPending } from './pending.js';
import { StoreFailures } from './store-failures.js';
import type { StoredRecords } from './stored-records.js';
import { supersede } from './supersede.js';
import {
  attributesOfObject,
  headersOfAttributes,
  type AttributeDefaults,
  withTimeOfWrite,
  type StoredAttributes,
} from './stored-attributes.js';

interface WriteBackOptions {
  readonly store: ObjectStore;
  readonly reader: BlockReader;
  readonly rewriter: ObjectRewriter;
  readonly markers: DirectoryMarkers;
  readonly infos: ObjectInfoCache;
  readonly inodes: InodeTable;
  readonly contents: FileContents;
  readonly records: StoredRecords;
  readonly defaults: AttributeDefaults;
  /** How long changed attributes of stored objects wait for further changes. */
  readonly attributeDelayMs: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** One attempt in the background; the store's own retries and timeouts are within it. */
const attemptTimeoutMs = 3_600_000;

export class WriteBack {
  readonly #options: WriteBackOptions;
  /** What cancels the timer; it may have ended where the node is in `#running`. */
  readonly #scheduled = new Map<Node, () => void>();
  readonly #running = new Set<Node>();
  readonly #lostRace: LostRace;
  readonly #drain: Drain;
  readonly #failures: StoreFailures;
  #isStopped = false;
  #isGivenUp = false;
  #lostCount = 0;

  constructor(options: WriteBackOptions) {
    this.#options = options;
    this.#lostRace = new LostRace(options);
    this.#failures = new StoreFailures(options.log);
    this.#drain = new Drain({
      pendingNodes: () => this.#pendingNodes(),
      store: (node, signal, scope) => this.#storeOrRevert(node, signal, scope),
      delayMsOf: (node) => this.#failures.delayMsOf(node),
      clock: options.clock,
      log: options.log,
    });
  }

  /** Everything that the bucket lacks. */
  pending(): Pending[] {
    return this.#pendingNodes().map((node) => ({ path: node.key, reason: this.#failures.reasonFor(node) }));
  }

  /** Resolves when the bucket has everything of this node. Rejects with an FsError; what is not stored is kept. */
  async store(node: Node, signal: AbortSignal): Promise<void> {
    await this.#store(node, signal, 'everything');
  }

  async #store(node: Node, signal: AbortSignal, what: Scope): Promise<void> {
    const storeUnlessMoving = async () => {
      if (moveAbove(node)) return false;
      try {
        await this.storeLocked(node, signal, what);
      } finally {
        await this.letGo(node);
      }
      return true;
    };
    try {
      for (let isDone = false; !isDone;) {
        await this.waitForMoves(node, signal);
        // Not only the wait for the lock: a lost race is settled to its end, also if nobody waits for that any more.
        isDone = await abortable(node.lock.run(storeUnlessMoving, signal), signal);
      }
    } catch (error) {
      throw toFsError(error, `storing ${node.key}`);
    }
  }

  /** As `store`, for a caller that holds the node's lock. */
  async storeLocked(node: Node, signal: AbortSignal, what: Scope = 'everything'): Promise<void> {
    if (node.isRemoved && !isLeftOver(node)) {
      this.cancel(node);
      return;
    }
    if (this.#isGivenUp) throw givenUpError(node);
    this.#failures.begin(node);
    try {
      if (node.isUnreadable) throw new FsError('EACCES', `${node.key}: what is shown of it is made up`);
      if (node.kind === 'directory') {
        if (node.hasUnstoredAttributes) await this.putMarker(node, signal);
      } else {
        const { changes } = node; // of which the bytes are staged
        const isIncluded = what === 'everything' || !isBeingWritten(node);
        if (node.hasUnstoredContent && isIncluded) await this.#commit(node, signal);
        if (node.hasUnstoredAttributes && !node.hasUnstoredContent) {
          await whileInPlace(node, signal, () => this.#copyForAttributes(node, signal));
        }
        if (isIncluded) node.storedChanges = changes;
      }
    } catch (error) {
      if (this.#hasGivenUp()) throw givenUpError(node, error);
      const failure = toFsError(error, `storing ${node.key}`);
      if (!signal.aborted && isPending(node)) this.#failures.record(node, failure);
      throw failure;
    } finally {
      this.#failures.end(node);
    }
    if (!isPending(node)) this.#failures.forget(node);
    this.#unschedule(node);
    // Changed again meanwhile. What is being written is left to its close.
    if (isPending(node) && !isBeingWritten(node)) this.#schedule(node, this.#options.attributeDelayMs);
  }

  /** The compiler takes what was false before a wait for false afterwards. */
  #hasGivenUp(): boolean {
    return this.#isGivenUp;
  }

  /** Changed attributes go to the bucket soon; further changes until then cost nothing. */
  scheduleAttributes(node: Node): void {
    node.hasUnstoredAttributes = true;
    // A changed file takes them along when it is stored.
    if (node.kind === 'file' && node.hasUnstoredContent) return;
    if (!this.#scheduled.has(node)) this.#schedule(node, this.#options.attributeDelayMs);
  }

  /** Nobody waits any more for what is left in this file: store it in the background. */
  scheduleContent(node: FileNode): void {
    this.#schedule(node, 0);
  }

  /** Nothing of this node is to be stored any more: it was removed, or is as the bucket has it. */
  cancel(node: Node): void {
    node.hasUnstoredAttributes = false;
    this.#failures.forget(node);
    this.#unschedule(node);
  }

  /** Stores everything, and keeps trying while the server fails. Rejects if something is given up. */
  async drain(signal: AbortSignal): Promise<void> {
    await this.#drain.untilEmpty(signal);
    if (this.#lostCount > 0)
      throw new FsError('EIO', `${countOf(this.#lostCount, 'file')} could not be stored in the bucket`);
  }

  /** Stores once what is pending now, or of that what is closed; keeps trying as `drain` does. */
  async storeAll(scope: Scope, signal: AbortSignal): Promise<void> {
    await this.#drain.once(scope, signal);
  }

  /**
   * What is not stored is given up: whoever waits for it, or asks for it from now on, hears of an error. Resolves when nothing of
   * it is on its way and the uploads are aborted.
   */
  async giveUp(): Promise<void> {
    this.#lostCount += this.#pendingNodes().length;
    this.#isGivenUp = true;
    this.stop();
    await this.#options.contents.discardAll();
  }

  /** Ends the timers. */
  stop(): void {
    this.#isStopped = true;
    for (const node of [...this.#scheduled.keys()]) this.#unschedule(node);
  }

  /** For tests: what the bucket lacks is stored by somebody, sooner or later. */
  checkInvariants(): void {
    for (const node of this.#pendingNodes()) {
      const isCaredFor = this.#scheduled.has(node) || this.#running.has(node) || isBeingWritten(node);
      // Of one that is pinned or locked it is seen to afterwards.
      if (isCaredFor || node.pins > 0 || node.lock.isBusy || this.#isStopped) continue;
      throw new Error(`${node.key}: the bucket lacks something of it, and nobody will store that`);
    }
  }

  /** Stores the marker object of a directory, with its attributes. */
  async putMarker(directory: DirectoryNode, signal: AbortSignal): Promise<void> {
    const { attributes, key, marker } = directory;
    if (key === '') {
      directory.hasUnstoredAttributes = false; // the bucket itself has nowhere to keep them
      return;
    }
    const known = marker === 'inaccessible' ? 'unknown' : marker; // it is asked for again
    const stored = await this.#options.markers.write(key, attributes, known, signal);
    this.#options.records.recordMarker(directory, stored, attributes);
  }

  /** The same for a new directory. Rejects with a StoreError, `PreconditionFailed`, if another client has made it. */
  async makeMarker(directory: DirectoryNode, signal: AbortSignal): Promise<void> {
    const { attributes, key } = directory;
    const made = await this.#options.markers.make(key, attributes, signal);
    this.#options.records.recordMarker(directory, made, attributes);
  }

  /** Waits while a directory above is being renamed. */
  async waitForMoves(node: Node, signal: AbortSignal): Promise<void> {
    for (let move = moveAbove(node); move; move = moveAbove(node)) await abortable(move.done, signal);
  }

  /**
   * Frees what nobody needs any more: the staged content of a file, and the node. To be called wherever the last reason for one
   * of them to stay may have gone.
   */
  async letGo(node: Node): Promise<void> {
    if (!isPending(node)) this.cancel(node);
    if (node.kind === 'file') await this.closeUnused(node);
    this.#options.inodes.release(node);
  }

  /** Frees the staged content that nobody needs any more, and leaves the node to whoever is about to hand it out. */
  async closeUnused(node: FileNode): Promise<void> {
    const { content } = node;
    if (content && !this.#needsContent(node, content)) await this.#options.contents.close(node);
  }

  #needsContent(node: FileNode, content: StagedFile): boolean {
    if (node.handles.size > 0) return true;
    if (node.pins > (this.#scheduled.has(node) ? 1 : 0)) return true; // of somebody who lets go of it afterwards
    return content.isDirty && (!node.isRemoved || node.isOutdated);
  }

  async #commit(node: FileNode, signal: AbortSignal): Promise<void> {
    const { content } = node;
    if (!content) return;
    let version: ObjectVersion;
    try {
      if (node.isOutdated) throw new StoreError('PreconditionFailed', `${node.key}: replaced or removed`);
      version = await content.commit(signal);
    } catch (error) {
      if (!isLost(error)) throw error;
      version = await this.#settleLostRace(node, content, error, signal);
    }
    // Most are recorded in the moment in which they are stored, with the headers that they have.
    if (node.info?.etag !== version.etag || node.info.key !== version.key) {
      this.#options.records.recordFile(
        node,
        version,
        headersOfAttributes(node.sentAttributes ?? node.attributes, node.info),
      );
    }
    node.hasUnstoredAttributes = node.attributes !== node.sentAttributes;
    await this.#learnTimes(node, signal);
  }

  /** What was stored without times shows when that was, which the server knows. Never rejects. */
  async #learnTimes(node: FileNode, signal: AbortSignal): Promise<void> {
    const { store, infos, defaults, log } = this.#options;
    if (node.info === undefined || node.info.metadata['mtime'] !== undefined) return;
    if (node.hasUnstoredAttributes) return;
    try {
      const told = await store.head(node.key, signal);
      const info = withTimeOfWrite(told, node.attributes.mtimeNs);
      if (info.etag !== node.info.etag || node.attributes !== node.sentAttributes) return;
      infos.set(info);
      node.info = info;
      node.attributes = attributesOfObject(info, false, defaults);
      node.sentAttributes = node.attributes;
    } catch (error) {
      log.debug(
        { key: node.key, err: error },
        'the times of a stored file are not known yet; the next look will tell',
      );
    }
  }

  async #settleLostRace(
    node: FileNode,
    content: StagedFile,
    lost: Error,
    signal: AbortSignal,
  ): Promise<ObjectVersion> {
    const settled = await this.#lostRace.settle(node, content, lost, signal);
    if (settled.isStored) return settled.version;
    if (node.parent) node.parent.listing = undefined;
    settled.keptIn.listing = undefined;
    node.hasUnstoredAttributes = false;
    this.#options.infos.delete(node.key);
    if (!node.isOutdated) supersede(node, this.#options);
    throw settled.error;
  }

  async #copyForAttributes(node: FileNode, signal: AbortSignal): Promise<void> {
    const { info, attributes } = node;
    if (!info) return;
    const copy = await copyWithAttributes(this.#options, info, attributes, signal);
    const { from, to, headers } = copy;
    if (from.etag !== info.etag || from.size !== info.size) {
      this.#leaveToOthers(node, to, headers);
      return;
    }
    this.#options.contents.relabel(info, to);
    this.#options.records.recordFile(node, to, headers);
    node.hasUnstoredAttributes = node.attributes !== attributes;
    if (!node.hasUnstoredAttributes) node.attributes = copy.attributes;
  }

  /** The name is for another client's version, which has the attributes that were set here. */
  #leaveToOthers(node: FileNode, version: ObjectVersion, headers: ObjectHeaders): void {
    node.hasUnstoredAttributes = false;
    node.parent?.listing?.set({
      name: node.name,
      kind: 'file',
      object: this.#options.records.remember(version, headers),
    });
    // What was written here meanwhile meets the other version when it is stored.
    if (!node.hasUnstoredContent) supersede(node, this.#options);
  }

  #pendingNodes(): Node[] {
    return [...this.#options.inodes.nodes()].filter(isPending);
  }

  /** Instead of when it was scheduled for before. */
  #schedule(node: Node, delayMs: number): void {
    if (this.#isStopped) return;
    const cancelFormer = this.#scheduled.get(node);
    if (cancelFormer) cancelFormer();
    else node.pins += 1;
    const cancel = this.#options.clock.startTimer(delayMs, () => void this.#runScheduled(node));
    this.#scheduled.set(node, cancel);
  }

  #unschedule(node: Node): void {
    const cancel = this.#scheduled.get(node);
    if (!cancel) return;
    cancel();
    this.#scheduled.delete(node);
    node.pins -= 1;
    if (!this.#running.has(node)) this.#options.inodes.release(node);
  }

  async #runScheduled(node: Node): Promise<void> {
    if (this.#running.has(node)) return; // it is scheduled anew where something is left
    this.#running.add(node);
    node.pins += 1;
    try {
      await this.#store(node, AbortSignal.timeout(attemptTimeoutMs), 'what is closed');
    } catch (error) {
      this.#afterFailure(node, error);
    } finally {
      this.#running.delete(node);
      node.pins -= 1;
      await this.letGo(node);
    }
  }

  #afterFailure(node: Node, error: unknown): void {
    if (this.#revertIfRefused(node, error)) return;
    if (!this.#failures.isRefused(node)) {
      this.#options.log.error(
        { key: node.key, err: error, failures: this.#failures.countOf(node) },
        'could not be stored; kept, and tried again later',
      );
    }
    this.#schedule(node, this.#failures.delayMsOf(node));
  }

  async #storeOrRevert(node: Node, signal: AbortSignal, scope: Scope): Promise<void> {
    try {
      await this.#store(node, signal, scope);
    } catch (error) {
      if (signal.aborted || !this.#revertIfRefused(node, error)) throw error;
      await this.letGo(node);
    }
  }

  /** Attributes alone that cannot be stored are the former ones again, so that everybody sees what the bucket has. */
  #revertIfRefused(node: Node, error: unknown): boolean {
    const { log, defaults } = this.#options;
    const cause = error instanceof FsError ? error.cause : error;
    const hasContent = node.kind === 'file' && node.hasUnstoredContent;
    if (node.isOutdated && !hasContent) return true; // ours was kept beside, and that was told
    if (hasContent || isTransient(cause)) return false;
    log.error(
      { key: node.key, err: error },
      'changed attributes could not be stored; the former ones are back',
    );
    node.hasUnstoredAttributes = false;
    this.#failures.forget(node);
    revertAttributes(node, defaults);
    return true;
  }
}

function givenUpError(node: Node, cause?: unknown): FsError {
  return new FsError('EIO', `storing ${node.key}: given up, the mount ends`, { cause });
}

function revertAttributes(node: Node, defaults: AttributeDefaults): void {
  let stored: StoredAttributes | undefined;
  if (node.kind === 'file' && node.info) stored = attributesOfObject(node.info, false, defaults);
  if (node.kind === 'directory' && typeof node.marker === 'object') {
    stored = attributesOfObject(node.marker, true, defaults);
  }
  if (stored) node.attributes = stored;
}
