/**
 * One connection to the server, for one request at a time. The head of a reply is read into a buffer of the connection, and a body
 * of known length straight to where it belongs: Node's own client makes a buffer of each TLS record (16 KiB), and collecting those
 * is most of what large replies cost it.
 */
import net from 'node:net';
import { Readable } from 'node:stream';
import tls from 'node:tls';
import { HTTPParser } from 'http-parser-js';
import { type PieceMemory, ReceivedBody } from './received-body.js';
import { SilentConnectionError } from './reused-connections.js';
import type { HeaderField } from './signature-v4.js';

export interface DirectRequest {
  readonly method: 'DELETE' | 'GET' | 'HEAD' | 'PUT';
  /** With the query. */
  readonly path: string;
  /** `content-length` among them if there is a body. */
  readonly headers: readonly HeaderField[];
  readonly body: Buffer | Readable | undefined;
  /** See `ReceivedBody`. */
  readonly pieces: PieceMemory | undefined;
}

export interface DirectReply {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: ReceivedBody;
}

export interface ConnectionOptions {
  readonly isSecure: boolean;
  /** Host and port, and all that TLS needs to know. */
  readonly connect: tls.ConnectionOptions;
  /** Until the server has been greeted, by TLS too. */
  readonly connectTimeoutMs: number;
  /** A request fails if no byte moves in either direction for so long. */
  readonly idleTimeoutMs: number;
  /** Makes the kernel acknowledge what comes at once; called when a request has been written. */
  readonly acknowledgeAtOnce: (socket: net.Socket) => void;
}

/** Gives a request up that has been sent and has not one byte of a reply. */
export interface SilenceLimit {
  /** After this long. */
  readonly afterMs: number;
  /** Called before the request fails. */
  readonly onSilent: () => void;
}

interface Exchange {
  readonly request: DirectRequest;
  readonly resolve: (reply: DirectReply) => void;
  readonly reject: (error: Error) => void;
  /** Undefined before the head of the reply. */
  reply: DirectReply | undefined;
  isSent: boolean;
  readonly silence: SilenceLimit | undefined;
  /** Runs from the sending to the first byte. */
  silenceTimer: NodeJS.Timeout | undefined;
  isAnswered: boolean;
}

/** For heads, and bodies of unknown length. As much as libuv reads at once. */
const readBytes = 64 * 1024;
/** As Node's own parser: each byte of a header is one character. By itself it would drop the highest bit of each. */
HTTPParser.encoding = 'latin1';

/** To http-parser-js: what follows the head is no business of the parser. */
const bodyIsReadElsewhere = 2;

export class DirectConnection {
  readonly #socket: net.Socket;
  readonly #options: ConnectionOptions;
  readonly #parser = new HTTPParser(HTTPParser.RESPONSE);
  readonly #connecting: NodeJS.Timeout;
  /** Undefined while nothing is asked. */
  #exchange: Exchange | undefined;
  /** That of the reply under way, if what is read next belongs to it. */
  #body: ReceivedBody | undefined;
  readonly #readBuffer = Buffer.allocUnsafeSlow(readBytes);
  #keepsAlive = true;

