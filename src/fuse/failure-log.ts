/**
 * Logs the first failure of each kind, and the next one only after some time, so that a program that tries again and again does not
 * fill the disk.
 */
import { StoreError, type FsError, type FsErrorCode } from '../errors.js';
import type { Log } from '../log.js';

/** Kinds remembered; there are about forty operations and a few causes each. */
const maxKinds = 500;
const repeatAfterMs = 10 * 60 * 1000;

/** With a StoreError as the cause, these mean trouble with server, network or permissions. */
const troubleCodes: ReadonlySet<FsErrorCode> = new Set([
  'EACCES',
  'EDQUOT',
  'EFBIG',
  'EPROTO',
  'EROFS',
  'ETIMEDOUT',
]);

interface Kind {
  readonly loggedAtMs: number;
  /** Failures of this kind since then. */
  unlogged: number;
}

export class FailureLog {
  readonly #log: Log;
  readonly #now: () => number;
  readonly #kinds = new Map<string, Kind>();

  /** `now`: in ms, from any beginning. */
  constructor(log: Log, now: () => number = () => performance.now()) {
    this.#log = log;
    this.#now = now;
  }

  /** Logs what should not happen. */
  report(operation: string, error: unknown, message: string): void {
    this.#report('error', operation, error, message);
  }

  /** Logs an error that a program gets, unless it only says what exists and what does not. */
  reportAnswer(operation: string, error: FsError): void {
    const { code, cause } = error;
    if (code === 'EIO' || (cause instanceof StoreError && troubleCodes.has(code))) {
      this.#report('warn', operation, error, `a program was answered ${code}`);
    }
  }

  #report(level: 'warn' | 'error', operation: string, error: unknown, message: string): void {
    const name = `${operation} ${message} ${describe(error)}`;
    const kind = this.#kinds.get(name);
    const nowMs = this.#now();
    if (kind ? nowMs - kind.loggedAtMs < repeatAfterMs : this.#kinds.size >= maxKinds) {
      if (kind) kind.unlogged += 1;
      this.#log.debug({ operation, err: error }, message);
      return;
    }
    this.#kinds.set(name, { loggedAtMs: nowMs, unlogged: 0 });
    const before = kind !== undefined && kind.unlogged > 0 ? { unlogged: kind.unlogged } : {};
    this.#log[level]({ operation, err: error, ...before }, message);
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  const name = 'code' in error ? `${error.name} ${String(error.code)}` : error.name;
  return error.cause instanceof StoreError ? `${name} ${error.cause.code}` : name;
}
