/**
 * Listing and reading: LIST, HEAD and GET, what their replies say, and what a server means that refuses the customer key.
 */
import { Readable } from 'node:stream';
import {
  GetObjectCommand,
  type GetObjectCommandInput,
  type GetObjectCommandOutput,
  HeadObjectCommand,
  type HeadObjectCommandOutput,
  ListObjectsV2Command,
} from '@aws-sdk/client-s3';
import { BoundedMap } from '../bounded-map.js';
import type { CustomerKey } from '../customer-key.js';
import { StoreError } from '../errors.js';
import type { Log } from '../log.js';
import {
  type GetReply,
  type GetRequest,
  type KeptHeaders,
  keptHeaderNames,
  mostBytesOf,
  type ListPage,
  type ListRequest,
  type ObjectInfo,
} from '../object-store.js';
import type { BucketClient } from './bucket-client.js';
import { maxBytesField, piecesField } from './direct-client.js';
import { tooMuchContent } from './direct-connection.js';
import { encryptionFields } from './encryption-fields.js';
import type { EncryptionProof } from './encryption-proof.js';
import { explanations, serverCodeOf, statusOf } from './error-codes.js';
import { quoteEtag, unquoteEtag } from './etag.js';
import { parseListPage } from './list-page.js';
import { type Guess, KeyMemory } from './key-memory.js';
import { ownText } from './own-text.js';
import { allocate, type PieceMemory, ReceivedBody } from '../http/received-body.js';
import { readExactly } from './reply-body.js';

/** What to do with objects that are stored without SSE-C; `warn` reads them, and logs the key of each version. */
export type PlaintextPolicy = 'refuse' | 'warn' | 'read';

/** Versions of unencrypted objects that have been logged: those that come after so many others are logged again. */
const maxLoggedVersions = 10_000;

export interface ObjectReaderOptions {
  readonly bucket: BucketClient;
  readonly customerKey: CustomerKey;
  /** Tried when that one does not fit. Default: none. */
  readonly otherCustomerKeys?: readonly CustomerKey[];
  readonly plaintext: PlaintextPolicy;
  /** Told what the replies say of encryption. */
  readonly proof: EncryptionProof;
  readonly log: Log;
}

/** Refusals that have nothing to do with the customer key. */
const credentialCodes: ReadonlySet<string> = new Set([
  'ExpiredToken',
  'InvalidAccessKeyId',
  'InvalidToken',
  'SignatureDoesNotMatch',
]);

export class ObjectReader {
  readonly #bucket: BucketClient;
  readonly #plaintext: PlaintextPolicy;
  readonly #proof: EncryptionProof;
  readonly #log: Log;
  /** Without a customer key: unencrypted objects on a server that refuses one for them (AWS; Ceph ignores it there). */
  readonly #memory: KeyMemory;
  /** ETags by key; with `read` only the first. */
  readonly #loggedPlaintext = new BoundedMap<string, string>(maxLoggedVersions);

  constructor({ bucket, customerKey, otherCustomerKeys = [], plaintext, proof, log }: ObjectReaderOptions) {
    this.#bucket = bucket;
    this.#memory = new KeyMemory(customerKey, otherCustomerKeys);
    this.#plaintext = plaintext;
    this.#proof = proof;
    this.#log = log;
  }

