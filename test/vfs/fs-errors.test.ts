import test from 'ava';
import { abortionOf, fsErrorCodes, StoreError, storeErrorCodes } from '../../src/errors.js';
import { storeErrorFacts } from '../../src/store-error-facts.js';
import { toFsError } from '../../src/vfs/fs-errors.js';

/** For success, for "not supported, so nothing to do", or for "try later". */
const misunderstood = ['EAGAIN', 'EWOULDBLOCK', 'EINPROGRESS', 'EALREADY', 'EOPNOTSUPP', 'ENOTSUP', 'ENOSYS'];

test('no failure of the store becomes an errno that programs take for success or for "try later"', (t) => {
  for (const code of storeErrorCodes) {
    const { code: errno } = toFsError(new StoreError(code, 'x'), 'reading f');
    t.is(errno, storeErrorFacts[code].errno);
    t.false(misunderstood.includes(errno), `${code} is ${errno}`);
    t.is(errno === 'EINTR', code === 'Aborted', `${code} is ${errno}`);
  }
});

test('no operation of the file system can answer EAGAIN at all', (t) => {
  const codes: readonly string[] = fsErrorCodes;
  for (const errno of ['EAGAIN', 'EWOULDBLOCK', 'EINPROGRESS']) t.false(codes.includes(errno), errno);
});

test('a wait that its caller ends is EINTR, and one that a time limit ends ETIMEDOUT', (t) => {
  // As AbortSignal.timeout() aborts.
  const limit = AbortSignal.abort(new DOMException('', 'TimeoutError'));
  const errnoOf = (signal: AbortSignal) => toFsError(abortionOf(signal, 'waiting'), 'listing d').code;
  t.is(errnoOf(limit), 'ETIMEDOUT');
  t.is(errnoOf(AbortSignal.any([limit, new AbortController().signal])), 'ETIMEDOUT');
  t.is(errnoOf(AbortSignal.abort()), 'EINTR');
});
