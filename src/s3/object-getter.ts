/** Lists and reads: LIST, HEAD and GET, their replies, and what a refusal of the customer key means. */
import { ListObjectsV2Command } from '@aws-sdk/client-s3';
import { BoundedMap } from '../bounded-map.js';
import type { CustomerKey } from '../keys/customer-key.js';
import { StoreError } from '../errors.js';
import { type HttpReply, tooMuchContent } from '../http/connection.js';
import type { Log } from '../log.js';
import {
  type GetReply,
  type GetRequest,
  mostBytesOf,
  type ListPage,
  type ListRequest,
  type ObjectInfo,
} from '../object-store.js';
import { storeErrorFacts } from '../store-error-facts.js';
import type { BucketClient } from './bucket-client.js';
import { encryptionOf } from './encryption-headers.js';
import type { EncryptionProof } from './encryption-proof.js';
import { connectionErrnoOf, serverCodeOf, statusOf } from './error-codes.js';
import { parseListPage } from './list-page.js';
import { type Guess, KeyMemory } from './key-memory.js';
import { contentLengthOf, infoOf } from './object-replies.js';
import { getObject, headObject } from './object-requests.js';

/** What to do with objects that are stored without SSE-C; `warn` reads them, and logs the key of each version. */
export type PlaintextPolicy = 'refuse' | 'warn' | 'read';

/** How many logged versions of unencrypted objects are remembered. Older ones are logged again. */
const maxLoggedVersions = 10_000;

interface ObjectGetterOptions {
  readonly bucket: BucketClient;
  readonly customerKey: CustomerKey;
  /** Tried when the first one does not fit. Default: none. */
  readonly otherCustomerKeys?: readonly CustomerKey[];
  readonly plaintext: PlaintextPolicy;
  /** Learns what the replies say about encryption. */
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

export class ObjectGetter {
  readonly #bucket: BucketClient;
  readonly #plaintext: PlaintextPolicy;
  readonly #proof: EncryptionProof;
  readonly #log: Log;
  /** Undefined asks without a customer key: AWS refuses one for unencrypted objects, Ceph ignores it. */
  readonly #memory: KeyMemory;
  /** ETags by key; with `read` only the first. */
  readonly #loggedPlaintext = new BoundedMap<string, string>(maxLoggedVersions);

  constructor({ bucket, customerKey, otherCustomerKeys = [], plaintext, proof, log }: ObjectGetterOptions) {
    this.#bucket = bucket;
    this.#memory = new KeyMemory(customerKey, otherCustomerKeys);
    this.#plaintext = plaintext;
    this.#proof = proof;
    this.#log = log;
  }

  async list(request: ListRequest, signal: AbortSignal): Promise<ListPage> {
    const call = { operation: 'list', key: request.prefix };
    const output = await this.#bucket.request(call, signal, (client, input, options) =>
      client.send(
        new ListObjectsV2Command({
          ...input,
          Prefix: request.prefix,
          EncodingType: 'url', // XML cannot hold every character that a key can
          ...(request.delimiter !== undefined && { Delimiter: request.delimiter }),
          ...(request.continuationToken !== undefined && { ContinuationToken: request.continuationToken }),
          ...(request.maxKeys !== undefined && { MaxKeys: request.maxKeys }),
        }),
        options,
      ),
    );
    return parseListPage(output, request.prefix);
  }

  async head(key: string, signal: AbortSignal): Promise<ObjectInfo> {
    const call = { operation: 'head', key };
    return this.#withFittingKey(call.operation, key, signal, async (customerKey) => {
      const reply = await this.#sendHead(key, customerKey, signal);
      if (customerKey) this.#proof.checkRead(call, encryptionOf(reply.headers), customerKey.fingerprint);
      return infoOf(call, reply, undefined, customerKey);
    });
  }

  async get(request: GetRequest, signal: AbortSignal): Promise<GetReply> {
    if (request.range?.length === 0) return this.#getNothing(request, signal);
    return this.#withFittingKey('get', request.key, signal, (customerKey) =>
      this.#sendGet(request, customerKey, signal),
    );
  }

  /** The object was written under the first key. */
  noteWritten(key: string): void {
    this.#memory.noteWritten(key);
  }

  /** The key that fitted the object last, or the likeliest one. Undefined if the object is not encrypted. */
  guessKey(key: string): Guess {
    return this.#memory.guess(key);
  }

  /** Throws `PlaintextRefused` if the policy says so. */
  checkReadable(operation: string, info: ObjectInfo): void {
    if (info.isEncrypted) return;
    if (this.#plaintext === 'refuse') {
      throw new StoreError(
        'PlaintextRefused',
        `${operation} ${info.key}: ${storeErrorFacts.PlaintextRefused.meaning}`,
      );
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

  #sendHead(key: string, customerKey: Guess, signal: AbortSignal): Promise<HttpReply> {
    return this.#bucket.send({ operation: 'head', key }, signal, () => headObject(key, customerKey));
  }

  async #sendGet(request: GetRequest, customerKey: Guess, signal: AbortSignal): Promise<GetReply> {
    const { key, range, ifMatch } = request;
    const call = { operation: 'get', key };
    const sending = this.#bucket.send(call, signal, () => getObject(request, customerKey));
    const reply = await sending.catch((error: unknown) => {
      const isTooLarge = !range && error instanceof StoreError && connectionErrnoOf(error) === tooMuchContent;
      throw isTooLarge ? tooLarge(request) : error;
    });
    if (customerKey) this.#proof.checkRead(call, encryptionOf(reply.headers), customerKey.fingerprint);
    const info = infoOf(call, reply, range, customerKey);
    if (ifMatch !== undefined && info.etag !== ifMatch) {
      throw new StoreError('CorruptReply', `get ${key}: the reply is of another version than was asked for`);
    }
    this.checkReadable('get', info);
    const { length, pieces } = reply.body;
    if (length !== contentLengthOf(reply)) {
      throw new StoreError('CorruptReply', `get ${key}: the reply has another length than it says`);
    }
    this.#bucket.countReceived(length);
    return { info, pieces };
  }

  /** HTTP has no empty range. */
  async #getNothing({ key, ifMatch }: GetRequest, signal: AbortSignal): Promise<GetReply> {
    const info = await this.head(key, signal);
    if (ifMatch !== undefined && ifMatch !== info.etag) {
      throw new StoreError('PreconditionFailed', `get ${key}: ${storeErrorFacts.PreconditionFailed.meaning}`);
    }
    this.checkReadable('get', info);
    return { info, pieces: [] };
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
   * To a wrong key Ceph answers 400 and AWS 403. To any key for an unencrypted object AWS answers 400. Without a key, both
   * answer 400 if the object is encrypted and may be read, and 200 if it is not encrypted. Resolves if it is not encrypted,
   * else rejects with what is known by then.
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
        `${operation} ${key}: ${storeErrorFacts.WrongCustomerKey.meaning} than ${this.#memory.describe()}`,
        { cause: refusal.cause },
      );
    }
  }
}

function mayBeAboutCustomerKey(error: unknown): error is StoreError {
  if (!(error instanceof StoreError)) return false;
  const status = statusOf(error);
  return (status === 400 || status === 403) && !credentialCodes.has(serverCodeOf(error) ?? '');
}

/**
 * Without a known version, others may have written a larger object. With one the reply is wrong, and another try may be right.
 */
function tooLarge(request: GetRequest): StoreError {
  const { key } = request;
  const code = request.ifMatch === undefined ? 'EntityTooLarge' : 'CorruptReply';
  return new StoreError(code, `get ${key}: it has more than ${mostBytesOf(request)} bytes`);
}
