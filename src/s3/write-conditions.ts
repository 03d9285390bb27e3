/**
 * Enforces `WriteCondition`s also on servers that ignore them, know ETags in one form only, or judge them wrongly. Ceph 16
 * judges wrongly where a bucket keeps versions: it compares a condition with the version that is about to be written, so it
 * refuses every If-Match and no If-None-Match. While versioning is suspended, it compares with the version called null.
 */
import { StoreError } from '../errors.js';
import type { HeaderField } from '../http/connection.js';
import type { Log } from '../log.js';
import type { WriteCondition } from '../object-store.js';
import { storeErrorFacts } from '../store-error-facts.js';
import type { FailedCall } from './error-codes.js';
import type { ObjectGetter } from './object-getter.js';
import { conditionHeaders } from './write-headers.js';

interface WriteConditionsOptions {
  readonly reader: ObjectGetter;
  /** AWS judges conditions rightly. The form of ETags is only a first guess. */
  readonly isAws: boolean;
  /** Whether the bucket is known to keep versions, or to have kept them. */
  readonly keepsVersions: boolean;
  readonly log: Log;
}

/**
 * How a condition is enforced: by its header; by HEAD right before, and the header; by HEAD alone. It only moves from left to
 * right, so writes that learn at the same time cannot disturb each other.
 */
type Judge = 'server' | 'both' | 'client';

export class WriteConditions {
  readonly #reader: ObjectGetter;
  readonly #isAws: boolean;
  readonly #log: Log;
  #quotesIfMatch: boolean;
  #judge: Judge = 'server';

  constructor({ reader, isAws, keepsVersions, log }: WriteConditionsOptions) {
    this.#reader = reader;
    this.#isAws = isAws;
    this.#log = log;
    this.#quotesIfMatch = isAws;
    if (keepsVersions) this.#doubt();
  }

  /** Checks the condition by HEAD, for requests on which servers ignore it. */
  async check(call: FailedCall, condition: WriteCondition, signal: AbortSignal): Promise<void> {
    if (isEmpty(condition) || (await this.#holds(call.key, condition, signal))) return;
    throw new StoreError(
      'PreconditionFailed',
      `${call.operation} ${call.key}: ${storeErrorFacts.PreconditionFailed.meaning}`,
    );
  }

  /** Sends a request with the headers of the condition, or checks the condition before. */
  async send<T>(
    call: FailedCall,
    condition: WriteCondition,
    signal: AbortSignal,
    request: (headers: readonly HeaderField[]) => Promise<T>,
  ): Promise<T> {
    if (this.#judge !== 'server') await this.check(call, condition, signal);
    return await this.sendChecked(call, condition, signal, request);
  }

  /**
   * As `send`, right after `check`. Some servers want quotes around an ETag, some do not. If the server says that the condition
   * does not hold, and HEAD says that it does, the other form is used from now on. A server that refuses both forms cannot
   * judge conditions.
   */
  async sendChecked<T>(
    call: FailedCall,
    condition: WriteCondition,
    signal: AbortSignal,
    request: (headers: readonly HeaderField[]) => Promise<T>,
  ): Promise<T> {
    if (isEmpty(condition)) return await request([]);
    const guess = this.#quotesIfMatch;
    for (const quotes of [guess, !guess]) {
      if (this.#judge === 'client') break;
      try {
        const result = await request(conditionHeaders(condition, quotes));
        if (condition.ifMatch !== undefined) this.#quotesIfMatch = quotes;
        return result;
      } catch (error) {
        const isRefusal = error instanceof StoreError && error.code === 'PreconditionFailed';
        if (!isRefusal || !(await this.#holds(call.key, condition, signal))) throw error;
      }
    }
    this.#giveUpOnServer(call);
    return await request([]);
  }

  /** Call it with the version in the reply to a write: only a bucket that keeps versions names one. */
  noteVersion(versionId: string | undefined): void {
    if (versionId !== undefined) this.#doubt();
  }

  #doubt(): void {
    if (this.#isAws || this.#judge !== 'server') return;
    this.#judge = 'both';
    this.#log.debug({}, 'the bucket keeps versions: asking for the state of an object before each write');
  }

  #giveUpOnServer({ key }: FailedCall): void {
    if (this.#judge === 'client') return;
    this.#judge = 'client';
    this.#log.warn(
      { key },
      'the server refuses conditions that hold, as Ceph does where a bucket keeps versions: from now on osirisfs asks for the state of an object right before each write instead',
    );
  }

  async #holds(key: string, { ifMatch, ifNoneMatch }: WriteCondition, signal: AbortSignal): Promise<boolean> {
    const etag = await this.#currentEtag(key, signal);
    return (ifMatch === undefined || etag === ifMatch) && (ifNoneMatch === undefined || etag === undefined);
  }

  async #currentEtag(key: string, signal: AbortSignal): Promise<string | undefined> {
    try {
      return (await this.#reader.head(key, signal)).etag;
    } catch (error) {
      if (error instanceof StoreError && error.code === 'NotFound') return undefined;
      throw error;
    }
  }
}

function isEmpty({ ifMatch, ifNoneMatch }: WriteCondition): boolean {
  return ifMatch === undefined && ifNoneMatch === undefined;
}
