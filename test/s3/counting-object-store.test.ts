import test from 'ava';
import { CountingObjectStore } from '../../src/s3/counting-object-store.js';
import { RequestCounters } from '../../src/s3/request-counters.js';
import { latencyQuantileMs } from '../../src/mount-statistics.js';
import { MemoryObjectStore } from '../object-store/memory-object-store.js';

const { signal } = new AbortController();

test('requests, failures and the bytes of content are counted', async (t) => {
  const below = new MemoryObjectStore();
  let nowMs = 0;
  const counters = new RequestCounters(() => (nowMs += 4));
  const store = new CountingObjectStore(below, counters);
  await store.put('k', [Buffer.from('abc'), Buffer.from('de')], { metadata: {} }, {}, signal);
  await store.get('k', { range: { offset: 1, length: 2 } }, signal);
  await t.throwsAsync(store.head('missing', signal), { code: 'NotFound' } as never);
  t.deepEqual(counters.counters(), {
    requests: { put: 1, get: 1, head: 1 },
    failures: { head: 1 },
    bytesReceived: 2,
    bytesSent: 5,
  });
  t.deepEqual(counters.failureCodes(), { NotFound: 1 });
  const { put, head } = counters.statistics();
  t.is(head?.failures, 1);
  t.like(put, { requests: 1, failures: 0, inFlight: 0, latency: { sumMs: 4 } });
  t.is(latencyQuantileMs(put!.latency, 0.5), 4);
});
