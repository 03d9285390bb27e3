/** Whether the owner of the access key sent a request. Nobody else may do anything. */
import type { Flavor } from '../flavor.js';
import type { S3Request } from '../request.js';
import { S3Error } from '../s3-error.js';
import type { AccessKey } from './access-keys.js';
import { checkSignatureV2, isSignedV2 } from './check-signature-v2.js';
import { checkSignatureV4, isSignedV4, type ChunkSigning } from './check-signature-v4.js';
import { unsignedPayload } from '../../signature-v4.js';

/** What the signature says about the body. */
export interface PayloadClaim {
  /** A SHA-256 in hexadecimal, `UNSIGNED-PAYLOAD`, or `STREAMING-…`. */
  readonly contentHash: string;
  /** Undefined with signatures of version 2, which have no signed chunks. */
  readonly chunks: ChunkSigning | undefined;
}

/** Throws an `S3Error` unless the request is validly signed. */
export function authenticateRequest(
  request: S3Request,
  flavor: Flavor,
  accessKey: AccessKey,
  nowMs: number,
): PayloadClaim {
  if (isSignedV4(request)) return checkSignatureV4(request, accessKey, nowMs);
  if (!isSignedV2(request)) throw new S3Error('AccessDenied', 'The request is not signed.');
  if (!flavor.acceptsSignatureV2) {
    throw new S3Error(
      'InvalidRequest',
      'The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.',
    );
  }
  checkSignatureV2(request, accessKey, nowMs);
  return { contentHash: unsignedPayload, chunks: undefined };
}
