/** Several customer keys of one user: the first one writes, all of them read. It does not know their files. */
import type { CustomerKey } from './customer-key.js';

export class KeyRing {
  /** Everything that is written is encrypted under this one. */
  readonly first: CustomerKey;
  /** Tried in this order where nothing better is known. Each key once. */
  readonly keys: readonly CustomerKey[];

  constructor(first: CustomerKey, others: readonly CustomerKey[] = []) {
    this.first = first;
    const byFingerprint = new Map([first, ...others].map((key) => [key.fingerprint, key]));
    this.keys = [...byFingerprint.values()];
  }

  get others(): readonly CustomerKey[] {
    return this.keys.slice(1);
  }

  /** For messages: not secret. */
  describe(): string {
    return this.keys.map(({ fingerprint }) => fingerprint).join(', ');
  }
}
