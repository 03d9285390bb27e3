/**
 * Sends requests about objects without the SDK: signed, by the server's clock, to where the bucket is. The SDK's chain of
 * middleware costs two to three times as much as the request itself (2.3 of 3.1 ms of CPU per HEAD), and a tree of small files
 * takes thousands of requests. The SDK sends what is rare: listings, policies, buckets, credentials.
 */
import { Readable } from 'node:stream';
import { BoundedMap } from '../bounded-map.js';
import { systemClock, type Clock } from '../clock.js';
import type { HeaderField, HttpReply } from '../http/connection.js';
import { ConnectionPool, type PoolOptions } from '../http/connection-pool.js';
import type { RefusedReply } from './error-codes.js';
import { encodeKey } from './key-encoding.js';
import { refusalOf } from './object-replies.js';
import type { ObjectRequest } from './object-requests.js';
import { emptySha256, sha256Hex, unsignedPayload } from '../signature-v4.js';
import { type SigningCredentials, RequestSigner } from './request-signer.js';

export interface TransportOptions {
  /** The address of a bucket: the host, and the path before the key. Asked once for each bucket and region. */
  readonly addressOf: (bucket: string, region: string) => URL | Promise<URL>;
  readonly region: string;
  /** Whether a bucket may be in another region, as on AWS, whose replies name the right one. */
  readonly followsRegions: boolean;
  readonly credentials: () => Promise<SigningCredentials>;
  /** Shared with everything that signs for this server. */
  readonly serverClock: ServerClock;
  readonly http: PoolOptions;
  readonly clock?: Clock;
}

/** How many ms the server's clock is ahead of this machine's, learned from refusals. */
export interface ServerClock {
  readonly offsetMs: number;
  learn(offsetMs: number): void;
}

interface Attempt {
  readonly reply: HttpReply;
  readonly refusal?: RefusedReply;
  /** Whether the bucket has turned out to be in another region. */
  readonly isElsewhere?: boolean;
}

/** Servers refuse signatures whose time is a quarter of an hour from theirs. */
const skewMs = 4 * 60 * 1000;
/** For how many buckets the address is remembered. Other addresses are found again. */
const maxBuckets = 1_000;

export class Transport {
  readonly #options: TransportOptions;
  readonly #clock: Clock;
  /** By region. */
  readonly #signers = new Map<string, RequestSigner>();
  /** By origin. Pools without connections are dropped when another pool is made. */
  readonly #pools = new Map<string, ConnectionPool>();
  /** The regions of buckets that are not in the configured one. */
  readonly #regions = new BoundedMap<string, string>(maxBuckets);
  /** By region and bucket. */
  readonly #addresses = new BoundedMap<string, URL>(maxBuckets);

  constructor(options: TransportOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /**
   * Resolves with the whole reply if the server has done what was asked; otherwise rejects with a `RefusedReply`, or as
   * `ConnectionPool.send`.
   */
  async send(bucket: string, request: ObjectRequest, signal: AbortSignal): Promise<HttpReply> {
    const attempt = await this.#attempt(bucket, request, signal);
    if (!attempt.refusal) return attempt.reply;
    // A streamed body is used up. The caller has to send it again.
    const isRepeatable = attempt.isElsewhere && !(request.body instanceof Readable);
    const { reply, refusal } = isRepeatable ? await this.#attempt(bucket, request, signal) : attempt;
    if (refusal) throw refusal;
    return reply;
  }

  /** How many servers there are connections to, or were until lately. */
  get serverCount(): number {
    return this.#pools.size;
  }

  /** Closes idle connections; requests under way fail. */
  close(): void {
    for (const pool of this.#pools.values()) pool.close();
  }

  async #attempt(bucket: string, request: ObjectRequest, signal: AbortSignal): Promise<Attempt> {
    const { region: usual, serverClock, followsRegions } = this.#options;
    const region = this.#regions.get(bucket) ?? usual;
    const timeMs = this.#nowMs() + serverClock.offsetMs;
    const reply = await this.#sendSigned(bucket, region, request, timeMs, signal);
    const refusal = refusalOf(reply, request.isWork);
    if (!refusal) return { reply };
    const there = reply.headers.get('x-amz-bucket-region');
    const isElsewhere = followsRegions && there !== undefined && there !== region;
    if (isElsewhere) this.#regions.set(bucket, there);
    const explained = this.#isSkewed(reply, timeMs) ? refusal.because('RequestTimeTooSkewed') : refusal;
    return { reply, refusal: explained, isElsewhere };
  }

  async #sendSigned(
    bucket: string,
    region: string,
    request: ObjectRequest,
    timeMs: number,
    signal: AbortSignal,
  ): Promise<HttpReply> {
    const address = await this.#addressOf(bucket, region);
    const { key, query, ...rest } = request;
    const path = `${address.pathname.replace(/\/$/, '')}/${encodeKey(key)}`;
    const headers: HeaderField[] = [['host', address.host], ...request.headers];
    const unsigned = { method: request.method, path, query, headers, bodySha256: hashOf(request, address) };
    const signed = this.#signerOf(region).sign(unsigned, await this.#options.credentials(), timeMs);
    return await this.#poolOf(address).send(
      { ...rest, path: query === '' ? path : `${path}?${query}`, headers: signed },
      signal,
    );
  }

  /** Whether the server refuses because of the clock. Its time is used from now on. */
  #isSkewed({ status, headers }: HttpReply, timeMs: number): boolean {
    if (status !== 401 && status !== 403) return false;
    const serverTimeMs = Date.parse(headers.get('date') ?? '');
    if (!(Math.abs(serverTimeMs - timeMs) >= skewMs)) return false;
    this.#options.serverClock.learn(serverTimeMs - this.#nowMs());
    return true;
  }

  async #addressOf(bucket: string, region: string): Promise<URL> {
    const name = `${region}/${bucket}`;
    let address = this.#addresses.get(name);
    if (address === undefined) {
      address = await this.#options.addressOf(bucket, region);
      this.#addresses.set(name, address);
    }
    return address;
  }

  #signerOf(region: string): RequestSigner {
    let signer = this.#signers.get(region);
    if (signer === undefined) this.#signers.set(region, (signer = new RequestSigner(region)));
    return signer;
  }

  #poolOf({ origin }: URL): ConnectionPool {
    const known = this.#pools.get(origin);
    if (known !== undefined) return known;
    // On AWS each bucket has a host of its own, and a mount may use any number of buckets.
    for (const [other, { isEmpty }] of this.#pools) if (isEmpty) this.#pools.delete(other);
    const pool = new ConnectionPool(new URL(origin), this.#options.http);
    this.#pools.set(origin, pool);
    return pool;
  }

  #nowMs(): number {
    return Number(this.#clock.nowNs() / 1_000_000n);
  }
}

/** TLS protects content, and mostly Content-MD5 does too. The hash is signed for documents, and without TLS. */
function hashOf({ method, body }: ObjectRequest, { protocol }: URL): string {
  if (body === undefined) return emptySha256;
  const isDocument = method === 'POST';
  if (!Buffer.isBuffer(body) || (protocol === 'https:' && !isDocument)) return unsignedPayload;
  return sha256Hex(body);
}
