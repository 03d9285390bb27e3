/** What the block reader remembers about one reader (one open handle). Opaque to everything else. */
import type { ObjectVersion } from '../object-version.js';
import type { BlockFetch, FetchOwner } from './block-fetch.js';
import type { ReadAheadState } from './read-ahead.js';
import type { RestFetch } from './rest-fetch.js';

export class ReadStream implements FetchOwner {
  /** The fetches under way that this reader wants ahead. */
  readonly fetches = new Set<BlockFetch>();
  /** The version that it reads. `state` is about this version. */
  version: ObjectVersion | undefined;
  state: ReadAheadState | undefined;
  /** Undefined until it has jumped. */
  rest: RestFetch | undefined;
  /** This version is gone from the server: more fetches ahead would fail too. */
  isHalted = false;
  isClosed = false;
}
