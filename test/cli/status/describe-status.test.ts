import test from 'ava';
import { describeInFull, describeInOneLine } from '../../../src/cli/status/describe-status.js';
import { latencyBoundsMs } from '../../../src/mount-statistics.js';
import { status } from './mount-status.js';

const now = new Date('2026-01-02T05:09:00.000Z');

test('a mount in one line', (t) => {
  t.is(
    describeInOneLine(status, now),
    '/home/me/"data"  bucket/folder/  pid 12, for 2 h 4 min, 3 files pending, 1 error',
  );
  const idle = { ...status, statistics: undefined, pending: [], pendingCount: 0 };
  t.regex(describeInOneLine(idle, now), /nothing pending$/);
});

test('a mount in full, with what is pending', (t) => {
  const text = describeInFull(status, now);
  for (const part of [
    /cache +3 hits, 1 misses \(75 % hits\), 1\.0 MiB kept/,
    /traffic +1\.5 KiB received, 5 B sent/,
    /uploads +2 under way \(8 B\), 7 waiting; 10 B staged in memory, 20 B on disk/,
    /errors +1, 1 retry; refusals and failures: NotFound 4, Timeout 1/,
    /get +5 +1 +1 +2\.3 ms +2\.9 ms/,
    /pending +3 files\n {4}a\n {4}b\n {4}and 1 more$/,
  ]) {
    t.regex(text, part);
  }
});

test('a mount whose server does not encrypt says so', (t) => {
  const statistics = { ...status.statistics!, writeRefusal: 'the server ignored the customer key' };
  t.regex(describeInOneLine({ ...status, statistics }, now), /, 1 error, refuses to write$/);
  t.regex(
    describeInFull({ ...status, statistics }, now),
    /^ {2}writing +refused: the server ignored the customer key$/m,
  );
});

test('latencies of 100 ms and more have no exponent', (t) => {
  const counts = latencyBoundsMs.map((boundMs) => (boundMs === 500 ? 1 : 0));
  const put = { requests: 1, failures: 0, inFlight: 0, latency: { counts: [...counts, 0], sumMs: 400 } };
  const text = describeInFull({ ...status, statistics: { ...status.statistics!, byKind: { put } } }, now);
  t.regex(text, /put +1 +0 +0 +400 ms +490 ms/);
});