  async list(request: ListRequest, signal: AbortSignal): Promise<ListPage> {
    const call = { operation: 'list', key: request.prefix };
    const output = await this.#bucket.request(call, signal, (client, base) =>
      client.send(
        new ListObjectsV2Command({
          ...base,
          Prefix: request.prefix,
          EncodingType: 'url', // XML cannot hold every character that a key can
          ...(request.delimiter !== undefined && { Delimiter: request.delimiter }),
          ...(request.continuationToken !== undefined && { ContinuationToken: request.continuationToken }),
          ...(request.maxKeys !== undefined && { MaxKeys: request.maxKeys }),
        }),
      ),
    );
    return parseListPage(output, request.prefix);
  }

  async head(key: string, signal: AbortSignal): Promise<ObjectInfo> {
    return this.#withFittingKey('head', key, signal, async (customerKey) => {
      const output = await this.#sendHead(key, customerKey, signal);
      if (customerKey) this.#proof.checkRead({ operation: 'head', key }, output, customerKey.fingerprint);
      return parseInfo('head', key, output, output.ContentLength, customerKey);
    });
  }

  async get(key: string, request: GetRequest, signal: AbortSignal): Promise<GetReply> {
    if (request.range?.length === 0) return this.#getNothing(key, request, signal);
    return this.#withFittingKey('get', key, signal, (customerKey) =>
      this.#sendGet(key, request, customerKey, signal),
    );
  }

  /** The object was written under the first key. */
  noteWritten(key: string): void {
    this.#memory.noteWritten(key);
  }

  /** The key under which the object was encrypted when it was last asked for, or the likeliest; undefined: under none. */
  guessKey(key: string): Guess {
    return this.#memory.guess(key);
  }

  /** Throws `PlaintextRefused` if the policy says so. */
  checkReadable(operation: string, info: ObjectInfo): void {
    if (info.isEncrypted) return;
    if (this.#plaintext === 'refuse') {
      throw new StoreError('PlaintextRefused', `${operation} ${info.key}: ${explanations.PlaintextRefused}`);
    }
    const { key, etag } = info;
    const isFirst = this.#loggedPlaintext.size === 0;
    if (this.#loggedPlaintext.get(key) === etag || (this.#plaintext === 'read' && !isFirst)) return;
    this.#loggedPlaintext.set(key, etag);
    const text =
      this.#plaintext === 'read'
        ? 'the bucket holds objects that are not encrypted; they are read as they are'
        : 'the object is not encrypted, and read as it is';
    this.#log.warn({ key }, text);
  }

  async #sendHead(key: string, customerKey: Guess, signal: AbortSignal): Promise<HeadObjectCommandOutput> {
    return this.#bucket.request({ operation: 'head', key }, signal, (client, base) =>
      client.send(new HeadObjectCommand({ ...base, Key: key, ...fieldsOf(customerKey) })),
    );
  }

  async #sendGet(
    key: string,
    request: GetRequest,
    customerKey: Guess,
    signal: AbortSignal,
  ): Promise<GetReply> {
    const { range, ifMatch, pieceBytes, takePiece = allocate } = request;
    const mostBytes = mostBytesOf(request);
    return this.#bucket.request({ operation: 'get', key }, signal, async (client, base) => {
      const sending = client.send(
        new GetObjectCommand({
          ...base,
          Key: key,
          ...fieldsOf(customerKey),
          ...(range && { Range: `bytes=${range.offset}-${range.offset + range.length - 1}` }),
          ...(ifMatch !== undefined && { IfMatch: quoteEtag(ifMatch) }),
          [maxBytesField]: mostBytes,
          [piecesField]: pieceBytes && ({ bytes: pieceBytes, take: takePiece } satisfies PieceMemory),
        } as GetObjectCommandInput),
      );
      const output = await sending.catch((error: unknown) => {
        const isTooLarge = !range && Reflect.get(Object(error), 'code') === tooMuchContent;
        throw isTooLarge ? tooLarge(key, request) : error;
      });
      try {
        if (customerKey) this.#proof.checkRead({ operation: 'get', key }, output, customerKey.fingerprint);
        const info = parseInfo('get', key, output, sizeOf(key, output, range), customerKey);
        if (ifMatch !== undefined && info.etag !== ifMatch) {
          throw new StoreError(
            'CorruptReply',
            `get ${key}: the reply is of another version than was asked for`,
          );
        }
        this.checkReadable('get', info);
        const length = output.ContentLength ?? 0;
        if (!range && length > mostBytes) throw tooLarge(key, request);
        const body: unknown = output.Body;
        if (pieceBytes !== undefined && body instanceof ReceivedBody && body.length === length) {
          this.#bucket.countReceived(length);
          return { info, bytes: new Uint8Array(0), pieces: body.pieces };
        }
        const bytes = await readExactly(body, length, `get ${key}`);
        this.#bucket.countReceived(length);
        return { info, bytes };
      } catch (error) {
        discardBody(output);
        throw error;
      }
    });
  }

  /** HTTP has no empty range. */
  async #getNothing(key: string, { ifMatch }: GetRequest, signal: AbortSignal): Promise<GetReply> {
    const info = await this.head(key, signal);
    if (ifMatch !== undefined && ifMatch !== info.etag) {
      throw new StoreError('PreconditionFailed', `get ${key}: ${explanations.PreconditionFailed}`);
    }
    this.checkReadable('get', info);
    return { info, bytes: new Uint8Array(0) };
  }

  async #withFittingKey<T>(
    operation: string,
    key: string,
    signal: AbortSignal,
    attempt: (customerKey: Guess) => Promise<T>,
  ): Promise<T> {
    const guess = this.#memory.guess(key);
    let refusal: StoreError;
    try {
      const result = await attempt(guess);
      this.#memory.remember(key, guess);
      return result;
    } catch (error) {
      if (!mayBeAboutCustomerKey(error)) throw error;
      refusal = error;
    }
    if (guess === undefined) {
      this.#memory.forget(key); // encrypted by now
      return await this.#withFittingKey(operation, key, signal, attempt);
    }
    for (const customerKey of this.#memory.alternatives(guess)) {
      try {
        const result = await attempt(customerKey);
        this.#memory.remember(key, customerKey);
        return result;
      } catch (error) {
        if (!mayBeAboutCustomerKey(error)) throw error;
      }
    }
    await this.#explainRefusal(operation, key, refusal, signal);
    this.#memory.remember(key, undefined);
    return await attempt(undefined);
  }

  /**
   * Ceph answers 400 and AWS 403 to another key; AWS answers 400 to any key for an unencrypted object. Asked without
   * the key, both answer 400 if the object is encrypted and may be read, 200 if it is not encrypted. Resolves for the
   * latter, else rejects with what is known now.
   */
  async #explainRefusal(
    operation: string,
    key: string,
    refusal: StoreError,
    signal: AbortSignal,
  ): Promise<void> {
    try {
      await this.#sendHead(key, undefined, signal);
    } catch (error) {
      if (!(error instanceof StoreError) || statusOf(error) === undefined) throw error;
      if (statusOf(error) !== 400) throw refusal;
      throw new StoreError(
        'WrongCustomerKey',
        `${operation} ${key}: ${explanations.WrongCustomerKey} than ${this.#memory.describe()}`,
        { cause: refusal.cause },
      );
    }
  }
}

