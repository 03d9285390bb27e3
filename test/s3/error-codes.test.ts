import { inspect } from 'node:util';
import test from 'ava';
import { StoreError, type StoreErrorCode } from '../../src/errors.js';
import { connectionErrnoOf, serverCodeOf, statusOf, toStoreError } from '../../src/s3/error-codes.js';

const call = { operation: 'get', key: 'some/key' };

/** An error as the SDK makes it from a reply. */
function replyError(name: string, status: number, fields: object = {}): Error {
  return Object.assign(new Error('text that must not matter: NoSuchKey'), {
    name,
    $metadata: { httpStatusCode: status, requestId: 'r1' },
    ...fields,
  });
}

function socketError(code: string): Error {
  return Object.assign(new Error('text that must not matter: ENOTFOUND'), { code });
}

test("the server's code decides, whatever the status", (t) => {
  const cases: readonly (readonly [string, number, StoreErrorCode])[] = [
    ['NoSuchKey', 404, 'NotFound'],
    ['NoSuchBucket', 404, 'NoSuchBucket'],
    ['NoSuchUpload', 404, 'NoSuchUpload'],
    ['AccessDenied', 403, 'AccessDenied'],
    ['InvalidAccessKeyId', 403, 'AccessDenied'],
    ['SignatureDoesNotMatch', 403, 'AccessDenied'],
    ['RequestTimeTooSkewed', 403, 'ClockSkewed'],
    ['QuotaExceeded', 403, 'QuotaExceeded'],
    ['InvalidRange', 416, 'RangeNotSatisfiable'],
    ['EntityTooLarge', 400, 'EntityTooLarge'],
    ['EntityTooSmall', 400, 'InvalidRequest'],
    ['BadDigest', 400, 'CorruptReply'],
    ['RequestTimeout', 400, 'Timeout'],
    ['SlowDown', 503, 'Throttled'],
    ['InternalError', 200, 'ServerError'],
    ['NotImplemented', 501, 'NotImplemented'],
    ['PreconditionFailed', 412, 'PreconditionFailed'],
  ];
  for (const [name, status, code] of cases) {
    const error = toStoreError(replyError(name, status), call, undefined);
    t.is(error.code, code, name);
    t.is(serverCodeOf(error), name);
    t.is(statusOf(error), status);
  }
});

test('a reply without a code, as to HEAD, is classified by its status', (t) => {
  const cases: readonly (readonly [number, StoreErrorCode])[] = [
    [301, 'InvalidRequest'],
    [400, 'InvalidRequest'],
    [403, 'AccessDenied'],
    [404, 'NotFound'],
    [412, 'PreconditionFailed'],
    [416, 'RangeNotSatisfiable'],
    [429, 'Throttled'],
    [500, 'ServerError'],
    [502, 'ServerError'],
    [503, 'Throttled'],
    [504, 'Timeout'],
    [200, 'CorruptReply'],
  ];
  for (const [status, code] of cases) {
    const error = toStoreError(replyError('Unknown', status), call, undefined);
    t.is(error.code, code, String(status));
    t.is(serverCodeOf(error), undefined);
  }
});

test('a failure below HTTP is classified by its errno', (t) => {
  const cases: readonly (readonly [string, StoreErrorCode])[] = [
    ['ECONNREFUSED', 'Unreachable'],
    ['ECONNRESET', 'Unreachable'],
    ['EPIPE', 'Unreachable'],
    ['ENOTFOUND', 'Unreachable'],
    ['EAI_AGAIN', 'Unreachable'],
    ['EPROTO', 'Unreachable'],
    ['ETIMEDOUT', 'Timeout'],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'CertificateRejected'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'CertificateRejected'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'CertificateRejected'],
    ['CERT_HAS_EXPIRED', 'CertificateRejected'],
    ['HPE_INVALID_CONSTANT', 'CorruptReply'],
  ];
  for (const [errno, code] of cases) {
    const error = toStoreError(socketError(errno), call, undefined);
    t.is(error.code, code, errno);
    t.is(connectionErrnoOf(error), errno);
  }
});

test('where every address of a host failed, the first failure speaks for all', (t) => {
  const error = new AggregateError([socketError('ECONNREFUSED'), socketError('ENETUNREACH')]);
  t.is(toStoreError(error, call, undefined).code, 'Unreachable');
});

test('a timeout of the SDK is a Timeout, and what the SDK refuses to send is an InvalidRequest', (t) => {
  t.is(
    toStoreError(Object.assign(new Error('x'), { name: 'TimeoutError' }), call, undefined).code,
    'Timeout',
  );
  t.is(toStoreError(new TypeError('x'), call, undefined).code, 'InvalidRequest');
  t.is(toStoreError('not even an error', call, undefined).code, 'InvalidRequest');
});

test('whatever fails after the caller aborted is Aborted', (t) => {
  t.is(toStoreError(socketError('ECONNRESET'), call, AbortSignal.abort()).code, 'Aborted');
});

test('a StoreError stays itself', (t) => {
  const error = new StoreError('CorruptReply', 'x');
  t.is(toStoreError(error, call, undefined), error);
});

test('the message names operation, key, code, status and request, in one line', (t) => {
  t.is(
    toStoreError(replyError('NoSuchKey', 404), call, undefined).message,
    'get some/key: no such object (NoSuchKey, HTTP 404, request r1)',
  );
});

test('nothing else of a reply is kept: it may repeat the customer key', (t) => {
  const secret = 'c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2U=';
  const error = replyError('SignatureDoesNotMatch', 403, {
    message: `signed ${secret}`,
    CanonicalRequest: `x-amz-server-side-encryption-customer-key:${secret}`,
    $response: { headers: { secret } },
  });
  const converted = toStoreError(error, call, undefined);
  t.false(inspect(converted, { depth: 10, showHidden: true }).includes(secret));
});
