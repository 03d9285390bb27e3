/** How `WriteCondition`s are kept on servers that ignore them, or that know ETags in one form only. */
import { StoreError } from '../errors.js';
import type { WriteCondition } from '../object-store.js';
import { explanations, type FailedCall } from './error-codes.js';
import type { ObjectReader } from './object-reader.js';
import { type ConditionFields, conditionFields } from './write-fields.js';

export class WriteConditions {
  readonly #reader: ObjectReader;
  #quotesIfMatch: boolean;

  /** `isAws` is only a first guess at how the server does things. */
  constructor(reader: ObjectReader, isAws: boolean) {
    this.#reader = reader;
    this.#quotesIfMatch = isAws;
  }

  /** Asks for the condition by HEAD, for requests on which servers ignore it. */
  async check(call: FailedCall, condition: WriteCondition, signal: AbortSignal): Promise<void> {
    if (condition.ifMatch === undefined && condition.ifNoneMatch === undefined) return;
    const etag = await this.#currentEtag(call.key, signal);
    const holds = condition.ifMatch === undefined ? etag === undefined : etag === condition.ifMatch;
    if (!holds) {
      throw new StoreError(
        'PreconditionFailed',
        `${call.operation} ${call.key}: ${explanations.PreconditionFailed}`,
      );
    }
  }

  /**
   * Sends a request with the fields of a condition. Servers differ in whether they know an ETag with or without quotes
   * again: if one says that the condition does not hold, and HEAD says that it does, the other form is used from now on.
   */
  async send<T>(
    call: FailedCall,
    condition: WriteCondition,
    signal: AbortSignal,
    request: (fields: ConditionFields) => Promise<T>,
  ): Promise<T> {
    const quotes = this.#quotesIfMatch;
    try {
      return await request(conditionFields(condition, quotes));
    } catch (error) {
      const isDoubtful =
        error instanceof StoreError && error.code === 'PreconditionFailed' && condition.ifMatch !== undefined;
      if (!isDoubtful || (await this.#currentEtag(call.key, signal)) !== condition.ifMatch) throw error;
      const result = await request(conditionFields(condition, !quotes));
      this.#quotesIfMatch = !quotes;
      return result;
    }
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
