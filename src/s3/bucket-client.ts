/**
 * The SDK client with what every request to the bucket shares: a limit on requests under way, the caller's signal,
 * errors as `StoreError`. What is asked for is left to the callers.
 */
import type { S3Client } from '@aws-sdk/client-s3';
import { StoreError } from '../errors.js';
import type { Log } from '../log.js';
import { abortSignalField, type AbortableInput, makeAbortable } from './abortable-client.js';
import { type FailedCall, toStoreError } from './error-codes.js';
import { RequestSlots } from './request-slots.js';

/** To be spread into the input of each command. */
export interface InputBase extends AbortableInput {
  readonly Bucket: string;
}

export interface BucketClientOptions {
  readonly client: S3Client;
  readonly bucket: string;
  /** How many, or the places that it shares with clients of other buckets. */
  readonly maxConcurrentRequests: number | RequestSlots;
  readonly log: Log;
}

export class BucketClient {
  readonly bucket: string;
  readonly #client: S3Client;
  readonly #slots: RequestSlots;
  readonly #log: Log;

  constructor({ client, bucket, maxConcurrentRequests, log }: BucketClientOptions) {
    makeAbortable(client);
    this.bucket = bucket;
    this.#client = client;
    this.#slots = RequestSlots.of(maxConcurrentRequests);
    this.#log = log;
  }

  /** `send` makes the request and reads the reply to its end; it may be called twice. */
  async request<T>(
    call: FailedCall,
    signal: AbortSignal,
    send: (client: S3Client, base: InputBase) => Promise<T>,
  ): Promise<T> {
    try {
      return await this.#attempt(call, signal, send);
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'ClockSkewed') throw error;
      // The SDK has taken the server's time from the refusal; what it signs from now on is right.
      this.#log.warn({ ...call }, "this machine's clock is wrong: using the server's time for signatures");
      return await this.#attempt(call, signal, send);
    }
  }

  async #attempt<T>(
    call: FailedCall,
    signal: AbortSignal,
    send: (client: S3Client, base: InputBase) => Promise<T>,
  ): Promise<T> {
    try {
      return await this.#slots.run(
        () => send(this.#client, { Bucket: this.bucket, [abortSignalField]: signal }),
        signal,
      );
    } catch (error) {
      throw toStoreError(error, call, signal);
    }
  }
}
