/** What the object reader remembers of one reader (one open handle). Opaque to everybody else. */
import type { ObjectVersion } from '../object-version.js';
import type { BlockFetch, FetchOwner } from './block-fetch.js';
import type { ReadAheadState } from './read-ahead.js';
import type { RestFetch } from './rest-fetch.js';

export class ReadStream implements FetchOwner {
  /** The fetches under way that this reader wants ahead. */
  readonly fetches = new Set<BlockFetch>();
  /** What it reads; `state` is about this version. */
  version: ObjectVersion | undefined;
  state: ReadAheadState | undefined;
  /** Once it has jumped. */
  rest: RestFetch | undefined;
  /** This version is gone from the server: fetching more of it is in vain. */
  isHalted = false;
  isClosed = false;
}
