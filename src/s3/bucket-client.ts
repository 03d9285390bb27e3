/**
 * What every request to a bucket shares: a limit on requests under way, the caller's signal, counting, credentials that are renewed,
 * errors as `StoreError`. What is asked for is left to the callers.
 */
import type { S3Client } from '@aws-sdk/client-s3';
import { StoreError } from '../errors.js';
import type { HttpReply } from '../http/connection.js';
import type { Log } from '../log.js';
import { type FailedCall, toStoreError } from './error-codes.js';
import { kindOfOperation, RequestCounters, type RequestKind } from './request-counters.js';
import type { Renewal } from './renewal.js';
import { RequestSlots } from './request-slots.js';
import type { ObjectRequest } from './object-requests.js';
import type { Transport } from './transport.js';

/** The ways to a server. */
export interface S3Access {
  /** For what is rare. */
  readonly client: S3Client;
  /** For requests about objects. */
  readonly transport: Transport;
  /** Renews what both were made with. Default: nothing is renewed. */
  readonly renewal?: Renewal | undefined;
}

/** What a request is for, and how it counts. */
interface CountedCall extends FailedCall {
  /** Default: what the operation is called. */
  readonly kind?: RequestKind;
  /** Of an object's content, sent with the request. Default 0. */
  readonly bodyBytes?: number;
}

export interface BucketClientOptions {
  readonly access: S3Access;
  readonly bucket: string;
  /** How many requests run at once, or the places that this client shares with clients of other buckets. */
  readonly maxConcurrentRequests: number | RequestSlots;
  /** May be shared with clients of other buckets. Default: nothing is counted. */
  readonly counters?: RequestCounters;
  readonly log: Log;
}

/** Passed to the SDK with a command. */
interface SendOptions {
  readonly abortSignal: AbortSignal;
}

export class BucketClient {
  readonly bucket: string;
  readonly #access: S3Access;
  readonly #slots: RequestSlots;
  readonly #counters: RequestCounters;
  readonly #log: Log;

  constructor({ access, bucket, maxConcurrentRequests, counters, log }: BucketClientOptions) {
    this.bucket = bucket;
    this.#access = access;
    this.#slots = RequestSlots.of(maxConcurrentRequests);
    this.#counters = counters ?? new RequestCounters();
    this.#log = log;
  }

  /** Counts bytes of an object's content that have arrived. */
  countReceived(bytes: number): void {
    this.#counters.countReceived(bytes);
  }

  /** Sends a request about an object. `make` may be called twice, as a body can be sent only once. */
  async send(call: CountedCall, signal: AbortSignal, make: () => ObjectRequest): Promise<HttpReply> {
    const { transport } = this.#access;
    return await this.#request(call, signal, () => transport.send(this.bucket, make(), signal));
  }

  /** Sends a command of the SDK, of which `input` has the bucket. May be called twice. */
  async request<T>(
    call: CountedCall,
    signal: AbortSignal,
    send: (client: S3Client, input: { readonly Bucket: string }, options: SendOptions) => Promise<T>,
  ): Promise<T> {
    const { client } = this.#access;
    return await this.#request(call, signal, () =>
      send(client, { Bucket: this.bucket }, { abortSignal: signal }),
    );
  }

  async #request<T>(call: CountedCall, signal: AbortSignal, send: () => Promise<T>): Promise<T> {
    const attempt = () => this.#attempt(call, signal, send);
    const { renewal } = this.#access;
    try {
      return await (renewal ? renewal.run(attempt) : attempt());
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'ClockSkewed') throw error;
      // The refusal told the server's time. Signatures use it from now on.
      this.#log.warn({ ...call }, "this machine's clock is wrong: using the server's time for signatures");
      return await attempt();
    }
  }

  async #attempt<T>(call: CountedCall, signal: AbortSignal, send: () => Promise<T>): Promise<T> {
    const kind = call.kind ?? kindOfOperation(call.operation);
    const sendCounted = (): Promise<T> => {
      this.#counters.countSent(call.bodyBytes ?? 0);
      return this.#counters.count(kind, async () => {
        try {
          return await send();
        } catch (error) {
          throw toStoreError(error, call, signal);
        }
      });
    };
    const what = `${call.operation} ${call.key}`;
    return await this.#slots.run({ signal, what }, sendCounted);
  }
}
