/** Agents that give up a request on a connection that was used again and stays silent; see `ReusedConnections`. */
import http, { type ClientRequest } from 'node:http';
import https from 'node:https';
import type { Duplex } from 'node:stream';
import { isAnsweredSoon, type ReusedConnections, SilentConnectionError } from './reused-connections.js';

export class WatchedHttpAgent extends http.Agent {
  readonly #reused: ReusedConnections;

  constructor(options: http.AgentOptions, reused: ReusedConnections) {
    super(options);
    this.#reused = reused;
  }

  override reuseSocket(socket: Duplex, request: ClientRequest): void {
    super.reuseSocket(socket, request);
    watch(request, this.#reused);
  }
}

export class WatchedHttpsAgent extends https.Agent {
  readonly #reused: ReusedConnections | undefined;

  /** `reused` undefined: reused connections are not watched. */
  constructor(options: https.AgentOptions, reused: ReusedConnections | undefined) {
    super(options);
    this.#reused = reused;
  }

  override reuseSocket(socket: Duplex, request: ClientRequest): void {
    super.reuseSocket(socket, request);
    if (this.#reused) watch(request, this.#reused);
  }
}

/** Closes the sockets that no request uses. */
export function closeIdleSockets({ freeSockets }: http.Agent): void {
  for (const sockets of Object.values(freeSockets)) {
    for (const socket of [...(sockets ?? [])]) socket.destroy();
  }
}

function watch(request: ClientRequest, { firstByteTimeoutMs }: ReusedConnections): void {
  const shape = {
    method: request.method,
    bodyBytes: Number(request.getHeader('content-length') ?? 0),
    isWork: request.method === 'POST', // a deletion of many objects: nothing else is posted here
  };
  if (!isAnsweredSoon(shape)) return;
  let timer: NodeJS.Timeout | undefined;
  request.once('finish', () => {
    timer = setTimeout(() => request.destroy(new SilentConnectionError()), firstByteTimeoutMs);
  });
  const stop = () => clearTimeout(timer);
  request.once('response', stop);
  request.once('close', stop);
}
