/**
 * Stores all that the bucket lacks, and goes on as long as the server fails. How one node is stored is left to `WriteBack`.
 */
import type { Clock } from '../clock.js';
import { FsError } from '../errors.js';
import type { Log } from '../log.js';
import type { Node } from './nodes.js';
import { isBeingWritten } from './pending.js';

/**
 * `what is closed`: not what somebody has open to write and has not stored yet. Others must not see the half of it; its close
 * will store it, attributes included.
 */
export type Scope = 'everything' | 'what is closed';

export interface DrainOptions {
  /** What the bucket lacks something of. */
  readonly pendingNodes: () => Node[];
  readonly store: (node: Node, signal: AbortSignal, scope: Scope) => Promise<void>;
  readonly clock: Clock;
  readonly log: Log;
}

const parallelism = 8;
const firstRetryMs = 1000;
const lastRetryMs = 60_000;

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
    let left = this.#pendingNodes(scope);
    for (let failures = 0; left.length > 0; failures += 1) {
      const { failed, lastError } = await this.#tryAll(left, scope, signal);
      const pending = new Set(this.#pendingNodes(scope));
      left = failed.filter((node) => pending.has(node));
      if (left.length === 0) return;
      this.#options.log.warn(
        { keys: left.slice(0, 10).map((node) => node.key), count: left.length, error: lastError },
        'some files are not in the bucket yet; trying again',
      );
      await this.#pause(retryDelayMs(failures), signal);
      if (signal.aborted) throw new FsError('EIO', `${left.length} files could not be stored in the bucket`);
    }
  }

  async #tryAll(
    nodes: readonly Node[],
    scope: Scope,
    signal: AbortSignal,
  ): Promise<{ readonly failed: readonly Node[]; readonly lastError: unknown }> {
    const failed: Node[] = [];
    let lastError: unknown;
    for (let i = 0; i < nodes.length; i += parallelism) {
      const batch = nodes.slice(i, i + parallelism).map(async (node) => {
        try {
          await this.#options.store(node, signal, scope);
        } catch (error) {
          failed.push(node);
          lastError = error;
        }
      });
      await Promise.all(batch);
    }
    return { failed, lastError };
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

/** Before the try after so many failures in a row. */
export function retryDelayMs(failures: number): number {
  return Math.min(lastRetryMs, firstRetryMs * 2 ** failures);
}
