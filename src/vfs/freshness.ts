/** How recent the knowledge of a node is, and whether that is enough. */
import type { Clock } from '../clock.js';
import type { Node } from './nodes.js';

export class Freshness {
  readonly #clock: Clock;
  readonly #metadataTtlMs: number;

  /** `metadataTtlMs`: how old knowledge of names and attributes may be; 0 asks every time. */
  constructor(clock: Clock, metadataTtlMs: number) {
    this.#clock = clock;
    this.#metadataTtlMs = metadataTtlMs;
  }

  /** Whether the node need not be asked for: it is recent, or holds changes that the bucket has yet to see. */
  isCurrent(node: Node): boolean {
    if (node.hasUnstoredAttributes) return true;
    if (node.kind === 'file' && (node.isAheadOfBucket || node.lock.isBusy)) return true;
    if (node.kind === 'directory' && node.moving) return true;
    return this.#ageMs(node) < this.#metadataTtlMs;
  }

  /** For how long what is known of the node may still be used. */
  ttlMsOf(node: Node): number {
    if (node.kind === 'file' && node.isAheadOfBucket) return this.#metadataTtlMs;
    return Math.max(0, this.#metadataTtlMs - this.#ageMs(node));
  }

  #ageMs(node: Node): number {
    return this.#clock.monotonicMs() - node.validatedAtMs;
  }
}
