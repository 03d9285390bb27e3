/**
 * One connection to the server, for one request at a time. The head of a reply is read into a buffer of the connection, and a body
 * of known length straight to where it belongs: Node's own client makes a buffer of each TLS record (16 KiB), and collecting those
 * is most of what large replies cost it.
 *
 * A client of our own, because none does that: of the CPU per GiB of ranged GETs over TLS, this one took 0.95 s, libcurl 1.0, undici 7
 * 2.1. What a server may send to it is guarded by `reply-parser.ts`, and tried in `test/http/hostile-replies`.
 */
import net from 'node:net';
import { Readable } from 'node:stream';
import tls from 'node:tls';
import type { PieceMemory } from '../piece-memory.js';
import { maxDocumentBytes, ReceivedBody } from './received-body.js';
import { invalidReply, type ReplyHead, ReplyParser } from './reply-parser.js';
import { SilentConnectionError } from './reused-connections.js';

/** Name in lower case, value. Arrays of them cost less than objects with names that differ from request to request. */
export type HeaderField = readonly [name: string, value: string];

export interface HttpRequest {
  readonly method: 'DELETE' | 'GET' | 'HEAD' | 'POST' | 'PUT';
  /** With the query. */
  readonly path: string;
  /** `content-length` among them if there is a body. */
  readonly headers: readonly HeaderField[];
  readonly body: Buffer | Readable | undefined;
  /** Where the reply's body goes; see `ReceivedBody`. */
  readonly memory: PieceMemory | undefined;
  /** The most that a successful reply to GET may have; all others are documents. */
  readonly maxContentBytes: number;
  /** Whether the server works for long before it answers. */
  readonly isWork: boolean;
}

export interface HttpReply {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: ReceivedBody;
}

export interface ConnectionOptions {
  readonly isSecure: boolean;
  /** Host and port, and all that TLS needs to know. */
  readonly connect: tls.ConnectionOptions;
  /** Time for the connection, with the TLS handshake. */
  readonly connectTimeoutMs: number;
  /** A request fails after this long without a byte in either direction. */
  readonly idleTimeoutMs: number;
  /** The same, while the server works. */
  readonly workTimeoutMs: number;
  /** Makes the kernel acknowledge received data at once. Called when a request has been written. */
  readonly acknowledgeAtOnce: (socket: net.Socket) => void;
}

/** Gives up a request that was sent and has no byte of a reply. */
interface SilenceLimit {
  /** After this long. */
  readonly afterMs: number;
  /** Called before the request fails. */
  readonly onSilent: () => void;
}

interface Exchange {
  readonly request: HttpRequest;
  readonly resolve: (reply: HttpReply) => void;
  readonly reject: (error: Error) => void;
  /** Undefined before the head of the reply. */
  reply: HttpReply | undefined;
  isSent: boolean;
  readonly silence: SilenceLimit | undefined;
  /** Runs from the last byte sent to the first byte received. */
  silenceTimer: NodeJS.Timeout | undefined;
  isAnswered: boolean;
}

/** The code of the error of a reply that has more content than was asked for. */
export const tooMuchContent = 'HPE_TOO_MUCH_CONTENT';

/** For heads, and bodies of unknown length. As much as libuv reads at once. */
const readBytes = 64 * 1024;

export class HttpConnection {
  readonly #socket: net.Socket;
  readonly #options: ConnectionOptions;
  readonly #parser: ReplyParser;
  readonly #connecting: NodeJS.Timeout;
  /** Undefined between requests. */
  #exchange: Exchange | undefined;
  /** The body of the current reply, if the next bytes belong to it. */
  #body: ReceivedBody | undefined;
  readonly #readBuffer = Buffer.allocUnsafeSlow(readBytes);
  #keepsAlive = true;

  /** `onClose` is called once, whatever the reason. */
  constructor(options: ConnectionOptions, onClose: () => void) {
    this.#options = options;
    const onread = {
      buffer: () => this.#room(),
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
    this.#parser = new ReplyParser({
      onHead: (head) => this.#onHead(head),
      onBody: (bytes) => this.#onBody(bytes),
      onComplete: (isFollowed) => {
        if (this.#body) return; // only its head
        if (isFollowed) this.#keepsAlive = false; // the rest cannot be told apart
        this.#onComplete();
      },
    });
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
  async send(request: HttpRequest, signal: AbortSignal, silence?: SilenceLimit): Promise<HttpReply> {
    const head = headOf(request);
    this.#socket.ref();
    const { idleTimeoutMs, workTimeoutMs } = this.#options;
    this.#socket.setTimeout(request.isWork ? workTimeoutMs : idleTimeoutMs);
    const abort = () => this.#fail(Object.assign(new Error('aborted'), { name: 'AbortError' }));
    signal.addEventListener('abort', abort, { once: true });
    try {
      return await new Promise<HttpReply>((resolve, reject) => {
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
        this.#parser.expectReply();
        if (signal.aborted) abort();
        else this.#write(head, exchange);
      });
    } finally {
      signal.removeEventListener('abort', abort);
      if (request.body instanceof Readable) request.body.destroy();
    }
  }

  /** The connection is idle now. It closes by itself after this time, and does not keep the process alive. */
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

  /** Nothing that a server sends may end the process. A failure while reading fails only the request and its connection. */
  #failReading(error: unknown): void {
    this.#fail(notHttp(error instanceof Error ? error : new Error(String(error))));
  }

