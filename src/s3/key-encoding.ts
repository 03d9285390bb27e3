/** How keys stand in the paths and headers of requests, and which of them cannot be named as the source of a copy. */
import { StoreError } from '../errors.js';
import { encodeUri } from '../signature-v4.js';

/** Most keys are sent as they are. */
const needsNoEncoding = /^[\w.~/-]*$/;

/** The slashes stay. */
export function encodeKey(key: string): string {
  return needsNoEncoding.test(key) ? key : key.split('/').map(encodeUri).join('/');
}

/**
 * Ceph 16 decodes the source of UploadPartCopy twice, and looks for a version between the two: of the key `a%20b` it copies
 * `a b`, of `x?versionId=null` it copies `x`, and a `%` before other than two hexadecimal digits aborts the gateway. No server
 * is trusted to do better by its version: the bytes of such objects go through the client.
 */
const decodedAgain = /%|\?versionId=/;

export function canNameCopySource(key: string): boolean {
  return !decodedAgain.test(key);
}

/** The value of `x-amz-copy-source`. Throws `InvalidRequest` for what cannot be named. */
export function copySourceOf(bucket: string, key: string): string {
  if (!canNameCopySource(key)) {
    throw new StoreError('InvalidRequest', `copy of ${key}: the server may take the name for another one`);
  }
  return `${bucket}/${encodeKey(key)}`;
}
