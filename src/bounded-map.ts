/** A map with a limit that forgets old entries: for answers that can be asked for again. */

/** Has at most `maxEntries`. What was set longest ago goes out for what comes; to get it does not make it younger. */
export class BoundedMap<K, V> extends Map<K, V> {
  readonly #maxEntries: number;

  constructor(maxEntries: number) {
    super();
    this.#maxEntries = maxEntries;
  }

  override set(key: K, value: V): this {
    this.delete(key); // so that it becomes the youngest
    super.set(key, value);
    for (const oldest of this.keys()) {
      if (this.size <= this.#maxEntries) break;
      this.delete(oldest);
    }
    return this;
  }
}
