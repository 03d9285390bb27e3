/** One immutable state of an object. */
export interface ObjectVersion {
  readonly key: string;
  readonly etag: string;
  readonly size: number;
}
