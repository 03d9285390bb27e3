/** What the replies to writes must say. */
import { StoreError } from '../errors.js';
import type { FailedCall } from './error-codes.js';

/** A field that every such reply has. */
export function present(call: FailedCall, field: string, value: string | undefined): string {
  if (value !== undefined && value !== '') return value;
  throw new StoreError('CorruptReply', `${call.operation} ${call.key}: the reply lacks ${field}`);
}
