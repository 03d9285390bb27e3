/** What the replies to writes must say. */
import { StoreError } from '../errors.js';
import type { FailedCall } from './error-codes.js';

/** A server that knows nothing of SSE-C would store the object in the clear and say nothing. */
export function checkEncrypted(call: FailedCall, algorithm: string | undefined): void {
  if (algorithm === 'AES256') return;
  throw new StoreError(
    'NotImplemented',
    `${call.operation} ${call.key}: the server ignored the customer key; what was written is not encrypted`,
  );
}

/** A field that every such reply has. */
export function present(call: FailedCall, field: string, value: string | undefined): string {
  if (value !== undefined && value !== '') return value;
  throw new StoreError('CorruptReply', `${call.operation} ${call.key}: the reply lacks ${field}`);
}
