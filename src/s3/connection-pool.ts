/** Connections to one server, kept open between requests. How many requests there are at once is left to the callers. */
import net from 'node:net';
import type { ConnectionOptions as TlsOptions } from 'node:tls';
import { type AllowedServers, lookUpLoopback, requireAllowedServer } from './allowed-server.js';
import { checkedTls } from '../http/certificate-authorities.js';
import {
  type ConnectionOptions,
  DirectConnection,
  type DirectReply,
  type DirectRequest,
} from './direct-connection.js';
import type { PatientHttpHandlerOptions } from './patient-http-handler.js';
import { QuickAckAgent } from '../http/quick-ack-agent.js';
import { isAnsweredSoon, type RequestShape, type ReusedConnections } from '../http/reused-connections.js';

/** Servers close connections that were idle for a minute or so (Ceph: 65 s); being first avoids a lost request. */
export const idleSocketTimeoutMs = 30_000;

export class ConnectionPool {
  readonly #endpoint: URL;
  readonly #allowedServers: AllowedServers;
  readonly #options: ConnectionOptions;
  readonly #reused: ReusedConnections;
  readonly #httpsAgent: PatientHttpHandlerOptions['httpsAgent'];
  readonly #open = new Set<DirectConnection>();
  /** The most recently used last, and used first: the others may close. */
  readonly #idle: DirectConnection[] = [];

  /** The agents say what TLS needs to know. */
  constructor(endpoint: URL, options: PatientHttpHandlerOptions) {
    const { allowedServers, httpsAgent, connectTimeoutMs, idleTimeoutMs, reused } = options;
    this.#endpoint = endpoint;
    this.#allowedServers = allowedServers;
    this.#reused = reused;
    this.#httpsAgent = httpsAgent;
    reused.onSilence(() => this.#closeIdle());
    const isSecure = endpoint.protocol === 'https:';
    const host = endpoint.hostname.replace(/^\[(.*)\]$/, '$1');
    this.#options = {
      isSecure,
      connect: {
        ...checkedTls,
        ...(!isSecure && { lookup: lookUpLoopback }),
        host,
        ...(net.isIP(host) === 0 && { servername: host }),
        port: Number(endpoint.port || (isSecure ? 443 : 80)),
        ALPNProtocols: ['http/1.1'],
      },
      connectTimeoutMs,
      idleTimeoutMs,
      acknowledgeAtOnce: (socket: net.Socket) => {
        if (isSecure && httpsAgent instanceof QuickAckAgent) httpsAgent.acknowledgeAtOnce(socket);
      },
    };
  }

  /** As `DirectConnection.send`, and with a StoreError of code `ServerRefused` if requests may not go to the endpoint. */
  async send(request: DirectRequest, signal: AbortSignal): Promise<DirectReply> {
    signal.throwIfAborted();
    const name = `${request.method} ${request.path}`;
    const idle = this.#reused.takeDoubt(name) ? undefined : this.#takeIdle();
    const connection = idle ?? this.#connect();
    const reply = await connection.send(
      request,
      signal,
      idle && isAnsweredSoon(shapeOf(request))
        ? { afterMs: this.#reused.firstByteTimeoutMs, onSilent: () => this.#reused.noteSilent(name) }
        : undefined,
    );
    if (connection.isUsable) {
      connection.rest(idleSocketTimeoutMs);
      this.#idle.push(connection);
    }
    return reply;
  }

  /** Requests under way fail. */
  close(): void {
    for (const connection of this.#open) connection.close();
  }

  #closeIdle(): void {
    for (const connection of this.#idle.splice(0)) connection.close();
  }

  #takeIdle(): DirectConnection | undefined {
    for (;;) {
      const connection = this.#idle.pop();
      if (!connection || connection.isUsable) return connection;
    }
  }

  #connect(): DirectConnection {
    const { protocol, hostname, port } = this.#endpoint;
    requireAllowedServer(
      { protocol, hostname, port: port === '' ? undefined : Number(port) },
      this.#allowedServers,
    );
    // What is trusted may have changed.
    const { ca, secureContext } = this.#httpsAgent.options;
    const secure: TlsOptions = { ...(ca !== undefined && { ca }), ...(secureContext && { secureContext }) };
    const options = { ...this.#options, connect: { ...this.#options.connect, ...secure } };
    const connection = new DirectConnection(options, () => {
      this.#open.delete(connection);
      const at = this.#idle.indexOf(connection);
      if (at >= 0) this.#idle.splice(at, 1);
    });
    this.#open.add(connection);
    return connection;
  }
}

function shapeOf({ method, path, body }: DirectRequest): RequestShape {
  const bodyBytes = Buffer.isBuffer(body) ? body.length : body === undefined ? 0 : Infinity;
  return { method, path, bodyBytes, isCopy: false };
}
