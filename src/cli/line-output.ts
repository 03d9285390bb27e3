/** Long results to standard output: no faster than they are read, and to no one who has stopped reading. */

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
      await new Promise<void>((resolve) => process.stdout.write(`${line}\n`, () => resolve()));
    }
    if (this.#isClosed) throw new OutputClosed('nobody reads the output any more');
  }
}

/** A name as one line shows it: with control characters, which may steer terminals, as JSON escapes them. */
export function printable(name: string): string {
  return /[\u0000-\u001f\u007f-\u009f]/.test(name) ? JSON.stringify(name) : name;
}
