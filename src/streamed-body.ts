/** What those share who store an object by one PUT because its multipart upload was denied. */
import { createHash } from 'node:crypto';
import { isAccessDenied } from './errors.js';
import type { StoreLimits, StreamedBody } from './object-store.js';

/** Whether one PUT may do what the upload, which failed with `error`, may not. */
export function mayPutWhole(
  error: unknown,
  size: number,
  { maxPartSize }: Pick<StoreLimits, 'maxPartSize'>,
): boolean {
  return isAccessDenied(error) && size <= maxPartSize;
}

/** The body with its MD5, for which all of it is read once. */
export async function withMd5(
  body: StreamedBody,
  signal: AbortSignal,
): Promise<StreamedBody & { readonly md5: string }> {
  const hash = createHash('md5');
  for await (const piece of body.pieces(signal)) hash.update(piece);
  return { ...body, md5: hash.digest('base64') };
}
