/** The sentences that a user reads when a bucket cannot be used: what is wrong, and what to do about it. */
import { StoreError } from '../errors.js';
import type { KeyRing } from '../keys/key-ring.js';
import { storeErrorFacts } from '../store-error-facts.js';
import { connectionErrnoOf, serverCodeOf } from './error-codes.js';

interface BucketSubject {
  readonly bucket: string;
  /** Undefined for AWS itself. */
  readonly endpoint: URL | undefined;
  readonly keyRing: KeyRing;
}

/** The same code and cause with a message for the user. */
export function explainBucketFailure(error: StoreError, subject: BucketSubject): StoreError {
  return new StoreError(error.code, explain(error, subject), { cause: error.cause });
}

/** These sentences name the bucket and the server. All other codes have their meaning from the table. */
function explain(error: StoreError, subject: BucketSubject): string {
  const { bucket, endpoint, keyRing } = subject;
  const server = endpoint?.host ?? 'AWS';
  switch (error.code) {
    case 'NoSuchBucket':
      return `there is no bucket ${inQuotes(bucket)} at ${server}`;
    case 'NotFound':
      return `${server} does not know the bucket ${inQuotes(bucket)}, or is not an S3 server: check --endpoint`;
    case 'AccessDenied':
      return explainDeniedAccess(error, bucket, server);
    case 'NoCredentials':
      return 'the S3 credentials can no longer be found or renewed';
    case 'WrongCustomerKey':
      return isPlainHttp(endpoint)
        ? `${server} refuses SSE-C over plain http: use https`
        : explainWrongKey(keyRing, bucket);
    case 'CertificateRejected':
      return explainCertificate(connectionErrnoOf(error), server);
    case 'ServerRefused':
      return error.message;
    case 'Unreachable':
      return explainConnection(connectionErrnoOf(error), endpoint, server);
    case 'Timeout':
      return `${server} does not answer: check --endpoint and the network`;
    case 'ClockSkewed':
      return `this machine's clock differs too much from that of ${server}: set it right`;
    case 'CorruptReply':
      return `what answers at ${server} is not an S3 server: check --endpoint`;
    case 'InvalidRequest':
      return explainRefusal(error, bucket, endpoint, server);
    default:
      return `bucket ${inQuotes(bucket)} at ${server} cannot be used: ${storeErrorFacts[error.code].meaning}${detailOf(error)}`;
  }
}

function explainWrongKey(keyRing: KeyRing, bucket: string): string {
  const objects = `the objects in bucket ${inQuotes(bucket)}: they were written with another key`;
  return keyRing.others.length === 0
    ? `the key file's key (fingerprint ${keyRing.describe()}) does not decrypt ${objects}`
    : `none of the key files' keys (fingerprints ${keyRing.describe()}) decrypts ${objects}`;
}

function explainDeniedAccess(error: StoreError, bucket: string, server: string): string {
  switch (serverCodeOf(error)) {
    case 'InvalidAccessKeyId':
      return `${server} does not know the access key: check AWS_ACCESS_KEY_ID or the profile`;
    case 'SignatureDoesNotMatch':
      return `the secret key does not belong to the access key, says ${server}: check AWS_SECRET_ACCESS_KEY or the profile`;
    case 'ExpiredToken':
    case 'InvalidToken':
      return `the credentials have expired or are invalid, says ${server}: get new ones`;
    default:
      return `access to bucket ${inQuotes(bucket)} at ${server} is denied: these credentials may not list or read it`;
  }
}

function explainCertificate(errno: string | undefined, server: string): string {
  switch (errno) {
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
    case 'HOSTNAME_MISMATCH':
      return `the certificate of ${server} is for another host name: check --endpoint`;
    case 'CERT_HAS_EXPIRED':
      return `the certificate of ${server} has expired`;
    case 'CERT_NOT_YET_VALID':
      return `the certificate of ${server} is not valid yet: is this machine's clock right?`;
    default:
      return `the certificate of ${server} is not trusted (${errno ?? 'no reason given'}): name the authority that signed it with --ca-bundle`;
  }
}

function explainConnection(errno: string | undefined, endpoint: URL | undefined, server: string): string {
  if (errno === undefined) return `${server} cannot be reached`;
  if (errno === 'EPROTO' || errno.startsWith('ERR_SSL_')) {
    return `${server} does not speak TLS${endpoint ? ': is it plain http, or another port?' : ''} (${errno})`;
  }
  switch (errno) {
    case 'ENOTFOUND':
      return `the name ${endpoint?.hostname ?? server} does not resolve: check --endpoint`;
    case 'EAI_AGAIN':
      return `the name ${endpoint?.hostname ?? server} cannot be resolved now: is the network up?`;
    case 'ECONNREFUSED':
      return `${server} refuses connections: is the server running, and is this its port?`;
    case 'ENETUNREACH':
    case 'EHOSTUNREACH':
      return `there is no route to ${server} (${errno}): is the network up?`;
    default:
      return `the connection to ${server} failed (${errno})`;
  }
}

function explainRefusal(
  error: StoreError,
  bucket: string,
  endpoint: URL | undefined,
  server: string,
): string {
  switch (serverCodeOf(error) ?? connectionErrnoOf(error)) {
    case 'InvalidBucketName':
      return `${inQuotes(bucket)} is not a name that a bucket can have`;
    case 'AuthorizationHeaderMalformed':
    case 'IllegalLocationConstraintException':
    case 'PermanentRedirect':
    case 'InvalidRegion':
      return `bucket ${inQuotes(bucket)} is in another region: set --region or AWS_REGION`;
    default:
      return isPlainHttp(endpoint)
        ? `${server} refuses the request${detailOf(error)}: SSE-C needs https`
        : `${server} refuses to list bucket ${inQuotes(bucket)}${detailOf(error)}`;
  }
}

function detailOf({ cause }: StoreError): string {
  return cause instanceof Error ? ` (${cause.message})` : '';
}

function isPlainHttp(endpoint: URL | undefined): boolean {
  return endpoint?.protocol === 'http:';
}

function inQuotes(name: string): string {
  return JSON.stringify(name);
}
