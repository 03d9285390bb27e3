/** What a command on many objects has found and done so far. `src/cli` shows it. */
export class Progress {
  /** Grow while the listing goes on. */
  objectsFound = 0;
  bytesFound = 0;
  /** Nothing more will be found. */
  isListed = false;
  /** Worked on, passed over or failed. */
  objectsDone = 0;
  bytesDone = 0;

  find(bytes: number): void {
    this.objectsFound += 1;
    this.bytesFound += bytes;
  }
}

/** Numbers of files that a put or get has dealt with, filled while it runs. */
export class TransferSummary {
  transferred = 0;
  transferredBytes = 0;
  /** Files that were up to date. */
  already = 0;
  failed = 0;
}
