/** Prints long results to standard output, no faster than they are read, and stops when the reader does. */

import { inOneLine } from '../printable.js';

/** The reader has closed the pipe, as `head` does when it has enough. */
export class OutputClosed extends Error {
  override readonly name = 'OutputClosed';
}

export class LineOutput {
  #isClosed = false;

  constructor() {
    process.stdout.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      this.#isClosed = true;
    });
  }

  /** Rejects with `OutputClosed`. */
  async write(line: string): Promise<void> {
    if (!this.#isClosed) {
      await new Promise<void>((resolve) => process.stdout.write(`${inOneLine(line)}\n`, () => resolve()));
    }
    if (this.#isClosed) throw new OutputClosed('nobody reads the output any more');
  }
}
