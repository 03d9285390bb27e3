/** For storing an object by one streamed PUT because its multipart upload was denied. */
import { createHash } from 'node:crypto';
import { isAccessDenied } from './errors.js';
import type { StoreLimits, StreamedBody } from './object-store.js';

/** Whether one PUT may succeed where the upload failed with `error`. */
export function mayPutWhole(
  error: unknown,
  size: number,
  { maxPartSize }: Pick<StoreLimits, 'maxPartSize'>,
): boolean {
  return isAccessDenied(error) && size <= maxPartSize;
}

/** The body with its MD5. Reads the whole body once for it. */
export async function withMd5(
  body: StreamedBody,
  signal: AbortSignal,
): Promise<StreamedBody & { readonly md5: string }> {
  const hash = createHash('md5');
  for await (const piece of body.pieces(signal)) hash.update(piece);
  return { ...body, md5: hash.digest('base64') };
}
