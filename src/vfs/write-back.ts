/**
 * Says when the bucket gets what it lacks: on demand (close, fsync, rename), after a short delay (attributes, so that chmod, chown
 * and utimens cost one copy together), and again after a failure: what could not be stored is kept and retried, never dropped.
 * `NodeStorer` knows how a node is stored.
 */
import { abortable } from '../concurrency/abortable.js';
import { FsError } from '../errors.js';
import type { Pending } from '../mount-statistics.js';
import { countOf } from '../units.js';
import { Drain, type Scope } from './drain.js';
import { isTransient, toFsError } from './fs-errors.js';
import { moveAbove } from './moves.js';
import type { NodeStorer } from './node-storer.js';
import type { FileNode, Node } from './nodes.js';
import { isBeingWritten, isLeftOver, isPending } from './pending.js';
import { StoreFailures } from './store-failures.js';
import type { StoringParts } from './storing-parts.js';

interface WriteBackOptions extends Pick<StoringParts, 'inodes' | 'contents' | 'clock' | 'log'> {
  readonly storer: NodeStorer;
  /** How long changed attributes of stored objects wait for further changes. */
  readonly attributeDelayMs: number;
}

/** One attempt in the background; the store's own retries and timeouts are within it. */
const attemptTimeoutMs = 3_600_000;

export class WriteBack {
  readonly #options: WriteBackOptions;
  /** What cancels the timer; it may have ended where the node is in `#running`. */
  readonly #scheduled = new Map<Node, () => void>();
  readonly #running = new Set<Node>();
  readonly #drain: Drain;
  readonly #failures: StoreFailures;
  #isStopped = false;
  #isGivenUp = false;
  #lostCount = 0;

  constructor(options: WriteBackOptions) {
    this.#options = options;
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
      await this.#options.storer.store(node, what, signal);
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

  /** Stores what is left in this file in the background: nobody waits for it any more. */
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
   * Gives up what is not stored: callers that wait for it, or ask for it from now on, get an error. Resolves when nothing of it is on
   * its way and the uploads are aborted.
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
      // An operation that pins or locks a node sees to it afterwards.
      if (isCaredFor || node.pins > 0 || node.lock.isBusy || this.#isStopped) continue;
      throw new Error(`${node.key}: the bucket lacks something of it, and nobody will store that`);
    }
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

  /** Frees the staged content that nobody needs any more. Keeps the node, for a caller that is about to hand it out. */
  async closeUnused(node: FileNode): Promise<void> {
    if (node.content && !this.#needsContent(node)) await this.#options.contents.close(node);
  }

  #needsContent(node: FileNode): boolean {
    if (node.handles.size > 0) return true;
    if (node.pins > (this.#scheduled.has(node) ? 1 : 0)) return true; // of somebody who lets go of it afterwards
    return node.hasUnstoredContent && (!node.isRemoved || node.isOutdated);
  }

  #pendingNodes(): Node[] {
    return [...this.#options.inodes.nodes()].filter(isPending);
  }

  /** Replaces a time that was set before. */
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

  /** Puts the former attributes back if only attributes could not be stored, so that everybody sees what the bucket has. */
  #revertIfRefused(node: Node, error: unknown): boolean {
    const { log, storer } = this.#options;
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
    storer.revertAttributes(node);
    return true;
  }
}

function givenUpError(node: Node, cause?: unknown): FsError {
  return new FsError('EIO', `storing ${node.key}: given up, the mount ends`, { cause });
}
