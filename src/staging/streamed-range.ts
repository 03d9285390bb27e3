/**
 * A range of a file's content as a request's body that is read while it is sent. It is for content that would have to be brought
 * into memory.
 */
import { StoreError } from '../errors.js';
import type { StreamedBody } from '../object-store.js';
import { isStored } from './extent-map.js';
import type { FileContent } from './file-content.js';

export const defaultHeldBytes = 4 * 1024 * 1024;

/**
 * [offset, offset + length) of the content. Each try reads it again, `heldBytes` at once. If the content is cut before the end,
 * the body fails with `Aborted`: nothing needs it any more.
 */
export function streamedRange(
  content: FileContent,
  { offset, length }: { readonly offset: number; readonly length: number },
  heldBytes: number,
): StreamedBody {
  const end = offset + length;
  async function* pieces(signal: AbortSignal): AsyncGenerator<Uint8Array> {
    for (let at = offset; at < end; at += heldBytes) {
      const wanted = Math.min(heldBytes, end - at);
      if (at + wanted > content.size) {
        throw new StoreError('Aborted', `the content ends at ${content.size}, before ${end}`);
      }
      yield* await content.read({ offset: at, length: wanted }, signal);
    }
  }
  const needsRequests = content.extents.slice(offset, length).some(({ source }) => isStored(source));
  return { length, needsRequests, pieces };
}