  /** `onClose` is called once, whatever the reason. */
  constructor(options: ConnectionOptions, onClose: () => void) {
    this.#options = options;
    const onread = {
      buffer: () => this.#body?.room() ?? this.#readBuffer,
      callback: (length: number) => {
        this.#receive(length);
        return true;
      },
    };
    const { isSecure, connect, connectTimeoutMs, idleTimeoutMs } = options;
    const { host = '', port = 0, lookup } = connect;
    const place = { host, port, onread, noDelay: true, ...(lookup && { lookup }) };
    this.#socket = isSecure
      ? // The types lack `onread`, which https://nodejs.org/api/tls.html#tlsconnectoptions-callback takes from net.
        tls.connect({ ...connect, ...place } as tls.ConnectionOptions)
      : net.connect(place);
    this.#connecting = setTimeout(() => this.#fail(timeoutError('no connection')), connectTimeoutMs);
    this.#socket.once(isSecure ? 'secureConnect' : 'connect', () => clearTimeout(this.#connecting));
    this.#socket.setTimeout(idleTimeoutMs, () => this.#fail(timeoutError('nothing moved')));
    this.#socket.on('error', (error) => this.#fail(error));
    this.#socket.once('end', () => this.#onEnd());
    this.#socket.once('close', () => {
      this.#fail(errorOf('ECONNRESET', 'the connection closed before a reply'));
      onClose();
    });
    this.#parser[HTTPParser.kOnHeadersComplete] = ({ statusCode, headers, shouldKeepAlive }) =>
      this.#onHead(statusCode, headers, shouldKeepAlive);
    this.#parser[HTTPParser.kOnBody] = (chunk, offset, length) =>
      this.#exchange?.reply?.body.add(chunk.subarray(offset, offset + length));
    this.#parser[HTTPParser.kOnMessageComplete] = () => this.#onComplete();
  }

  /** Whether another request may be sent. */
  get isUsable(): boolean {
    return this.#keepsAlive && this.#exchange === undefined && !this.#socket.destroyed;
  }

  /**
   * Resolves with the whole reply, of whatever status. Rejects with an error whose `code` is that of the socket, of OpenSSL or,
   * for what is no HTTP, `HPE_…`; of name `TimeoutError` if nothing moved, or nothing came by the limit of `silence`; with the
   * error of the request's body.
   */
  async send(request: DirectRequest, signal: AbortSignal, silence?: SilenceLimit): Promise<DirectReply> {
    const head = headOf(request);
    this.#socket.ref();
    this.#socket.setTimeout(this.#options.idleTimeoutMs);
    const abort = () => this.#fail(Object.assign(new Error('aborted'), { name: 'AbortError' }));
    signal.addEventListener('abort', abort, { once: true });
    try {
      return await new Promise<DirectReply>((resolve, reject) => {
        const exchange: Exchange = {
          request,
          resolve,
          reject,
          reply: undefined,
          isSent: false,
          silence,
          silenceTimer: undefined,
          isAnswered: false,
        };
        this.#exchange = exchange;
        if (signal.aborted) abort();
        else this.#write(head, exchange);
      });
    } finally {
      signal.removeEventListener('abort', abort);
      if (request.body instanceof Readable) request.body.destroy();
    }
  }

  /** Nothing is asked for now: it closes by itself after so long, and keeps no process from ending. */
  rest(idleMs: number): void {
    this.#socket.setTimeout(idleMs);
    this.#socket.unref();
  }

  close(): void {
    this.#socket.destroy();
  }

  #write(head: string, exchange: Exchange): void {
    const { body } = exchange.request;
    const onSent = () => {
      exchange.isSent = true;
      if (this.#socket.destroyed) return;
      this.#options.acknowledgeAtOnce(this.#socket);
      this.#limitSilence(exchange);
    };
    if (body === undefined) {
      this.#socket.write(head, 'latin1', onSent);
    } else if (Buffer.isBuffer(body)) {
      this.#socket.cork();
      this.#socket.write(head, 'latin1');
      this.#socket.write(body, onSent);
      this.#socket.uncork();
    } else {
      this.#socket.write(head, 'latin1');
      const [, length] = exchange.request.headers.find(([name]) => name === 'content-length') ?? [];
      this.#pipe(body, Number(length), onSent);
    }
  }

  #limitSilence(exchange: Exchange): void {
    const { silence } = exchange;
    if (!silence || exchange.isAnswered || this.#exchange !== exchange) return;
    exchange.silenceTimer = setTimeout(() => {
      silence.onSilent();
      this.#fail(new SilentConnectionError());
    }, silence.afterMs);
  }

  #pipe(body: Readable, length: number, onSent: () => void): void {
    let left = length;
    body.on('data', (chunk: Buffer) => {
      left -= chunk.length;
      if (left < 0) this.#fail(errorOf('ERR_INVALID_ARG_VALUE', 'the body is longer than announced'));
      else if (!this.#socket.write(chunk)) {
        body.pause();
        this.#socket.once('drain', () => body.resume());
      }
    });
    body.once('end', () => {
      if (left > 0) this.#fail(errorOf('ERR_INVALID_ARG_VALUE', 'the body is shorter than announced'));
      else this.#socket.write('', onSent);
    });
    body.once('error', (error) => this.#fail(error));
  }

  /** `length` bytes have come, into the room of `#body` or else into `#readBuffer`. */
  #receive(length: number): void {
    // What nobody asked for: often a server's notice that it closes an idle connection.
    if (!this.#exchange) {
      this.close();
      return;
    }
    if (!this.#exchange.isAnswered) {
      this.#exchange.isAnswered = true;
      clearTimeout(this.#exchange.silenceTimer);
    }
    if (this.#body) {
      this.#body.advance(length);
      this.#completeBody(this.#body);
      return;
    }
    const parsed = this.#parser.execute(this.#readBuffer, 0, length);
    if (parsed instanceof Error) this.#fail(notHttp(parsed));
    else this.#beginBody(this.#readBuffer.subarray(parsed, length));
  }

  /** `bytes` came with the end of the head. */
  #beginBody(bytes: Buffer): void {
    const body = this.#body;
    if (!body) return;
    if (body.add(bytes) < bytes.length) this.#keepsAlive = false; // nobody knows what the rest is
    this.#completeBody(body);
  }

  #completeBody(body: ReceivedBody): void {
    if (!body.isWhole) return;
    this.#body = undefined;
    this.#onComplete();
  }

  #onHead(status: number, headers: readonly string[], keepsAlive: boolean): number {
    const exchange = this.#exchange;
    if (!exchange || status < 200) return 0;
    this.#keepsAlive = keepsAlive;
    const byName = new Map<string, string>();
    for (let at = 0; at < headers.length; at += 2) {
      const name = (headers[at] ?? '').toLowerCase();
      const value = headers[at + 1] ?? '';
      const former = byName.get(name);
      byName.set(name, former === undefined ? value : `${former}, ${value}`);
    }
    const { method, pieces } = exchange.request;
    const length = method === 'HEAD' ? 0 : lengthOf(byName);
    const body = new ReceivedBody(length, pieces);
    exchange.reply = { status, headers: byName, body };
    if (method === 'HEAD') return 1;
    if (length === undefined || length === 0) return 0;
    this.#body = body;
    return bodyIsReadElsewhere;
  }

  #onComplete(): void {
    const exchange = this.#exchange;
    if (!exchange?.reply || this.#body) return; // an interim reply, or its head only
    // What follows would be taken for another request.
    if (!exchange.isSent) this.#keepsAlive = false;
    this.#exchange = undefined;
    exchange.resolve(exchange.reply);
    if (!this.#keepsAlive) this.close();
  }

  /** Replies without a length end with the connection. */
  #onEnd(): void {
    if (!this.#exchange) return;
    if (!this.#exchange.reply) this.#fail(errorOf('ECONNRESET', 'the connection ended before a reply'));
    else if (this.#body || this.#parser.finish() instanceof Error)
      this.#fail(notHttp(new Error('it ended too early')));
  }

  #fail(error: Error): void {
    clearTimeout(this.#connecting);
    const exchange = this.#exchange;
    this.#exchange = undefined;
    this.#body = undefined;
    this.#keepsAlive = false;
    this.#socket.destroy();
    if (!exchange) return;
    clearTimeout(exchange.silenceTimer);
    const isCut = exchange.reply !== undefined && Reflect.get(error, 'code') === 'ECONNRESET';
    exchange.reject(isCut ? notHttp(error) : error);
  }
}

/** Of a reply's body; undefined if it says so as it goes. */
function lengthOf(headers: DirectReply['headers']): number | undefined {
  if (headers.has('transfer-encoding')) return undefined;
  const length = Number(headers.get('content-length') ?? Number.NaN);
  return Number.isSafeInteger(length) && length >= 0 ? length : undefined;
}

/** RFC 9110, field values; the rest of what Latin-1 has is control characters, which could begin another line. */
const forbidden = /[^\t\x20-\x7e\x80-\xff]/;

function headOf({ method, path, headers }: DirectRequest): string {
  let head = `${method} ${path} HTTP/1.1\r\n`;
  for (const [name, value] of headers) {
    if (forbidden.test(value))
      throw errorOf('ERR_INVALID_CHAR', `${name} has a character that no header can have`);
    head += `${name}: ${value}\r\n`;
  }
  return `${head}\r\n`;
}

function errorOf(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}

/** What came is not HTTP, or ends within a reply. */
function notHttp(error: Error): Error {
  const code: unknown = Reflect.get(error, 'code');
  return typeof code === 'string' && code.startsWith('HPE_') ? error : errorOf('HPE_INVALID', error.message);
}

function timeoutError(what: string): Error {
  return Object.assign(new Error(what), { name: 'TimeoutError' });
}
