/** Logs what went wrong once for each kind, so that a program that tries again and again does not fill the disk. */
import type { Log } from '../log.js';

/** Kinds remembered; there are about forty operations and a few causes each. */
const maxKinds = 500;

export class FailureLog {
  readonly #log: Log;
  readonly #kinds = new Set<string>();

  constructor(log: Log) {
    this.#log = log;
  }

  report(operation: string, error: unknown, message: string): void {
    const kind = `${operation} ${message} ${describe(error)}`;
    if (this.#kinds.has(kind) || this.#kinds.size >= maxKinds) {
      this.#log.debug({ operation, err: error }, message);
      return;
    }
    this.#kinds.add(kind);
    this.#log.error({ operation, err: error }, `${message} (logged once for each kind)`);
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  return 'code' in error ? `${error.name} ${String(error.code)}` : error.name;
}
