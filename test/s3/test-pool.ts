/** A pool of connections to a server of a test, and a request for it. */
import http from 'node:http';
import https from 'node:https';
import type { ExecutionContext } from 'ava';
import { ConnectionPool } from '../../src/s3/connection-pool.js';
import type { DirectRequest } from '../../src/s3/direct-connection.js';
import { ReusedConnections } from '../../src/http/reused-connections.js';

export const get: DirectRequest = {
  method: 'GET',
  path: '/',
  headers: [['host', 'localhost']],
  body: undefined,
  pieces: undefined,
  maxContentBytes: 1_000_000,
};

export function makePool(
  t: Pick<ExecutionContext, 'teardown'>,
  endpoint: URL,
  options: {
    readonly httpsAgent?: https.Agent;
    readonly reused?: ReusedConnections;
    /** Of everything that has one. Default 5 s. */
    readonly timeoutMs?: number;
  } = {},
): ConnectionPool {
  const { httpsAgent = new https.Agent(), reused = new ReusedConnections(), timeoutMs = 5_000 } = options;
  const pool = new ConnectionPool(endpoint, {
    allowedServers: { kind: 'endpoint', endpoint },
    httpAgent: new http.Agent(),
    httpsAgent,
    connectTimeoutMs: timeoutMs,
    idleTimeoutMs: timeoutMs,
    workTimeoutMs: timeoutMs,
    reused,
  });
  t.teardown(() => pool.close());
  return pool;
}
