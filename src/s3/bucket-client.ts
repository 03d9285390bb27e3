/**
 * The SDK client with what every request to the bucket shares: a limit on requests under way, the caller's signal,
 * errors as `StoreError`. What is asked for is left to the callers.
 */
import type { S3Client } from '@aws-sdk/client-s3';
import { StoreError } from '../errors.js';
import type { Log } from '../log.js';
import { abortSignalField, type AbortableInput, makeAbortable } from './abortable-client.js';
import { type FailedCall, toStoreError } from './error-codes.js';
import { kindOfOperation, RequestCounters, type RequestKind } from './request-counters.js';
import type { Renewal } from './renewal.js';
import { RequestSlots } from './request-slots.js';

/** To be spread into the input of each command. */
export interface InputBase extends AbortableInput {
  readonly Bucket: string;
}

/** What a request is for, and how it counts. */
export interface CountedCall extends FailedCall {
  /** Default: what the operation is called. */
  readonly kind?: RequestKind;
  /** Of an object's content, sent with the request. Default 0. */
  readonly bodyBytes?: number;
}

export interface BucketClientOptions {
  readonly client: S3Client;
  readonly bucket: string;
  /** How many, or the places that it shares with clients of other buckets. */
  readonly maxConcurrentRequests: number | RequestSlots;
  /** May be shared with clients of other buckets. Default: nobody looks at them. */
  readonly counters?: RequestCounters;
  /** Of what the client was made with. Default: it stays as it is. */
  readonly renewal?: Renewal | undefined;
  readonly log: Log;
}

export class BucketClient {
  readonly bucket: string;
  readonly #client: S3Client;
  readonly #slots: RequestSlots;
  readonly #counters: RequestCounters;
  readonly #renewal: Renewal | undefined;
  readonly #log: Log;

  constructor({ client, bucket, maxConcurrentRequests, counters, renewal, log }: BucketClientOptions) {
    makeAbortable(client);
    this.bucket = bucket;
    this.#client = client;
    this.#slots = RequestSlots.of(maxConcurrentRequests);
    this.#counters = counters ?? new RequestCounters();
    this.#renewal = renewal;
    this.#log = log;
  }

  /** So many bytes of an object's content have come. */
  countReceived(bytes: number): void {
    this.#counters.countReceived(bytes);
  }

  /** `send` makes the request and reads the reply to its end; it may be called twice. */
  async request<T>(
    call: CountedCall,
    signal: AbortSignal,
    send: (client: S3Client, base: InputBase) => Promise<T>,
  ): Promise<T> {
    const attempt = () => this.#attempt(call, signal, send);
    try {
      return await (this.#renewal ? this.#renewal.run(attempt) : attempt());
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'ClockSkewed') throw error;
      // The server's time was taken from the refusal; what is signed from now on is right.
      this.#log.warn({ ...call }, "this machine's clock is wrong: using the server's time for signatures");
      return await attempt();
    }
  }

  async #attempt<T>(
    call: CountedCall,
    signal: AbortSignal,
    send: (client: S3Client, base: InputBase) => Promise<T>,
  ): Promise<T> {
    const kind = call.kind ?? kindOfOperation(call.operation);
    const sendCounted = (): Promise<T> => {
      this.#counters.countSent(call.bodyBytes ?? 0);
      return this.#counters.count(kind, async () => {
        try {
          return await send(this.#client, { Bucket: this.bucket, [abortSignalField]: signal });
        } catch (error) {
          throw toStoreError(error, call, signal);
        }
      });
    };
    try {
      return await this.#slots.run(sendCounted, signal);
    } catch (error) {
      throw toStoreError(error, call, signal); // an abort in the queue
    }
  }
}
