/** What puts something into the bucket, and remembers it. */
import type { DirectoryMarkers } from './directory-markers.js';
import type { FileContents } from './file-contents.js';
import type { KnownParts } from './known-parts.js';
import type { ObjectRewriter } from './object-rewriter.js';
import type { StoredRecords } from './stored-records.js';

export interface StoringParts extends KnownParts {
  readonly rewriter: ObjectRewriter;
  readonly markers: DirectoryMarkers;
  readonly records: StoredRecords;
  readonly contents: FileContents;
}
