/**
 * Stores all that the bucket lacks, and goes on as long as the server fails. How one node is stored is left to `WriteBack`.
 */
import type { Clock } from '../clock.js';
import { forEachLimited } from '../concurrency/for-each-limited.js';
import { FsError } from '../errors.js';
import type { Log } from '../log.js';
import { countOf } from '../units.js';
import type { Node } from './nodes.js';
import { isBeingWritten } from './pending.js';

/**
 * `what is closed` leaves out files that a program has open to write and has not stored yet. Others must not see half of them;
 * their close stores them, attributes included.
 */
export type Scope = 'everything' | 'what is closed';

interface DrainOptions {
  /** The nodes that the bucket lacks something of. */
  readonly pendingNodes: () => Node[];
  readonly store: (node: Node, signal: AbortSignal, scope: Scope) => Promise<void>;
  /** How long to wait after a failure. */
  readonly delayMsOf: (node: Node) => number;
  readonly clock: Clock;
  readonly log: Log;
}

const parallelism = 8;

export class Drain {
  readonly #options: DrainOptions;

  constructor(options: DrainOptions) {
    this.#options = options;
  }

  /** Until the bucket lacks nothing. Rejects only when `signal` aborts. */
  async untilEmpty(signal: AbortSignal): Promise<void> {
    while (this.#pendingNodes('everything').length > 0) await this.once('everything', signal);
  }

  /** Each node that the bucket lacks something of now is stored once. Rejects only when `signal` aborts. */
  async once(scope: Scope, signal: AbortSignal): Promise<void> {
    /** Node → how long it waits for its next try. */
    let left = new Map(this.#pendingNodes(scope).map((node) => [node, 0]));
    while (left.size > 0) {
      const due = [...left].flatMap(([node, waitMs]) => (waitMs <= 0 ? [node] : []));
      for (const node of await this.#tryAll(due, scope, signal)) left.delete(node);
      const pending = new Set(this.#pendingNodes(scope));
      left = new Map([...left].filter(([node]) => pending.has(node)));
      if (left.size === 0) return;
      for (const node of due) if (left.has(node)) left.set(node, this.#options.delayMsOf(node));
      const pauseMs = Math.min(...left.values());
      await this.#pause(pauseMs, signal);
      if (signal.aborted) {
        throw new FsError('EIO', `${countOf(left.size, 'file')} could not be stored in the bucket`);
      }
      for (const [node, waitMs] of left) left.set(node, waitMs - pauseMs);
    }
  }

  /** Returns those that are stored. */
  async #tryAll(nodes: readonly Node[], scope: Scope, signal: AbortSignal): Promise<readonly Node[]> {
    const stored: Node[] = [];
    const failed: { readonly key: string; readonly error: unknown }[] = [];
    await forEachLimited(nodes, { limit: parallelism }, async (node) => {
      try {
        await this.#options.store(node, signal, scope);
        stored.push(node);
      } catch (error) {
        failed.push({ key: node.key, error });
      }
    });
    const last = failed.at(-1);
    if (last) {
      this.#options.log.warn(
        { keys: failed.slice(0, 10).map(({ key }) => key), count: failed.length, err: last.error },
        'some files are not in the bucket yet; trying again',
      );
    }
    return stored;
  }

  #pendingNodes(scope: Scope): Node[] {
    const nodes = this.#options.pendingNodes();
    return scope === 'everything' ? nodes : nodes.filter((node) => !isBeingWritten(node));
  }

  /** Waits so long, or until `signal` aborts. */
  async #pause(delayMs: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    await new Promise<void>((resolve) => {
      const finish = () => {
        cancel();
        signal.removeEventListener('abort', finish);
        resolve();
      };
      const cancel = this.#options.clock.startTimer(delayMs, finish);
      signal.addEventListener('abort', finish, { once: true });
    });
  }
}
