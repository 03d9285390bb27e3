/**
 * Which customer key an object is probably encrypted under, so that most requests are made once although a server only says
 * whether a key fits. Guesses only: a wrong one costs requests, never bytes.
 */
import { BoundedMap } from '../bounded-map.js';
import type { CustomerKey } from '../keys/customer-key.js';

/** Of objects and of prefixes, each. */
const rememberedKeys = 10_000;

/** Undefined: without a customer key, as the object is not encrypted. */
export type Guess = CustomerKey | undefined;

export class KeyMemory {
  readonly #ring: readonly [CustomerKey, ...CustomerKey[]];
  /** What fitted last. With one key only, just the objects that are not encrypted. */
  readonly #byKey = new BoundedMap<string, Guess>(rememberedKeys);
  /** The key that fitted last below a prefix. Empty while there is only one. */
  readonly #byPrefix = new BoundedMap<string, CustomerKey>(rememberedKeys);

  constructor(first: CustomerKey, others: readonly CustomerKey[]) {
    this.#ring = [first, ...others];
  }

  guess(key: string): Guess {
    return this.#byKey.has(key) ? this.#byKey.get(key) : this.#guessOfPrefix(key);
  }

  /** The other keys of the ring. */
  alternatives(tried: CustomerKey): CustomerKey[] {
    return this.#ring.filter((customerKey) => customerKey !== tried);
  }

  remember(key: string, found: Guess): void {
    if (found !== undefined && this.#ring.length > 1) this.#byPrefix.set(prefixOf(key), found);
    // Below one prefix there may be objects under several keys: each is remembered, as the prefix's guess moves on.
    if (found === undefined || this.#ring.length > 1) this.#byKey.set(key, found);
    else this.#byKey.delete(key);
  }

  /** It was written under the first key, whatever it was under before. Says nothing of its neighbours. */
  noteWritten(key: string): void {
    if (this.#ring.length > 1) this.#byKey.set(key, this.#ring[0]);
    else this.#byKey.delete(key);
  }

  forget(key: string): void {
    this.#byKey.delete(key);
  }

  describe(): string {
    return this.#ring.map(({ fingerprint }) => fingerprint).join(', ');
  }

  #guessOfPrefix(key: string): CustomerKey {
    return this.#byPrefix.get(prefixOf(key)) ?? this.#ring[0];
  }
}

function prefixOf(key: string): string {
  return key.slice(0, key.lastIndexOf('/') + 1);
}
