/** A map by object version that also finds the values of all versions of a key. */
import type { ObjectVersion } from '../object-version.js';

export class VersionMap<T> {
  /** By key, then by ETag. No inner map is empty. */
  readonly #byKey = new Map<string, Map<string, { readonly version: ObjectVersion; readonly value: T }>>();

  get(version: ObjectVersion): T | undefined {
    const found = this.#byKey.get(version.key)?.get(version.etag);
    // One ETag with two sizes is a contradiction. Neither version may get the other's bytes.
    return found?.version.size === version.size ? found.value : undefined;
  }

  set(version: ObjectVersion, value: T): void {
    const versions = this.#byKey.get(version.key);
    const item = { version, value };
    if (versions) versions.set(version.etag, item);
    else this.#byKey.set(version.key, new Map([[version.etag, item]]));
  }

  /** Removes `value` if it is the value of this version. */
  delete(version: ObjectVersion, value: T): void {
    const versions = this.#byKey.get(version.key);
    if (versions?.get(version.etag)?.value !== value) return;
    versions.delete(version.etag);
    if (versions.size === 0) this.#byKey.delete(version.key);
  }

  /** A copy, so that the caller may change the map. */
  ofKey(key: string): T[] {
    return [...(this.#byKey.get(key)?.values() ?? [])].map(({ value }) => value);
  }

  *entries(): Generator<readonly [ObjectVersion, T]> {
    for (const versions of this.#byKey.values()) {
      for (const { version, value } of versions.values()) yield [version, value];
    }
  }
}
