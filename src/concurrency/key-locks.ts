/** One at a time for each key: what looks at an object and then changes it must not be overtaken. */
export class KeyLocks {
  /** The last in line for each key; keys without a line are not in it. */
  readonly #tails = new Map<string, Promise<void>>();

  async hold<T>(key: string, action: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(key);
    let release = (): void => undefined;
    const tail = new Promise<void>((resolve) => {
      release = resolve;
    });
    this.#tails.set(key, tail);
    await before;
    try {
      return await action();
    } finally {
      if (this.#tails.get(key) === tail) this.#tails.delete(key);
      release();
    }
  }
}
