/**
 * The one place that turns failures of the server, the SDK, Node's sockets and OpenSSL into `StoreError`s: by the server's
 * code, else the HTTP status, else the errno, never by message text. The callers decide what to do about an error.
 */
import { abortionOf, StoreError, type StoreErrorCode } from '../errors.js';
import { storeErrorFacts } from '../store-error-facts.js';

/**
 * What the server said, without the rest of the SDK's error. A reply to a wrong signature repeats the signed request, which
 * holds the customer key, and loggers print everything that hangs on a `cause`.
 */
class ServerRefusal extends Error {
  override readonly name = 'ServerRefusal';

  constructor(
    /** The `Code` of the reply's XML; undefined for the bare replies to HEAD. */
    readonly serverCode: string | undefined,
    readonly status: number,
    readonly requestId: string | undefined,
    /** In the server's words, if they say more and are safe to show. */
    said?: string,
  ) {
    const facts = [serverCode, `HTTP ${status}`, requestId && `request ${requestId}`].filter(Boolean);
    super(`${facts.join(', ')}${said === undefined ? '' : `: ${said}`}`);
  }
}

/** A reply with which the server refuses a request, before it becomes a `StoreError`. */
export class RefusedReply extends Error {
  override readonly name = 'RefusedReply';

  constructor(
    /** Undefined for the bare replies to HEAD. */
    readonly serverCode: string | undefined,
    /** In the server's words, which may repeat secrets of the request. */
    readonly said: string | undefined,
    readonly status: number,
    readonly requestId: string | undefined,
  ) {
    super(`HTTP ${status}`);
  }

  /** The same refusal with this code, unless the server gave one. */
  because(serverCode: string): RefusedReply {
    return this.serverCode === undefined
      ? new RefusedReply(serverCode, this.said, this.status, this.requestId)
      : this;
  }
}

/** A failure below HTTP: the errno of a socket, or OpenSSL's code. */
class ConnectionFailure extends Error {
  override readonly name = 'ConnectionFailure';

  constructor(
    /** For example ECONNREFUSED, ENOTFOUND, EPROTO, SELF_SIGNED_CERT_IN_CHAIN; undefined where none was given. */
    readonly errno: string | undefined,
  ) {
    super(errno ?? 'the connection failed');
  }
}

/** Codes of https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html and of Ceph's rgw_http_errors. */
const codeByServerCode: Readonly<Record<string, StoreErrorCode>> = {
  NoSuchKey: 'NotFound',
  NotFound: 'NotFound',
  NoSuchVersion: 'NotFound',
  NoSuchBucket: 'NoSuchBucket',
  NoSuchUpload: 'NoSuchUpload',

  AccessDenied: 'AccessDenied',
  AllAccessDisabled: 'AccessDenied',
  AccountProblem: 'AccessDenied',
  ExpiredToken: 'AccessDenied',
  Forbidden: 'AccessDenied',
  InvalidAccessKeyId: 'AccessDenied',
  InvalidToken: 'AccessDenied',
  InvalidObjectState: 'AccessDenied', // archived in Glacier
  SignatureDoesNotMatch: 'AccessDenied',
  UserSuspended: 'AccessDenied',

  PreconditionFailed: 'PreconditionFailed',
  InvalidRange: 'RangeNotSatisfiable',
  KeyTooLongError: 'KeyTooLong',
  MethodNotAllowed: 'NotImplemented',
  NotImplemented: 'NotImplemented',
  QuotaExceeded: 'QuotaExceeded',
  EntityTooLarge: 'EntityTooLarge',

  // The SDK's own.
  CredentialsProviderError: 'NoCredentials',
  TokenProviderError: 'NoCredentials',

  SlowDown: 'Throttled',
  ServiceUnavailable: 'Throttled',
  TooManyRequests: 'Throttled',
  ThrottlingException: 'Throttled',
  ConditionalRequestConflict: 'Throttled', // another write of this key is under way; AWS asks to send it again
  OperationAborted: 'Throttled',
  InternalError: 'ServerError',
  RequestTimeout: 'Timeout',
  RequestTimeTooSkewed: 'ClockSkewed',
  BadDigest: 'CorruptReply', // the body did not arrive as it was sent
  IncompleteBody: 'CorruptReply',
};

const codeByStatus: Readonly<Record<number, StoreErrorCode>> = {
  401: 'AccessDenied',
  403: 'AccessDenied',
  404: 'NotFound',
  405: 'NotImplemented',
  408: 'Timeout',
  409: 'Throttled',
  411: 'InvalidRequest',
  412: 'PreconditionFailed',
  413: 'EntityTooLarge',
  416: 'RangeNotSatisfiable',
  429: 'Throttled',
  501: 'NotImplemented',
  503: 'Throttled',
  504: 'Timeout',
};

