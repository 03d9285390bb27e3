/**
 * Logs what went wrong: the first of each kind, and again when some time has passed, so that a program that tries again and again does
 * not fill the disk.
 */
import { StoreError, type FsError, type FsErrorCode } from '../errors.js';
import type { Log } from '../log.js';

/** Kinds remembered; there are about forty operations and a few causes each. */
const maxKinds = 500;
const repeatAfterMs = 10 * 60 * 1000;

/** Where a StoreError is the cause, these say that server, network or rights are in the way. */
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
  /** Of this kind, since then. */
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

  /** What should not happen. */
  report(operation: string, error: unknown, message: string): void {
    this.#report('error', operation, error, message);
  }

  /** What a program is answered. Most answers say only what is there and what is not; these are not logged. */
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
