/**
 * Which buckets there are, at most `metadataTtlMs` old: from the list of the owner's buckets while that is recent, else by
 * asking for the name. Buckets of others are found by name only, and so are all buckets if the credentials may not list.
 */
import { SingleFlight } from '../concurrency/single-flight.js';
import { BoundedMap } from '../bounded-map.js';
import { isBucketName } from '../bucket-name.js';
import type { Log } from '../log.js';
import type { Clock } from '../clock.js';
import { isStoreError } from '../vfs/fs-errors.js';
import { abortable } from '../concurrency/abortable.js';
import { isShowableName } from '../vfs/names.js';
import type { BucketFacts, Buckets } from './buckets.js';

interface BucketListOptions {
  readonly buckets: Buckets;
  readonly metadataTtlMs: number;
  readonly negativeTtlMs: number;
  readonly clock: Clock;
  readonly log: Log;
  /** Ends requests whose callers may have left. */
  readonly signal: AbortSignal;
}

interface FoundBucket {
  readonly bucket: BucketFacts;
  /** How long the answer counts. */
  readonly ttlMs: number;
}

interface Answer {
  /** Undefined: there is none. */
  readonly bucket: BucketFacts | undefined;
  readonly atMs: number;
}

/** Answers about single names that are remembered. */
const maxAnswers = 1000;

export class BucketList {
  readonly #options: BucketListOptions;
  #listed: { readonly buckets: Map<string, BucketFacts>; readonly atMs: number } | undefined;
  readonly #listing = new SingleFlight<ReadonlyMap<string, BucketFacts>>();
  /** When the server last refused to list. */
  #refusedAtMs: number | undefined;
  /** By name. */
  readonly #answers = new BoundedMap<string, Answer>(maxAnswers);
  #hasLoggedHidden = false;

  constructor(options: BucketListOptions) {
    this.#options = options;
  }

  /** The owner's buckets. Rejects with a StoreError: `AccessDenied` if the credentials may not list. */
  async all(signal: AbortSignal): Promise<readonly BucketFacts[]> {
    return [...(await this.#list(signal)).values()];
  }

  /** Undefined if there is no bucket of that name. Rejects with a StoreError. */
  async find(name: string, signal: AbortSignal): Promise<FoundBucket | undefined> {
    if (!isBucketName(name)) return undefined; // hidden files, which shells and file managers look for everywhere
    const known = this.#recent(name);
    if (known) return this.#found(known);
    if (!this.#isRecent(this.#listed?.atMs) && !this.#isRecent(this.#refusedAtMs)) {
      try {
        await this.#list(signal);
      } catch (error) {
        if (!isStoreError(error, 'AccessDenied')) throw error;
      }
      const listed = this.#recent(name);
      if (listed) return this.#found(listed);
    }
    const atMs = this.#now();
    const exists = await abortable(this.#options.buckets.exists(name, signal), signal);
    // The bucket belongs to somebody else, or is newer than the list. Its age is unknown.
    const answer = { bucket: exists ? { name, createdAtMs: undefined } : undefined, atMs };
    this.#answers.set(name, answer);
    return this.#found(answer);
  }

  /** Notes a bucket that was just made here. */
  add(bucket: BucketFacts): void {
    this.#listed?.buckets.set(bucket.name, bucket);
    this.#answers.set(bucket.name, { bucket, atMs: this.#now() });
  }

  /** Notes a bucket that is gone: the next question goes to the server. */
  forget(name: string): void {
    this.#listed = undefined;
    this.#answers.delete(name);
  }

  #recent(name: string): Answer | undefined {
    const { atMs, buckets } = this.#listed ?? {};
    const bucket = buckets?.get(name);
    if (bucket && atMs !== undefined && this.#isRecent(atMs)) return { bucket, atMs };
    const answer = this.#answers.get(name);
    if (!answer || !this.#isRecent(answer.atMs)) return undefined;
    const isOutdated = !answer.bucket && this.#now() - answer.atMs >= this.#options.negativeTtlMs;
    return isOutdated ? undefined : answer;
  }

  #found({ bucket, atMs }: Answer): FoundBucket | undefined {
    const ttlMs = Math.max(0, this.#options.metadataTtlMs - (this.#now() - atMs));
    return bucket && { bucket, ttlMs };
  }

  async #list(signal: AbortSignal): Promise<ReadonlyMap<string, BucketFacts>> {
    if (this.#listed && this.#isRecent(this.#listed.atMs)) return this.#listed.buckets;
    return await abortable(
      this.#listing.run(() => this.#load()),
      signal,
    );
  }

  async #load(): Promise<ReadonlyMap<string, BucketFacts>> {
    const atMs = this.#now();
    try {
      const all = await this.#options.buckets.list(this.#options.signal);
      const shown = all.filter(({ name }) => isShowableName(name));
      const hidden = all.find(({ name }) => !isShowableName(name));
      if (hidden && !this.#hasLoggedHidden) {
        this.#hasLoggedHidden = true;
        const count = all.length - shown.length;
        this.#options.log.warn(
          { count, example: hidden.name },
          'some buckets cannot be shown as directories',
        );
      }
      const buckets = new Map(shown.map((bucket) => [bucket.name, bucket]));
      this.#listed = { buckets, atMs };
      return buckets;
    } catch (error) {
      if (isStoreError(error, 'AccessDenied')) this.#refusedAtMs = atMs;
      throw error;
    }
  }

  #isRecent(atMs: number | undefined): boolean {
    return atMs !== undefined && this.#now() - atMs < this.#options.metadataTtlMs;
  }

  #now(): number {
    return this.#options.clock.monotonicMs();
  }
}
