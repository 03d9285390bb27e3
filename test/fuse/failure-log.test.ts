// Failures are in the log, and a program that tries again and again does not fill it.
import test from 'ava';
import { FsError, StoreError, type FsErrorCode, type StoreErrorCode } from '../../src/errors.js';
import { FailureLog } from '../../src/fuse/failure-log.js';
import { makeLog } from '../vfs/file-system-fixture.js';

function begin() {
  const { log, lines } = makeLog();
  let nowMs = 0;
  const failures = new FailureLog(log, () => nowMs);
  const shown = () =>
    lines
      .splice(0)
      .flatMap(({ level, fields, message }) => (level === 'debug' ? [] : [{ level, fields, message }]));
  return { failures, shown, wait: (ms: number) => (nowMs += ms) };
}

const answer = (code: FsErrorCode, cause?: StoreErrorCode): FsError =>
  new FsError(code, 'reading f', cause && { cause: new StoreError(cause, 'get f') });

test('an answer that comes of trouble with the server is logged, one that says what is there is not', (t) => {
  const { failures, shown } = begin();
  const logged: [FsErrorCode, StoreErrorCode?][] = [
    ['EIO', 'Unreachable'],
    ['EIO'],
    ['EACCES', 'AccessDenied'],
    ['EACCES', 'WrongCustomerKey'],
    ['ETIMEDOUT', 'Timeout'],
    ['EDQUOT', 'QuotaExceeded'],
    ['EROFS', 'NotEncrypting'],
  ];
  const quiet: [FsErrorCode, StoreErrorCode?][] = [
    ['ENOENT', 'NotFound'],
    ['ESTALE', 'PreconditionFailed'],
    ['EACCES'],
    ['EROFS'],
    ['EEXIST'],
  ];
  for (const [code, cause] of [...logged, ...quiet]) failures.reportAnswer('read', answer(code, cause));
  t.deepEqual(
    shown().map(({ level, message }) => [level, message]),
    logged.map(([code]) => ['warn', `a program was answered ${code}`]),
  );
});

test('the first of each kind is logged, and again after a while with how many there were', (t) => {
  const { failures, shown, wait } = begin();
  for (let count = 0; count < 5; count += 1) failures.reportAnswer('read', answer('EIO', 'Unreachable'));
  failures.reportAnswer('open', answer('EIO', 'Unreachable'));
  failures.reportAnswer('read', answer('EIO', 'ServerError'));
  t.is(shown().length, 3);
  wait(9 * 60_000);
  failures.reportAnswer('read', answer('EIO', 'Unreachable'));
  t.is(shown().length, 0);
  wait(60_000);
  failures.reportAnswer('read', answer('EIO', 'Unreachable'));
  const [line] = shown();
  t.like(line, { level: 'warn', fields: { operation: 'read', unlogged: 5 } });
});

test('kinds without end do not fill memory or disk', (t) => {
  const { failures, shown } = begin();
  for (let count = 0; count < 5000; count += 1)
    failures.report(`operation ${count}`, new Error('x'), 'failed');
  t.is(shown().length, 500);
});
