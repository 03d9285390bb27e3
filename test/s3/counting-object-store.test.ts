import test from 'ava';
import { CountingObjectStore } from '../../src/s3/counting-object-store.js';
import { MemoryObjectStore } from '../object-store/memory-object-store.js';

const { signal } = new AbortController();

test('requests, failures and the bytes of content are counted', async (t) => {
  const below = new MemoryObjectStore();
  const store = new CountingObjectStore(below);
  await store.put('k', [Buffer.from('abc'), Buffer.from('de')], { metadata: {} }, {}, signal);
  await store.get('k', { range: { offset: 1, length: 2 } }, signal);
  await t.throwsAsync(store.head('missing', signal), { code: 'NotFound' } as never);
  t.deepEqual(store.counters(), {
    requests: { put: 1, get: 1, head: 1 },
    failures: { head: 1 },
    bytesReceived: 2,
    bytesSent: 5,
  });
});
