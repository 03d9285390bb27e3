/** Decides which failures end a whole transfer, and which concern one file. */
import { StoreError, systemErrorCode } from '../errors.js';
import { concernsAll } from './encryption-state.js';

/** One file that could not be transferred. The message says why. */
export class TransferError extends Error {
  override readonly name = 'TransferError';
}

/** The local file system has no room, or refuses every file. The message says where, and is for the user. */
export class LocalFailure extends Error {
  override readonly name = 'LocalFailure';
}

/** An error that ends a transfer, with the place where it happened if it is one of the local file system. */
export function lastingFailure(error: unknown, where: string): unknown {
  if (!(error instanceof Error) || !lastingErrnos.has(systemErrorCode(error) ?? '')) return error;
  return new LocalFailure(`${where}: ${error.message}`, { cause: error });
}

/** Errors of the local file system that every further file would meet too. */
const lastingErrnos: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EROFS', 'EMFILE', 'ENFILE']);

/** Undefined if the error concerns every file, or if its meaning is unknown. */
export function messageOfOneFailure(error: unknown): string | undefined {
  if (error instanceof TransferError) return error.message;
  if (error instanceof StoreError) return concernsAll(error) ? undefined : error.message;
  const errno = systemErrorCode(error);
  return errno === undefined || lastingErrnos.has(errno) ? undefined : (error as Error).message;
}
