/**
 * Why nodes are not in the bucket yet, and when they are tried again: what the server refuses is told once, kept and tried
 * seldom, since it stays refused until somebody changes rights, quota or the file; any other failure passes.
 */
import { StoreError, type FsError, type FsErrorCode } from '../errors.js';
import { storeErrorFacts } from '../store-error-facts.js';
import type { Log } from '../log.js';
import type { PendingReason } from '../mount-statistics.js';
import type { Node } from './nodes.js';

interface Failure {
  readonly reason: string;
  readonly isRefusal: boolean;
  /** In a row, of this kind. */
  readonly count: number;
}

const firstRetryMs = 1000;
const lastRetryMs = 60_000;
const firstRefusedRetryMs = 60_000;
const lastRefusedRetryMs = 900_000;

/** What this mount refuses, and another try would again. `storeErrorFacts` has what the server refuses. */
const refusals: ReadonlySet<FsErrorCode> = new Set<FsErrorCode>([
  'EACCES',
  'EDQUOT',
  'EFBIG',
  'EINVAL',
  'ENAMETOOLONG',
  'EPERM',
]);

export class StoreFailures {
  readonly #failures = new WeakMap<Node, Failure>();
  readonly #underWay = new WeakSet<Node>();
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  /** Storing the node failed. A refusal is logged the first time, and when its reason changes. */
  record(node: Node, error: FsError): void {
    const former = this.#failures.get(node);
    const reason = reasonOf(error, node.key);
    const isRefusal = isRefused(error);
    const count = former?.isRefusal === isRefusal ? former.count + 1 : 1;
    this.#failures.set(node, { reason, isRefusal, count });
    if (!isRefusal || former?.reason === reason) return;
    this.#log.error({ key: node.key, reason }, 'refused by the server; kept, and tried again now and then');
  }

  /** The bucket has it, or is not to have it any more. */
  forget(node: Node): void {
    this.#failures.delete(node);
  }

  /** It is being tried, from `begin` to `end`. */
  begin(node: Node): void {
    this.#underWay.add(node);
  }

  end(node: Node): void {
    this.#underWay.delete(node);
  }

  /** Undefined if it has not failed. */
  reasonFor(node: Node): PendingReason | undefined {
    const failure = this.#failures.get(node);
    return failure && { text: failure.reason, isRefused: failure.isRefusal && !this.#underWay.has(node) };
  }

  isRefused(node: Node): boolean {
    return this.#failures.get(node)?.isRefusal === true;
  }

  /** In a row, of the same kind. */
  countOf(node: Node): number {
    return this.#failures.get(node)?.count ?? 0;
  }

  /** Before the next try. */
  delayMsOf(node: Node): number {
    const { isRefusal, count } = this.#failures.get(node) ?? { isRefusal: false, count: 1 };
    return isRefusal
      ? Math.min(lastRefusedRetryMs, firstRefusedRetryMs * 2 ** (count - 1))
      : Math.min(lastRetryMs, firstRetryMs * 2 ** (count - 1));
  }
}

function isRefused({ code, cause }: FsError): boolean {
  return cause instanceof StoreError ? storeErrorFacts[cause.code].isRefusal === true : refusals.has(code);
}

/** What the server, or the code that found the failure, says. The operation and the key, which come before it, are cut off. */
function reasonOf({ message, cause }: FsError, key: string): string {
  const text = cause instanceof StoreError ? cause.message : message;
  const at = text.indexOf(`${key}: `);
  return at < 0 ? text : text.slice(at + key.length + 2);
}
