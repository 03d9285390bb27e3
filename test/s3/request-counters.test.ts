import { randomBytes } from 'node:crypto';
import { CreateBucketCommand } from '@aws-sdk/client-s3';
import test, { type ExecutionContext } from 'ava';
import { latencyQuantileMs } from '../../src/mount-statistics.js';
import { RequestCounters } from '../../src/s3/request-counters.js';
import { S3ObjectStore } from '../../src/s3/s3-object-store.js';
import { connectToGateway, newCustomerKey, runGateway, silentLog } from '../gateway/running-gateway.js';
import { noHeaders } from './fake-replies.js';
import { never, provenEncryption } from './fake-server.js';

/** A store on a gateway as RGW, and what is counted of it, on a clock that goes on by 4 ms at each look. */
async function makeCountedStore(t: ExecutionContext) {
  await runGateway(t, 'rgw');
  const connection = await connectToGateway();
  const { client, endpoint } = connection;
  t.teardown(() => connection.close());
  await client.send(new CreateBucketCommand({ Bucket: 'counted' }));
  let nowMs = 0;
  const counters = new RequestCounters(() => (nowMs += 4));
  const store = new S3ObjectStore({
    access: connection,
    endpoint,
    bucket: 'counted',
    customerKey: newCustomerKey(),
    plaintext: 'refuse',
    encryptionProof: provenEncryption(),
    counters,
    log: silentLog,
  });
  return { store, counters };
}

test.serial('requests, failures, durations and the bytes of content are counted', async (t) => {
  const { store, counters } = await makeCountedStore(t);
  await store.put(
    { key: 'k', body: [Buffer.from('abc'), Buffer.from('de')], headers: noHeaders, condition: {} },
    never,
  );
  await store.get({ key: 'k', range: { offset: 1, length: 2 } }, never);
  await t.throwsAsync(store.head('missing', never), { code: 'NotFound' } as never);
  t.deepEqual(counters.counters(), {
    requests: { put: 1, get: 1, head: 1 },
    failures: { head: 1 },
    bytesReceived: 2,
    bytesSent: 5,
  });
  t.deepEqual(counters.failureCodes(), { NotFound: 1 });
  const { put } = counters.statistics();
  t.like(put, { requests: 1, failures: 0, inFlight: 0, latency: { sumMs: 4 } });
  t.is(latencyQuantileMs(put!.latency, 0.5), 4);
});

test.serial(
  'a copy counts as the requests that it consists of, with the bytes that go through this machine',
  async (t) => {
    const { store, counters } = await makeCountedStore(t);
    const size = 2 ** 20;
    const moved = async (key: string) => {
      await store.put({ key, body: [randomBytes(size)], headers: noHeaders, condition: {} }, never);
      const source = await store.head(key, never);
      const before = counters.counters();
      await store.copy({ source, targetKey: `${key}.copy`, headers: noHeaders, condition: {} }, never);
      const { requests, bytesReceived, bytesSent } = counters.counters();
      const of = (kind: keyof typeof requests) => (requests[kind] ?? 0) - (before.requests[kind] ?? 0);
      return {
        received: bytesReceived - before.bytesReceived,
        sent: bytesSent - before.bytesSent,
        copiedParts: of('uploadPartCopy'),
        completions: of('completeUpload'),
      };
    };
    t.deepEqual(await moved('plain'), { received: 0, sent: 0, copiedParts: 1, completions: 1 });
    // Ceph would copy another object.
    t.like(await moved('a%20b'), { received: size, sent: size, copiedParts: 0 });
  },
);