/** Secret: for requests only. */
function fieldsOf(customerKey: Guess) {
  return customerKey === undefined ? {} : encryptionFields(customerKey);
}

function mayBeAboutCustomerKey(error: unknown): error is StoreError {
  if (!(error instanceof StoreError)) return false;
  const status = statusOf(error);
  return (status === 400 || status === 403) && !credentialCodes.has(serverCodeOf(error) ?? '');
}

function parseInfo(
  operation: string,
  key: string,
  output: HeadObjectCommandOutput | GetObjectCommandOutput,
  size: number | undefined,
  customerKey: Guess,
): ObjectInfo {
  if (size === undefined || output.ETag === undefined || output.LastModified === undefined) {
    throw new StoreError('CorruptReply', `${operation} ${key}: the reply lacks size, ETag or Last-Modified`);
  }
  const isEncrypted = output.SSECustomerAlgorithm !== undefined;
  const kept = keptHeadersOf(output);
  // Of direct replies only: the SDK does not hand it on.
  const toldAtMs = Date.parse('Date' in output && typeof output.Date === 'string' ? output.Date : '');
  return {
    key,
    size,
    etag: unquoteEtag(output.ETag),
    lastModifiedMs: output.LastModified.getTime(),
    metadata: output.Metadata ?? {},
    contentType: output.ContentType,
    ...(kept && { kept }),
    ...((output.TagCount ?? 0) > 0 && { hasTags: true }),
    isEncrypted,
    ...(!Number.isNaN(toldAtMs) && { toldAtMs }),
    ...(isEncrypted && customerKey && { keyFingerprint: customerKey.fingerprint }),
  };
}

/** Undefined if there are none, as is usual. */
function keptHeadersOf(output: HeadObjectCommandOutput | GetObjectCommandOutput): KeptHeaders | undefined {
  const values = [
    output.CacheControl,
    output.ContentDisposition,
    output.ContentEncoding,
    output.ContentLanguage,
    output.ExpiresString,
    output.StorageClass,
    output.WebsiteRedirectLocation,
  ];
  if (values.every((value) => value === undefined)) return undefined;
  const present = keptHeaderNames.map((name, at) => [name, values[at]] as const);
  const texts = present.flatMap(([name, value]) =>
    value === undefined ? [] : [[name, ownText(value)] as const],
  );
  return Object.fromEntries(texts);
}

/** The size of the whole object; checks that the reply has the range that was asked for. */
function sizeOf(key: string, output: GetObjectCommandOutput, range: GetRequest['range']): number | undefined {
  if (!range) return output.ContentLength;
  const [, first, last, total] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(output.ContentRange ?? '') ?? [];
  const size = Number(total);
  const end = Math.min(range.offset + range.length, size);
  if (
    total === undefined ||
    Number(first) !== range.offset ||
    Number(last) + 1 !== end ||
    output.ContentLength !== end - range.offset
  ) {
    throw new StoreError('CorruptReply', `get ${key}: the reply has another range than was asked for`);
  }
  return size;
}

/** An object that others may have written. Where its version is known, it is the reply that is wrong, and another try may be better. */
function tooLarge(key: string, request: GetRequest): StoreError {
  const code = request.ifMatch === undefined ? 'EntityTooLarge' : 'CorruptReply';
  return new StoreError(code, `get ${key}: it has more than ${mostBytesOf(request)} bytes`);
}

/** An unread body would keep its connection busy. */
function discardBody(output: GetObjectCommandOutput): void {
  if (!(output.Body instanceof Readable) || output.Body.destroyed) return;
  output.Body.once('error', () => undefined); // of the destruction itself
  output.Body.destroy();
}
