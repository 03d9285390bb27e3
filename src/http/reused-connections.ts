/**
 * Watches connections that were idle. A NAT, a VPN or a sleeping laptop may drop them without notice, and then they swallow
 * requests. So a reused connection has little time for the first byte of a quick answer. If none comes, all idle connections
 * are closed, and the repeated request gets a new connection with the usual time.
 */
import { BoundedMap } from '../bounded-map.js';

/** Tells how soon an answer can be expected. */
export interface RequestShape {
  readonly method: string;
  /** Infinity if unknown. */
  readonly bodyBytes: number;
  /** Whether the server works for long before it answers. */
  readonly isWork: boolean;
}

/** A healthy server needs milliseconds, a loaded one seconds. */
const firstByteTimeoutMs = 10_000;
/** The server writes a body before it answers. Larger bodies may take it long. */
const maxSmallBodyBytes = 1024 * 1024;
/** The most requests to remember that were not answered; some are never repeated. */
const maxDoubtful = 1000;

export class ReusedConnections {
  /** Counts from the moment in which the request has been sent. */
  readonly firstByteTimeoutMs: number;
  readonly #closers = new Set<() => void>();
  /** Names of requests that must get a new connection. */
  readonly #doubtful = new BoundedMap<string, true>(maxDoubtful);

  /** Default 10,000. Never more than half of the usual time limit, so that the two can be told apart. */
  constructor(options: { readonly firstByteTimeoutMs?: number; readonly requestTimeoutMs?: number } = {}) {
    const { requestTimeoutMs = Infinity } = options;
    this.firstByteTimeoutMs = Math.min(
      options.firstByteTimeoutMs ?? firstByteTimeoutMs,
      requestTimeoutMs / 2,
    );
  }

  /** `closeIdle` closes idle connections. It is called until the function that this returns is. */
  onSilence(closeIdle: () => void): () => void {
    this.#closers.add(closeIdle);
    return () => void this.#closers.delete(closeIdle);
  }

  /** Call it when a reused connection did not answer. `name` identifies the request, so that its repetition is recognised. */
  noteSilent(name: string): void {
    for (const closeIdle of this.#closers) closeIdle();
    this.#doubtful.set(name, true);
  }

  /** Whether this request must get a new connection. True once. */
  takeDoubt(name: string): boolean {
    return this.#doubtful.delete(name);
  }
}

/** A reused connection did not answer a request. Has Node's code for a timeout. */
export class SilentConnectionError extends Error {
  override name = 'TimeoutError';
  readonly code = 'ETIMEDOUT';

  constructor() {
    super('no answer on a connection that had been idle');
  }
}

/** False if the server works or writes much before it answers. */
export function isAnsweredSoon({ method, bodyBytes, isWork }: RequestShape): boolean {
  if (isWork) return false;
  switch (method) {
    case 'HEAD':
    case 'GET':
    case 'DELETE':
      return true;
    case 'PUT':
    case 'POST':
      return bodyBytes <= maxSmallBodyBytes;
    default:
      return false;
  }
}
