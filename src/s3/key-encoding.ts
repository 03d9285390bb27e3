/** Encodes keys for the paths and headers of requests, and says which keys cannot be named as the source of a copy. */
import { StoreError } from '../errors.js';
import { encodeUri } from '../signature-v4.js';

/** Most keys need no encoding. */
const needsNoEncoding = /^[\w.~/-]*$/;

/** Slashes stay as they are. */
export function encodeKey(key: string): string {
  return needsNoEncoding.test(key) ? key : key.split('/').map(encodeUri).join('/');
}

/**
 * Ceph 16 decodes the source of UploadPartCopy twice and looks for a version in between: for the key `a%20b` it copies `a b`,
 * for `x?versionId=null` it copies `x`, and a `%` without two hexadecimal digits aborts the gateway. The version of a server is
 * no proof that it does better, so the bytes of such objects always go through the client.
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
