/**
 * Guesses the customer key of an object. A server only says whether a key fits, so a right guess saves a request. A wrong guess
 * costs requests, never bytes.
 */
import { BoundedMap } from '../bounded-map.js';
import type { CustomerKey } from '../keys/customer-key.js';

/** Of objects and of prefixes, each. */
const rememberedKeys = 10_000;

/** Undefined: no customer key, since the object is not encrypted. */
export type Guess = CustomerKey | undefined;

export class KeyMemory {
  readonly #ring: readonly [CustomerKey, ...CustomerKey[]];
  /** The guess that fitted last, by object key. With one customer key it holds only unencrypted objects. */
  readonly #byKey = new BoundedMap<string, Guess>(rememberedKeys);
  /** The customer key that fitted last below a prefix. Empty while there is only one. */
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
    // Objects below one prefix may have several keys. Each object is remembered, since the guess for the prefix changes.
    if (found === undefined || this.#ring.length > 1) this.#byKey.set(key, found);
    else this.#byKey.delete(key);
  }

  /** The object is now under the first key. This says nothing about its neighbours. */
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
