/** What the writing side asks of the reading side; `ObjectReader` is it. */
import type { ObjectVersion } from '../object-version.js';

/** The state of one handle's reading, opaque here: `ObjectReader.createStream` makes it. */
export type ReaderStream = object;

export interface VersionReader {
  /** The bytes of [offset, offset + length) of that version, which must not be changed, or a StoreError. */
  read(
    version: ObjectVersion,
    offset: number,
    length: number,
    stream: ReaderStream | undefined,
    signal: AbortSignal,
  ): Promise<readonly Uint8Array[]>;
  /** Bytes that are known to be the version's. */
  seed(version: ObjectVersion, offset: number, bytes: Uint8Array): void;
}
