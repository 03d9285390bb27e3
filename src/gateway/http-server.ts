/** HTTP and HTTPS by Koa: receives requests, sends replies, limits size and time. The operations know what requests mean. */
import { randomBytes } from 'node:crypto';
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import Koa from 'koa';
import { guarded } from '../guarded.js';
import type { Log } from '../log.js';
import { errorReply, logError, toS3Error } from './error-reply.js';
import type { GatewayReply } from './gateway-reply.js';
import { parseS3Request, type S3Request } from './request.js';

export interface Listening {
  readonly host: string;
  /** The port that the system chose, if 0 was given. */
  readonly port: number;
  /** Lets requests under way finish, for at most `graceMs`. */
  close(graceMs: number): Promise<void>;
}

interface HttpServerOptions {
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  /** Undefined: plain HTTP. PEM. */
  readonly tls: { readonly certificate: string; readonly privateKey: string } | undefined;
  readonly limits: HttpLimits;
  readonly log: Log;
  readonly handle: (request: S3Request) => Promise<GatewayReply>;
}

export interface HttpLimits {
  /** Further ones are closed at once. */
  readonly maxConnections: number;
  /** How long a connection may stand still in a request or reply. */
  readonly idleTimeoutMs: number;
  /** How long a whole request may take to arrive. */
  readonly requestTimeoutMs: number;
}

/** As much as RGW takes, of all headers together. */
const maxHeaderBytes = 16 * 1024;
const headersTimeoutMs = 20_000;
/** As RGW: longer than clients keep idle connections, so that the clients close them. */
const keepAliveTimeoutMs = 65_000;

/** Rejects with the system's error if the address cannot be had. */
export async function listen(options: HttpServerOptions): Promise<Listening> {
  const { tls, limits, host, log } = options;
  /** Requests whose client waits to be told to send the body. */
  const waiting = new WeakSet<IncomingMessage>();
  let isClosing = false;
  const app = new Koa();
  app.on('error', (error: unknown) => log.debug({ err: error }, 'a reply was not read to its end'));
  app.use(async (koa) => {
    const requestId = randomBytes(8).toString('hex');
    const reply = await answer(options, koa.req, koa.res, waiting, requestId);
    if (isClosing || waiting.has(koa.req)) koa.set('connection', 'close');
    koa.set('x-amz-request-id', requestId);
    koa.set('server', 'osirisfs-gateway');
    send(koa, reply, log);
  });
  const handle = app.callback();
  const settings = {
    maxHeaderSize: maxHeaderBytes,
    requestTimeout: limits.requestTimeoutMs,
    headersTimeout: Math.min(headersTimeoutMs, limits.requestTimeoutMs),
    keepAliveTimeout: keepAliveTimeoutMs,
    noDelay: true,
  };
  const server: Server =
    tls === undefined
      ? createHttpServer(settings)
      : createHttpsServer({ ...settings, cert: tls.certificate, key: tls.privateKey, minVersion: 'TLSv1.2' });
  server.maxConnections = limits.maxConnections;
  server.timeout = limits.idleTimeoutMs;
  // Koa answers errors of its middleware. This is for errors before that, and of the answer itself.
  const lose = (error: unknown, _request: IncomingMessage, response: ServerResponse): void => {
    log.error({ err: error }, 'a request could not be answered');
    response.destroy();
  };
  server.on('request', guarded(handle, lose));
  server.on(
    'checkContinue',
    guarded((request: IncomingMessage, response: ServerResponse) => {
      waiting.add(request);
      return handle(request, response);
    }, lose),
  );
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  server.on('error', (error) => log.error({ err: error }, 'the server failed'));
  return {
    host,
    port: (server.address() as AddressInfo).port,
    close: (graceMs) => {
      isClosing = true;
      return closeServer(server, graceMs);
    },
  };
}

/** Never rejects. */
async function answer(
  { tls, handle, log }: HttpServerOptions,
  message: IncomingMessage,
  response: ServerResponse,
  waiting: WeakSet<IncomingMessage>,
  requestId: string,
): Promise<GatewayReply> {
  const sendContinue = () => {
    if (waiting.delete(message)) response.writeContinue();
  };
  const { method = '', url = '' } = message;
  const resource = url.replace(/\?.*$/s, ''); // the query of a presigned address holds the signature
  try {
    return await handle(parseS3Request(message, tls !== undefined, sendContinue));
  } catch (error) {
    const told = toS3Error(error);
    // Many clients send the whole body before they read the reply. Node discards only bodies that nobody began to read.
    if (!waiting.has(message)) message.resume();
    const isGone = message.destroyed && !message.complete;
    if (isGone) log.debug({ requestId, method, resource }, 'a client left before its request was complete');
    else logError(log, told, { requestId, method, resource });
    return errorReply(told, method, resource, requestId);
  }
}

/** Size of the last piece of a body: far below what a socket takes before it is full (16 KiB). */
const lastPieceBytes = 4096;

/**
 * Ends with a short piece. A client may send its next request as soon as it has the whole reply. If the socket is still full
 * then, Node pauses the parser, takes the bytes that TLS still delivers for bad HTTP (HPE_PAUSED), and resets the connection.
 */
function streamOf(body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Readable {
  async function* pieces(): AsyncGenerator<Uint8Array> {
    let last: Uint8Array | undefined;
    for await (const piece of body) {
      if (last !== undefined) yield last;
      last = piece;
    }
    if (last === undefined) return;
    const split = Math.max(0, last.length - lastPieceBytes);
    if (split > 0) yield last.subarray(0, split);
    yield last.subarray(split);
  }
  return Readable.from(pieces(), { objectMode: false, highWaterMark: 256 * 1024 });
}

function send(koa: Koa.Context, reply: GatewayReply, log: Log): void {
  const { status, headers, body, done } = reply;
  if (done !== undefined) {
    void finished(koa.res)
      .catch(() => undefined) // the client left, or the body failed; both are reported elsewhere
      .then(done)
      .catch((error: unknown) => log.error({ err: error }, 'a file could not be given back'));
  }
  if (typeof body === 'string') {
    const bytes = Buffer.from(body);
    koa.body = streamOf([bytes]);
    koa.length = bytes.length;
  } else {
    koa.body = body === undefined ? null : streamOf(body);
  }
  koa.status = status; // after the body: without one Koa makes it 204
  // After the body, which sets some of its own. Through Node, since Koa knows no bytes of headers but ASCII.
  for (const [name, value] of Object.entries(headers)) koa.res.setHeader(name, value);
  if (body === undefined && status !== 204 && status !== 304 && headers['content-length'] === undefined) {
    koa.res.setHeader('content-length', 0);
  }
}

async function closeServer(server: Server, graceMs: number): Promise<void> {
  const timer = setTimeout(() => server.closeAllConnections(), graceMs);
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
  });
  clearTimeout(timer);
}
