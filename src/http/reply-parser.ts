/**
 * Parses the heads of replies, and bodies of unknown length: http-parser-js with a guard before it. The parser takes negative
 * lengths for steps back, and accepts endless interim replies, trailers and chunk sizes. The guard looks at each byte once, and
 * limits what is kept of a reply.
 */
import { HTTPParser } from 'http-parser-js';

export interface ReplyHead {
  readonly status: number;
  /** Names in lower case; values of one name are joined. */
  readonly headers: ReadonlyMap<string, string>;
  readonly keepsAlive: boolean;
  /** Of the body; undefined if that tells its end as it goes. */
  readonly length: number | undefined;
}

/** Exceptions go through to `feed`. */
interface ReplyHandlers {
  /** Not for interim replies. Whether there is a body that comes by `onBody`. */
  readonly onHead: (head: ReplyHead) => boolean;
  readonly onBody: (bytes: Buffer) => void;
  /** Also after the head of a body that is read elsewhere. `isFollowed`: bytes have come that belong to no reply, or to that body. */
  readonly onComplete: (isFollowed: boolean) => void;
}

/** Of heads, interim replies and bodies of unknown length, for one request. */
const maxParsedBytes = 512 * 1024;
const maxInterimReplies = 10;
/** RFC 9110, 8.6; fifteen digits are exact in a number. */
const contentLength = /^\d{1,15}$/;

/** As Node's own parser: each byte of a header is one character. By itself it would drop the highest bit of each. */
HTTPParser.encoding = 'latin1';

/** What `kOnHeadersComplete` returns: parse the body, go on behind the head, or stop there. */
const parseBody = 0;
const goOn = 1;
const stop = 2;

/** Of http-parser-js 0.5, not in its types. */
interface ParserState {
  readonly offset: number;
  readonly end: number;
  readonly body_bytes: number | null;
  BODY_CHUNKHEAD(): void;
}

export class ReplyParser {
  readonly #parser = new HTTPParser(HTTPParser.RESPONSE);
  readonly #handlers: ReplyHandlers;
  #parsedBytes = 0;
  #interimReplies = 0;

  constructor(handlers: ReplyHandlers) {
    this.#handlers = handlers;
    this.#parser[HTTPParser.kOnHeadersComplete] = ({ statusCode, headers, shouldKeepAlive }) =>
      this.#onHead(statusCode, headers, shouldKeepAlive);
    this.#parser[HTTPParser.kOnBody] = (chunk, offset, length) =>
      handlers.onBody(chunk.subarray(offset, offset + length));
    const state = this.#parser as unknown as ParserState;
    this.#parser[HTTPParser.kOnMessageComplete] = () => handlers.onComplete(state.offset < state.end);
    const parseChunkHead = state.BODY_CHUNKHEAD.bind(state);
    state.BODY_CHUNKHEAD = () => {
      parseChunkHead();
      if (state.body_bytes !== null && !(state.body_bytes >= 0)) throw invalidReply('a chunk has no size');
    };
  }

  /** A request is about to be sent: what comes from now on is of its reply. */
  expectReply(): void {
    this.#parsedBytes = 0;
    this.#interimReplies = 0;
  }

  /** Returns how many bytes it took: those behind belong to a body that is read elsewhere. Throws an error of code `HPE_…`. */
  feed(bytes: Buffer, length: number): number {
    this.#parsedBytes += length;
    if (this.#parsedBytes > maxParsedBytes) throw invalidReply('it has no end');
    const parsed = this.#parser.execute(bytes, 0, length);
    if (parsed instanceof Error) throw parsed;
    return parsed;
  }

  /** The connection has ended, as replies of unknown length do. Throws if something is missing. */
  finish(): void {
    const error = this.#parser.finish();
    if (error instanceof Error) throw error;
  }

  #onHead(status: number, fields: readonly string[], keepsAlive: boolean): number {
    const headers = new Map<string, string>();
    for (let at = 0; at < fields.length; at += 2) {
      const name = (fields[at] ?? '').toLowerCase();
      const value = fields[at + 1] ?? '';
      const former = headers.get(name);
      headers.set(name, former === undefined ? value : `${former}, ${value}`);
    }
    const length = lengthOf(headers);
    if (status < 200) {
      this.#interimReplies += 1;
      if (status === 101) throw invalidReply('another protocol, which nobody asked for');
      if (this.#interimReplies > maxInterimReplies) throw invalidReply('too many interim replies');
      return goOn;
    }
    // RFC 9112, 6.3
    const isEmpty = status === 204 || status === 304;
    const isParsed = this.#handlers.onHead({ status, headers, keepsAlive, length: isEmpty ? 0 : length });
    return isParsed ? parseBody : stop;
  }
}

/** Throws if the headers do not say clearly where the reply ends. */
function lengthOf(headers: ReplyHead['headers']): number | undefined {
  const length = headers.get('content-length');
  const encoding = headers.get('transfer-encoding');
  if (length !== undefined && encoding !== undefined) throw invalidReply('two ways to tell its end');
  if (encoding !== undefined && encoding.toLowerCase() !== 'chunked')
    throw invalidReply('a transfer coding that nobody asked for');
  if (length === undefined) return undefined;
  if (!contentLength.test(length)) throw invalidReply('its length is no number of bytes');
  return Number(length);
}

/** What came is not HTTP, or not the reply to what was asked. */
export function invalidReply(message: string, code = 'HPE_INVALID'): Error {
  return Object.assign(new Error(message), { code });
}
