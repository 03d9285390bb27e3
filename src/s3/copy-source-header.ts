/** How a copy names its source to the server, and which keys cannot be named so. */
import { StoreError } from '../errors.js';

/**
 * Ceph 16 decodes the source of UploadPartCopy twice, and looks for a version between the two: of the key `a%20b` it copies
 * `a b`, of `x?versionId=null` it copies `x`, and a `%` before other than two hexadecimal digits aborts the gateway. No server
 * is trusted to do better by its version: the bytes of such objects go through the client.
 */
const decodedAgain = /%|\?versionId=/;

export function canNameCopySource(key: string): boolean {
  return !decodedAgain.test(key);
}

/** Source keys go into a header, so all but the slashes is percent-encoded. Throws `InvalidRequest` for what cannot be named. */
export function copySourceHeader(bucket: string, key: string): string {
  if (!canNameCopySource(key)) {
    throw new StoreError('InvalidRequest', `copy of ${key}: the server may take the name for another one`);
  }
  return `${bucket}/${key.split('/').map(encodeURIComponent).join('/')}`;
}
