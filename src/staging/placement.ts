/** Where and as what the content of a file is stored: said by the one whose content it is, for each commit. */
import type { ObjectHeaders, WriteCondition } from '../object-store.js';
import type { ObjectVersion } from '../object-version.js';

/** Where and as what the content is stored. */
export interface StoreTarget {
  readonly key: string;
  readonly headers: ObjectHeaders;
  /** With which an upload may be begun before the content is whole, and stay. Without it they are `headers`. */
  readonly unfinishedHeaders?: ObjectHeaders | undefined;
  readonly condition: WriteCondition;
  /**
   * An upload that was begun for another key, and has parts that are nowhere else, may be completed there on this condition, and
   * is then copied to `key`. Without it nothing is replaced under the other key, and nothing left there.
   */
  readonly through?: WriteCondition;
}

/** Where the content of a file is stored, and who hears of it. */
export interface Placement {
  /**
   * Asked when an upload begins, and again when it is completed. Its condition should follow what the file has in the bucket, which an
   * early publication may have changed.
   */
  target(): StoreTarget;
  /**
   * Hears, in the same turn, of each version that is put into the bucket and what it was stored with: also where no commit
   * tells, because its wait was interrupted, or because the file was published early. A version that is not under the key or with
   * the headers that were asked for leaves the file dirty. Must not throw.
   */
  onStored(version: ObjectVersion, headers: ObjectHeaders): void;
}
