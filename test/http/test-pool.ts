/** A pool of connections to a server of a test, and a request for it. */
import type { SecureContextOptions } from 'node:tls';
import type { ExecutionContext } from 'ava';
import type { HttpRequest } from '../../src/http/connection.js';
import { ConnectionPool, type PoolOptions } from '../../src/http/connection-pool.js';
import { ReusedConnections } from '../../src/http/reused-connections.js';

export const get: HttpRequest = {
  method: 'GET',
  path: '/',
  headers: [['host', 'localhost']],
  body: undefined,
  memory: undefined,
  maxContentBytes: 1_000_000,
  isWork: false,
};

/** Knows how many are told of silence. */
export class CountingConnections extends ReusedConnections {
  #told = 0;

  get told(): number {
    return this.#told;
  }

  override onSilence(closeIdle: () => void): () => void {
    const stop = super.onSilence(closeIdle);
    this.#told += 1;
    return () => {
      this.#told -= 1;
      stop();
    };
  }
}

interface TestPoolOptions extends Partial<PoolOptions> {
  /** The authority to believe. */
  readonly ca?: SecureContextOptions['ca'];
  /** Of everything that has one. Default 5 s. */
  readonly timeoutMs?: number;
}

export function makePoolOptions({ ca, timeoutMs = 5_000, ...others }: TestPoolOptions = {}): PoolOptions {
  return {
    requireAllowed: () => undefined,
    trusted: () => (ca === undefined ? {} : { ca }),
    connectTimeoutMs: timeoutMs,
    idleTimeoutMs: timeoutMs,
    workTimeoutMs: timeoutMs,
    reused: new ReusedConnections(),
    ...others,
  };
}

export function makePool(
  t: Pick<ExecutionContext, 'teardown'>,
  server: URL,
  options: TestPoolOptions = {},
): ConnectionPool {
  const pool = new ConnectionPool(server, makePoolOptions(options));
  t.teardown(() => pool.close());
  return pool;
}
