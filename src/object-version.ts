/** One immutable state of an object. */
export interface ObjectVersion {
  readonly key: string;
  readonly etag: string;
  readonly size: number;
}

export function isSameVersion(a: ObjectVersion, b: ObjectVersion): boolean {
  return a.key === b.key && a.etag === b.etag && a.size === b.size;
}
