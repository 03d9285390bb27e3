/**
 * What is believed of connections that were idle. A NAT, a VPN or a laptop that slept forgets them without a word, and then
 * they swallow requests. So one that is used again has little time for the first byte of what is answered soon; if none
 * comes, the other idle ones are closed with it, and the same request gets a new connection next time, with all the time
 * that requests have.
 */
import { BoundedMap } from '../bounded-map.js';

/** What says how soon an answer can be expected. */
export interface RequestShape {
  readonly method: string;
  /** Infinity if nobody knows. */
  readonly bodyBytes: number;
  /** Whether the server works for long before it answers. */
  readonly isWork: boolean;
}

/** A healthy server needs milliseconds, a loaded one seconds. */
const firstByteTimeoutMs = 10_000;
/** The server has to write a body before it answers; what is larger may take it long. */
const maxSmallBodyBytes = 1024 * 1024;
/** Of requests that were not answered and never asked again. */
const maxDoubtful = 1000;

export class ReusedConnections {
  /** From the moment in which the request has been sent. */
  readonly firstByteTimeoutMs: number;
  readonly #closers = new Set<() => void>();
  /** Names of requests that are to have a new connection. */
  readonly #doubtful = new BoundedMap<string, true>(maxDoubtful);

  /** Default 10,000. Never more than half of the time that a request has anyway: it is to be told from that. */
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

  /** A connection that was used again did not answer this request. `name` is what the same request will have again. */
  noteSilent(name: string): void {
    for (const closeIdle of this.#closers) closeIdle();
    this.#doubtful.set(name, true);
  }

  /** Whether this request is to have a new connection, once. */
  takeDoubt(name: string): boolean {
    return this.#doubtful.delete(name);
  }
}

/** A request that a connection which was used again has not answered. With Node's code for a timeout. */
export class SilentConnectionError extends Error {
  override name = 'TimeoutError';
  readonly code = 'ETIMEDOUT';

  constructor() {
    super('no answer on a connection that had been idle');
  }
}

/** Not where the server works, nor where it has much to write, before it answers. */
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
