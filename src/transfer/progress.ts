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
