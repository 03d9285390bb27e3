/** Connections to one server, kept open between requests. How many requests there are at once is left to the callers. */
import net, { type LookupFunction } from 'node:net';
import type { ConnectionOptions as TlsOptions } from 'node:tls';
import { checkedTls } from './certificate-authorities.js';
import { type ConnectionOptions, HttpConnection, type HttpReply, type HttpRequest } from './connection.js';
import { isAnsweredSoon, type RequestShape, type ReusedConnections } from './reused-connections.js';

/** Servers close connections that were idle for a minute or so (Ceph: 65 s); being first avoids a lost request. */
export const idleSocketTimeoutMs = 30_000;

export interface PoolOptions {
  /** Throws if nothing may be sent to the server. Called for each connection. */
  readonly requireAllowed: (server: URL) => void;
  /** Which certificates are trusted. Called for each connection, since that may change. */
  readonly trusted: () => Pick<TlsOptions, 'ca' | 'secureContext'>;
  /** For plain http; default: that of Node. */
  readonly plainLookup?: LookupFunction;
  /** For TLS, see `ConnectionOptions`. Default: the kernel decides when to acknowledge. */
  readonly acknowledgeAtOnce?: ((socket: net.Socket) => void) | undefined;
  readonly connectTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly workTimeoutMs: number;
  readonly reused: ReusedConnections;
}

export class ConnectionPool {
  readonly #server: URL;
  readonly #options: PoolOptions;
  readonly #open = new Set<HttpConnection>();
  /** The most recently used one is last, and is used first, so that the others can close. */
  readonly #idle: HttpConnection[] = [];
  /** Set while there are connections, so that `reused` does not keep an empty pool. */
  #stopListening: (() => void) | undefined;

  constructor(server: URL, options: PoolOptions) {
    this.#server = server;
    this.#options = options;
  }

  /** As `HttpConnection.send`. Rejects also with what `requireAllowed` throws. */
  async send(request: HttpRequest, signal: AbortSignal): Promise<HttpReply> {
    signal.throwIfAborted();
    const { reused } = this.#options;
    const name = `${request.method} ${request.path}`;
    const idle = reused.takeDoubt(name) ? undefined : this.#takeIdle();
    const connection = idle ?? this.#connect();
    const reply = await connection.send(
      request,
      signal,
      idle && isAnsweredSoon(shapeOf(request))
        ? { afterMs: reused.firstByteTimeoutMs, onSilent: () => reused.noteSilent(name) }
        : undefined,
    );
    if (connection.isUsable) {
      connection.rest(idleSocketTimeoutMs);
      this.#idle.push(connection);
    }
    return reply;
  }

  /** Whether there is no connection, so that a new pool for the server would be as good. */
  get isEmpty(): boolean {
    return this.#open.size === 0;
  }

  /** Requests under way fail. */
  close(): void {
    for (const connection of this.#open) connection.close();
  }

  #closeIdle(): void {
    for (const connection of this.#idle.splice(0)) connection.close();
  }

  #takeIdle(): HttpConnection | undefined {
    for (;;) {
      const connection = this.#idle.pop();
      if (!connection || connection.isUsable) return connection;
    }
  }

  #connect(): HttpConnection {
    this.#options.requireAllowed(this.#server);
    const connection = new HttpConnection(this.#connectionOptions(), () => {
      this.#open.delete(connection);
      const at = this.#idle.indexOf(connection);
      if (at >= 0) this.#idle.splice(at, 1);
      if (!this.isEmpty) return;
      this.#stopListening?.();
      this.#stopListening = undefined;
    });
    this.#open.add(connection);
    this.#stopListening ??= this.#options.reused.onSilence(() => this.#closeIdle());
    return connection;
  }

  #connectionOptions(): ConnectionOptions {
    const { trusted, plainLookup, acknowledgeAtOnce, connectTimeoutMs, idleTimeoutMs, workTimeoutMs } =
      this.#options;
    const isSecure = this.#server.protocol === 'https:';
    const host = this.#server.hostname.replace(/^\[(.*)\]$/, '$1');
    return {
      isSecure,
      connect: {
        ...checkedTls,
        ...trusted(),
        ...(!isSecure && plainLookup && { lookup: plainLookup }),
        host,
        ...(net.isIP(host) === 0 && { servername: host }),
        port: Number(this.#server.port || (isSecure ? 443 : 80)),
        ALPNProtocols: ['http/1.1'],
      },
      connectTimeoutMs,
      idleTimeoutMs,
      workTimeoutMs,
      acknowledgeAtOnce: (socket) => {
        if (isSecure) acknowledgeAtOnce?.(socket);
      },
    };
  }
}

function shapeOf({ method, body, isWork }: HttpRequest): RequestShape {
  const bodyBytes = Buffer.isBuffer(body) ? body.length : body === undefined ? 0 : Infinity;
  return { method, bodyBytes, isWork };
}
