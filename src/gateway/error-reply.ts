/** What the client and the log get to know about a failure. */
import type { Log } from '../log.js';
import type { GatewayReply } from './gateway-reply.js';
import { S3Error } from './s3-error.js';
import { BucketDeletedError } from './storage/bucket.js';
import { DamagedFileError } from './storage/sealing.js';
import { element, xmlDocument } from './xml.js';

const fullDisk: ReadonlySet<string | undefined> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

export function toS3Error(error: unknown): S3Error {
  if (error instanceof S3Error) return error;
  if (error instanceof BucketDeletedError) {
    return new S3Error('NoSuchBucket', 'The bucket was deleted meanwhile.', { cause: error });
  }
  if (error instanceof DamagedFileError) {
    return new S3Error('InternalError', 'The stored object is damaged.', { cause: error });
  }
  if (fullDisk.has((error as NodeJS.ErrnoException).code)) {
    return new S3Error('InsufficientStorage', "The gateway's disk is full.", { cause: error });
  }
  return new S3Error('InternalError', 'The gateway failed; its log says how.', { cause: error });
}

/** HEAD has no body, and so no code. */
export function errorReply(
  error: S3Error,
  method: string,
  resource: string,
  requestId: string,
): GatewayReply {
  if (method === 'HEAD' || error.status === 304) return { status: error.status, headers: {} };
  const body = xmlDocument(
    'Error',
    element('Code', error.code),
    element('Message', error.message),
    element('Resource', resource),
    element('RequestId', requestId),
    element('HostId', 'osirisfs-gateway'),
  ).replace(/(<Error) xmlns="[^"]*"/, '$1');
  return { status: error.status, headers: { 'content-type': 'application/xml' }, body };
}

/** Refusals are the client's business, failures the gateway's. */
export function logError(log: Log, error: S3Error, fields: object): void {
  if (error.status >= 500 && error.code !== 'NotImplemented') {
    log.error({ ...fields, err: error.cause ?? error }, 'a request failed');
  } else {
    log.debug({ ...fields, code: error.code }, 'a request was refused');
  }
}