  /** Where the next bytes go. */
  #room(): Uint8Array {
    try {
      return this.#body?.room() ?? this.#readBuffer;
    } catch (error) {
      this.#failReading(error);
      return this.#readBuffer;
    }
  }

  #receive(length: number): void {
    try {
      this.#take(length);
    } catch (error) {
      this.#failReading(error);
    }
  }

  /** `length` bytes have arrived, in the room of `#body` or else in `#readBuffer`. */
  #take(length: number): void {
    // Bytes without a request: often the server's notice that it closes an idle connection.
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
    const parsed = this.#parser.feed(this.#readBuffer, length);
    this.#beginBody(this.#readBuffer.subarray(parsed, length));
  }

  /** `bytes` came with the end of the head. */
  #beginBody(bytes: Buffer): void {
    const body = this.#body;
    if (!body) return;
    if (body.add(bytes) < bytes.length) this.#keepsAlive = false; // the rest cannot be told apart
    this.#completeBody(body);
  }

  #completeBody(body: ReceivedBody): void {
    if (!body.isWhole) return;
    this.#body = undefined;
    this.#onComplete();
  }

  /** Whether the parser reads the body. */
  #onHead({ status, headers, keepsAlive, length }: ReplyHead): boolean {
    const exchange = this.#exchange;
    if (!exchange) throw invalidReply('nobody asked for it');
    this.#keepsAlive = keepsAlive;
    const { method, memory, maxContentBytes } = exchange.request;
    const isContent = isContentOf(exchange.request, status);
    const maxBytes = isContent ? maxContentBytes : maxDocumentBytes;
    let bodyLength = method === 'HEAD' ? 0 : length;
    if (bodyLength !== undefined && bodyLength > maxBytes) {
      if (isContent)
        throw invalidReply(`${bodyLength} bytes, where at most ${maxBytes} were asked for`, tooMuchContent);
      // The status says enough.
      bodyLength = 0;
      this.#keepsAlive = false;
    }
    const body = new ReceivedBody(bodyLength, memory);
    exchange.reply = { status, headers, body };
    if (bodyLength === undefined) return true;
    if (bodyLength > 0) this.#body = body;
    return false;
  }

  /** Bytes of a body of unknown length. */
  #onBody(bytes: Buffer): void {
    const exchange = this.#exchange;
    if (!exchange?.reply || exchange.reply.body.add(bytes) === bytes.length) return;
    if (isContentOf(exchange.request, exchange.reply.status))
      throw invalidReply('much content, and nothing to tell where it ends');
    this.#keepsAlive = false;
    this.#onComplete();
  }

  #onComplete(): void {
    const exchange = this.#exchange;
    if (!exchange?.reply) return; // an interim reply
    // The server would take the rest for another request.
    if (!exchange.isSent) this.#keepsAlive = false;
    this.#exchange = undefined;
    exchange.resolve(exchange.reply);
    if (!this.#keepsAlive) this.close();
  }

  /** Replies without a length end with the connection. */
  #onEnd(): void {
    if (!this.#exchange) return;
    if (!this.#exchange.reply) this.#fail(errorOf('ECONNRESET', 'the connection ended before a reply'));
    else if (this.#body) this.#fail(invalidReply('it ended too early'));
    else this.#finish();
  }

  #finish(): void {
    try {
      this.#parser.finish();
    } catch (error) {
      this.#failReading(error);
    }
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

/** All other replies are documents: what the server has done, or why not. */
function isContentOf({ method }: HttpRequest, status: number): boolean {
  return method === 'GET' && status >= 200 && status < 300;
}

/** RFC 9110, 5.6.2. */
const token = /^[\w!#$%&'*+.^`|~-]+$/;
/** RFC 9110, field values; the rest of what Latin-1 has is control characters, which could begin another line. */
const forbidden = /[^\t\x20-\x7e\x80-\xff]/;

function headOf({ method, path, headers }: HttpRequest): string {
  let head = `${method} ${path} HTTP/1.1\r\n`;
  for (const [name, value] of headers) {
    if (!token.test(name) || forbidden.test(value))
      throw errorOf(
        'ERR_INVALID_CHAR',
        `a header has a character that none can have: ${JSON.stringify(name)}`,
      );
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
  return typeof code === 'string' && code.startsWith('HPE_') ? error : invalidReply(error.message);
}

function timeoutError(what: string): Error {
  return Object.assign(new Error(what), { name: 'TimeoutError' });
}
