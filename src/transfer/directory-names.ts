/**
 * Objects that have the name of a directory: `a` beside `a/b`. S3 can have both, a file system only one of them. Pure.
 */
export class DirectoryNames<T> {
  /** Those whose keys the last one begins with: whatever is below them comes next, as a listing is in the order of its keys. */
  #beginnings: { readonly key: string; readonly item: T }[] = [];

  /** To be called for each object of the listing. Returns those before it whose name it makes that of a directory, each once. */
  add(key: string, item: T): T[] {
    const candidates = this.#beginnings.filter((beginning) => key.startsWith(beginning.key));
    const isAbove = (beginning: { readonly key: string }): boolean => key[beginning.key.length] === '/';
    this.#beginnings = candidates.filter((beginning) => !isAbove(beginning));
    if (!key.endsWith('/')) this.#beginnings.push({ key, item });
    return candidates.filter(isAbove).map(({ item: above }) => above);
  }
}
