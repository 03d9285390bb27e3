/** Serves the state of a mount to Prometheus, over plain http: counters and names, never secrets or content. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Log } from '../log.js';
import type { MountStatus } from '../mount-statistics.js';
import { prometheusText } from './prometheus-text.js';

export interface MetricsServer {
  /** The port that was free, if 0 was asked for. */
  readonly port: number;
  close(): Promise<void>;
}

/** https://prometheus.io/docs/instrumenting/exposition_formats/ */
const contentType = 'text/plain; version=0.0.4; charset=utf-8';
const requestTimeoutMs = 10_000;

/** `status`: undefined until the mount works. Rejects with the system's error if the address cannot be had. */
export async function startMetricsServer(
  { host, port }: { readonly host: string; readonly port: number },
  status: () => MountStatus | undefined,
  log: Log,
): Promise<MetricsServer> {
  const server = createServer({ requestTimeout: requestTimeoutMs }, (request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://metrics');
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    const current = isRead && pathname === '/metrics' ? status() : undefined;
    if (!isRead) response.writeHead(405, { allow: 'GET, HEAD' }).end();
    else if (pathname !== '/metrics') response.writeHead(404).end('see /metrics\n');
    else if (current === undefined) response.writeHead(503).end('not mounted yet\n');
    else response.writeHead(200, { 'content-type': contentType }).end(prometheusText(current));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  server.on('error', (error) => log.error({ error }, 'metrics server failed'));
  const address = server.address() as AddressInfo;
  log.info({ host: address.address, port: address.port }, 'serving metrics at /metrics');
  return {
    port: address.port,
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}