/** OpenSSL's X509_V_ERR_* as Node names them (https://nodejs.org/api/tls.html#x509-certificate-error-codes). */
const certificateErrnos: ReadonlySet<string> = new Set([
  'CERT_CHAIN_TOO_LONG',
  'CERT_HAS_EXPIRED',
  'CERT_NOT_YET_VALID',
  'CERT_REJECTED',
  'CERT_REVOKED',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'HOSTNAME_MISMATCH',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'PATH_LENGTH_EXCEEDED',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

const timeoutErrnos: ReadonlySet<string> = new Set(['ETIMEDOUT', 'ESOCKETTIMEDOUT']);

/** What the failed call was about: how a message begins. */
export interface FailedCall {
  readonly operation: string;
  readonly key: string;
}

/** Turns anything thrown by a request into a StoreError with a cause that is safe to log. */
export function toStoreError(error: unknown, call: FailedCall, signal: AbortSignal | undefined): StoreError {
  const subject = `${call.operation} ${call.key}`;
  if (signal?.aborted) return abortionOf(signal, subject);
  if (error instanceof StoreError) return error;
  const facts = readFacts(error);
  const code = classify(facts);
  const cause =
    facts.status === undefined ? new ConnectionFailure(facts.errno ?? facts.name) : serverRefusalOf(facts);
  return new StoreError(code, `${subject}: ${storeErrorFacts[code].meaning} (${cause.message})`, { cause });
}

/** The server's own code behind a StoreError, for example `InvalidAccessKeyId`. */
export function serverCodeOf(error: StoreError): string | undefined {
  return error.cause instanceof ServerRefusal ? error.cause.serverCode : undefined;
}

/** The HTTP status behind a StoreError. */
export function statusOf(error: StoreError): number | undefined {
  return error.cause instanceof ServerRefusal ? error.cause.status : undefined;
}

/** The errno or OpenSSL code behind a StoreError, for example `ENOTFOUND`. */
export function connectionErrnoOf(error: StoreError): string | undefined {
  return error.cause instanceof ConnectionFailure ? error.cause.errno : undefined;
}

/** The code for one entry of a batch deletion's `<Error>` list. */
export function codeOfServerCode(serverCode: string | undefined): StoreErrorCode {
  return (serverCode !== undefined ? codeByServerCode[serverCode] : undefined) ?? 'ServerError';
}

interface Facts {
  readonly name: string | undefined;
  readonly message: string | undefined;
  readonly errno: string | undefined;
  readonly status: number | undefined;
  readonly requestId: string | undefined;
}

function readFacts(error: unknown): Facts {
  if (error instanceof RefusedReply) {
    const { serverCode: name, said: message, status, requestId } = error;
    return { name, message, errno: undefined, status, requestId };
  }
  const name = stringAt(error, 'name');
  const metadata = valueAt(error, '$metadata');
  const status = valueAt(metadata, 'httpStatusCode') ?? valueAt(valueAt(error, '$response'), 'statusCode');
  // Happy eyeballs: all addresses failed, and the first one's errno speaks for the others.
  const first = error instanceof AggregateError ? (error.errors as readonly unknown[])[0] : undefined;
  return {
    name,
    message: stringAt(error, 'message'),
    errno: stringAt(error, 'code') ?? stringAt(first, 'code'),
    status: typeof status === 'number' ? status : undefined,
    requestId: stringAt(metadata, 'requestId'),
  };
}

function serverRefusalOf({ name, message, status, requestId }: Facts): ServerRefusal {
  const isBare = name === undefined || name === 'Unknown' || name === 'UnknownError' || name === 'Error';
  const said = status === 400 && message !== name ? safeWords(message) : undefined;
  return new ServerRefusal(isBare ? undefined : name, status ?? 0, requestId, said);
}

const maxWords = 200;
/** As long as a secret is, in any of its forms. */
const maybeSecret = /[\w+/=-]{24,}/;

/** A server may repeat in its message what was sent to it. */
function safeWords(message: string | undefined): string | undefined {
  if (message === undefined || message === '' || message === 'UnknownError') return undefined;
  return maybeSecret.test(message) ? undefined : message.slice(0, maxWords);
}

function classify({ name, errno, status }: Facts): StoreErrorCode {
  const byName = name === undefined ? undefined : codeByServerCode[name];
  if (byName !== undefined) return byName;
  if (name === 'TimeoutError') return 'Timeout';
  if (status !== undefined) {
    const byStatus = codeByStatus[status];
    if (byStatus !== undefined) return byStatus;
    if (status >= 500) return 'ServerError';
    if (status >= 300) return 'InvalidRequest';
    return 'CorruptReply'; // a reply of success that the SDK could not make sense of
  }
  if (errno === undefined) return 'InvalidRequest'; // the SDK refused to send it
  if (timeoutErrnos.has(errno)) return 'Timeout';
  if (certificateErrnos.has(errno)) return 'CertificateRejected';
  if (errno.startsWith('HPE_')) return 'CorruptReply'; // what came back is not HTTP
  if (errno.startsWith('ERR_INVALID_') || errno.startsWith('ERR_UNESCAPED_')) return 'InvalidRequest';
  return 'Unreachable';
}

function valueAt(value: unknown, property: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, property) : undefined;
}

function stringAt(value: unknown, property: string): string | undefined {
  const found = valueAt(value, property);
  return typeof found === 'string' ? found : undefined;
}
