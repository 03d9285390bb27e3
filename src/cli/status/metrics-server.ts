/** Serves the state of a mount to Prometheus, over plain http: counters and names, never secrets or content. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { isIP, type AddressInfo } from 'node:net';
import { guarded } from '../../guarded.js';
import type { Log } from '../../log.js';
import type { MountStatus } from '../../mount-statistics.js';
import { prometheusText } from './prometheus-text.js';

export interface MetricsServer {
  /** The port that was free, if 0 was asked for. */
  readonly port: number;
  close(): Promise<void>;
}

/** https://prometheus.io/docs/instrumenting/exposition_formats/ */
const contentType = 'text/plain; version=0.0.4; charset=utf-8';
const requestTimeoutMs = 10_000;
/** Each takes a descriptor of the process that serves the mount. */
const maxConnections = 64;
const everyAddress = ['0.0.0.0', '::'];

/** `status`: undefined until the mount works. Rejects with the system's error if the address cannot be used. */
export async function startMetricsServer(
  { host, port }: { readonly host: string; readonly port: number },
  status: () => MountStatus | undefined,
  log: Log,
): Promise<MetricsServer> {
  const server = createServer({ requestTimeout: requestTimeoutMs });
  server.maxConnections = maxConnections;
  server.on(
    'request',
    guarded(
      (request: IncomingMessage, response: ServerResponse) => {
        response.on('error', (error) => log.debug({ err: error }, 'a reply of the metrics server was lost'));
        if (isAskedFor(request.headers.host, host)) answer(request, response, status);
        else response.writeHead(403).end('this is not the host of these metrics\n');
      },
      (error, _request, response) => {
        log.error({ err: error }, 'a request to the metrics server failed');
        if (response.headersSent) response.destroy();
        else response.writeHead(500).end();
      },
    ),
  );
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  server.on('error', (error) => log.error({ err: error }, 'metrics server failed'));
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

function answer(
  { method, url = '' }: IncomingMessage,
  response: ServerResponse,
  status: () => MountStatus | undefined,
): void {
  const isRead = method === 'GET' || method === 'HEAD';
  // Compared as it came: parsed as a URL it could throw, or name another host and path.
  const [path] = url.split('?', 1);
  const current = isRead && path === '/metrics' ? status() : undefined;
  if (!isRead) response.writeHead(405, { allow: 'GET, HEAD' }).end();
  else if (path !== '/metrics') response.writeHead(404).end('see /metrics\n');
  else if (current === undefined) response.writeHead(503).end('not mounted yet\n');
  else response.writeHead(200, { 'content-type': contentType }).end(prometheusText(current));
}

/**
 * Whether a request is for this server, by its Host. A web page may have a name of its own resolve to this machine ("DNS
 * rebinding") and read the metrics; it cannot use an address, or one of this machine's names, as its name. A server that listens on
 * every address accepts any name: it shows the metrics to the network anyway.
 */
function isAskedFor(header: string | undefined, listeningHost: string): boolean {
  if (header === undefined || everyAddress.includes(listeningHost)) return true; // HTTP/1.0 has none
  const name = header.toLowerCase().replace(/:\d*$/, '');
  if (isIP(name.replace(/^\[(.*)\]$/, '$1')) !== 0) return true;
  return name === 'localhost' || name.endsWith('.localhost') || name === listeningHost.toLowerCase();
}
