/**
 * Decodes `aws-chunked` bodies, and checks the signature of each chunk and of the trailer:
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html and …/sigv4-streaming-trailers.html
 */
import { createHash } from 'node:crypto';
import { S3Error } from '../s3-error.js';
import { emptySha256, sha256Hex, signatureAlgorithm, signatureOf } from '../../signature-v4.js';
import { requireSameSignature } from './access-keys.js';
import type { ChunkSigning } from './check-signature-v4.js';

/** A chunk's line, or one of the trailer's. */
const maxLineBytes = 1024;
const maxTrailerLines = 16;
const newline = 0x0a;

interface ChunkedBody {
  readonly bytes: AsyncGenerator<Buffer>;
  /** By lower-case name. Filled when `bytes` has ended. */
  readonly trailer: ReadonlyMap<string, string>;
}

/** `signing` undefined: the chunks are not signed. */
export function decodeChunks(source: AsyncIterable<Buffer>, signing: ChunkSigning | undefined): ChunkedBody {
  const trailer = new Map<string, string>();
  return { bytes: chunksOf(new ByteReader(source), signing, trailer), trailer };
}

async function* chunksOf(
  reader: ByteReader,
  signing: ChunkSigning | undefined,
  trailer: Map<string, string>,
): AsyncGenerator<Buffer> {
  let previous = signing?.signature ?? '';
  for (;;) {
    const [, hexSize, signature] = /^([0-9a-f]{1,10})(?:;chunk-signature=([0-9a-f]{64}))?$/i.exec(
      await reader.line(),
    ) ?? [undefined, undefined, undefined];
    if (hexSize === undefined) throw incomplete('a chunk has no size');
    const hash = createHash('sha256');
    const size = parseInt(hexSize, 16);
    for (let left = size; left > 0;) {
      const piece = await reader.some(left);
      hash.update(piece);
      left -= piece.length;
      yield piece;
    }
    if (signing !== undefined) {
      const expected = chunkSignature(signing, 'PAYLOAD', [previous, emptySha256, hash.digest('hex')]);
      requireSameSignature(expected, signature);
      previous = expected;
    }
    if (size === 0) break;
    if ((await reader.line()) !== '') throw incomplete('a chunk is longer than it says');
  }
  await readTrailer(reader, trailer);
  if (signing !== undefined && trailer.size > 0) {
    const given = trailer.get('x-amz-trailer-signature');
    trailer.delete('x-amz-trailer-signature');
    const text = [...trailer].map(([name, value]) => `${name}:${value}\n`).join('');
    requireSameSignature(chunkSignature(signing, 'TRAILER', [previous, sha256Hex(text)]), given);
  }
}

async function readTrailer(reader: ByteReader, trailer: Map<string, string>): Promise<void> {
  for (let lines = 0; lines < maxTrailerLines; lines += 1) {
    if (await reader.isAtEnd()) return; // some clients leave the last empty line out
    const line = await reader.line();
    if (line === '') continue;
    const at = line.indexOf(':');
    trailer.set(line.slice(0, at).trim().toLowerCase(), line.slice(at + 1).trim());
  }
}

function chunkSignature(
  signing: ChunkSigning,
  what: 'PAYLOAD' | 'TRAILER',
  lines: readonly string[],
): string {
  const text = [`${signatureAlgorithm}-${what}`, signing.dateTime, signing.scope, ...lines].join('\n');
  return signatureOf(signing.signingKey, text);
}

function incomplete(reason: string): S3Error {
  return new S3Error('IncompleteBody', `The body is not well-formed aws-chunked: ${reason}.`);
}

/** Reads lines and bytes from a stream. Holds no more than the last piece and one line. */
class ByteReader {
  readonly #source: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  async isAtEnd(): Promise<boolean> {
    return this.#rest.length === 0 && !(await this.#fill());
  }

  /** Without its end, which is CR LF. */
  async line(): Promise<string> {
    for (;;) {
      const at = this.#rest.indexOf(newline);
      if (at !== -1) {
        const line = this.#rest.subarray(0, at).toString('latin1').replace(/\r$/, '');
        this.#rest = this.#rest.subarray(at + 1);
        return line;
      }
      if (this.#rest.length > maxLineBytes) throw incomplete('a line is too long');
      if (!(await this.#fill())) throw incomplete('it ends too early');
    }
  }

  /** From 1 to `most` bytes. */
  async some(most: number): Promise<Buffer> {
    if (this.#rest.length === 0 && !(await this.#fill())) throw incomplete('it ends too early');
    const bytes = this.#rest.subarray(0, most);
    this.#rest = this.#rest.subarray(bytes.length);
    return bytes;
  }

  async #fill(): Promise<boolean> {
    for (;;) {
      const next = await this.#source.next();
      if (next.done === true) return false;
      if (next.value.length === 0) continue;
      this.#rest = this.#rest.length === 0 ? next.value : Buffer.concat([this.#rest, next.value]);
      return true;
    }
  }
}
