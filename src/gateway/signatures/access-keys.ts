/** The access key and the clock that signatures are checked against. */
import { isEqual } from '../storage/sealing.js';
import { S3Error } from '../s3-error.js';

export interface AccessKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** How far a client's clock may be off, as on AWS and RGW. */
export const maxClockSkewMs = 15 * 60_000;

export function requireKnown(accessKey: AccessKey, accessKeyId: string | undefined): void {
  if (accessKeyId !== accessKey.accessKeyId) {
    throw new S3Error('InvalidAccessKeyId', 'The access key ID is not the one of this gateway.');
  }
}

export function requireSameSignature(expected: string, given: string | undefined): void {
  if (given === undefined || !isEqual(Buffer.from(expected), Buffer.from(given))) {
    throw new S3Error(
      'SignatureDoesNotMatch',
      'The signature is not the one that this request has under the secret access key.',
    );
  }
}

export function requireClockInTime(timeMs: number | undefined, nowMs: number): void {
  if (timeMs === undefined || Number.isNaN(timeMs)) {
    throw new S3Error(
      'AccessDenied',
      'The request says no time that could be read: it needs x-amz-date or Date.',
    );
  }
  if (Math.abs(timeMs - nowMs) > maxClockSkewMs) {
    throw new S3Error('RequestTimeTooSkewed', "The request's time is too far from the gateway's.");
  }
}
