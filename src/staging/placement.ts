/** Where the content of a file is stored, and with which headers. The file's owner decides it for each commit. */
import type { ObjectHeaders, WriteCondition } from '../object-store.js';
import type { ObjectVersion } from '../object-version.js';

/** One answer: key, headers and condition. */
export interface StoreTarget {
  readonly key: string;
  readonly headers: ObjectHeaders;
  /** Headers that an upload may begin with before the content is whole, and that its object may keep. Default: `headers`. */
  readonly unfinishedHeaders?: ObjectHeaders | undefined;
  readonly condition: WriteCondition;
  /**
   * An upload that began for another key, and has parts that are nowhere else, may be completed there on this condition. It is
   * then copied to `key`, and its object stays. Without it nothing is replaced under the other key, and nothing stays there.
   */
  readonly through?: WriteCondition;
}

/** Decides where the content of a file is stored, and hears what was stored. */
export interface Placement {
  /**
   * Called when an upload begins, and again when it is completed. The condition should follow what the file has in the bucket,
   * which an early publication may have changed.
   */
  target(): StoreTarget;
  /**
   * Called with each version in the turn in which it is known to be in the bucket, and with its headers. No version is left out,
   * even if the commit's wait was interrupted or the file was published early. A version without the key or the headers that were
   * asked for leaves the file dirty. Must not throw.
   */
  onStored(version: ObjectVersion, headers: ObjectHeaders): void;
}
