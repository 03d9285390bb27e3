/**
 * Objects that have the name of a directory: `a` beside `a/b`. S3 can have both, a file system only one of them. Pure.
 */
export class DirectoryNames<T> {
  /** Objects whose keys are the beginning of the last key. A listing is in the order of keys, so everything below them follows directly. */
  #beginnings: { readonly key: string; readonly item: T }[] = [];

  /** Call it for each object of the listing. Returns, once each, the objects before it whose name it turns into a directory's. */
  add(key: string, item: T): T[] {
    const candidates = this.#beginnings.filter((beginning) => key.startsWith(beginning.key));
    const isAbove = (beginning: { readonly key: string }): boolean => key[beginning.key.length] === '/';
    this.#beginnings = candidates.filter((beginning) => !isAbove(beginning));
    if (!key.endsWith('/')) this.#beginnings.push({ key, item });
    return candidates.filter(isAbove).map(({ item: above }) => above);
  }
}
