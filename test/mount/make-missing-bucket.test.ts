import { ListBucketsCommand } from '@aws-sdk/client-s3';
import test from 'ava';
import { makeMissingBucket } from '../../src/mount/make-missing-bucket.js';
import type { MountResources } from '../../src/mount/mount-resources.js';
import { connectToGateway, runGateway, silentLog } from '../gateway/running-gateway.js';

const { signal } = new AbortController();

test('a bucket is made, and one that is there is left as it is', async (t) => {
  await runGateway(t, 'rgw');
  const connection = await connectToGateway();
  t.teardown(() => connection.close());
  const resources = { connection, log: silentLog } as MountResources;
  const make = (bucket: string, location: string | undefined) =>
    makeMissingBucket(bucket, { location }, resources, signal);
  t.is(await make('plain', undefined), 'the bucket plain was made');
  t.is(await make('plain', undefined), 'the bucket plain was made');
  const { Buckets } = await connection.client.send(new ListBucketsCommand({}));
  t.deepEqual(
    Buckets?.map(({ Name }) => Name),
    ['plain'],
  );
});

test('at OSiRIS a bucket is made only for a virtual organisation, and is named after it', async (t) => {
  // Nothing is sent: there is no client.
  const connection = { endpoint: new URL('https://rgw.osris.org') };
  const resources = { connection, log: silentLog } as MountResources;
  const make = (bucket: string, location: string | undefined) =>
    makeMissingBucket(bucket, { location }, resources, signal);
  await t.throwsAsync(make('lab-data', undefined), { message: /--location :COU$/ });
  await t.throwsAsync(make('data', ':lab'), { message: /have to begin with lab-$/ });
  await t.throwsAsync(make('lab-', ':lab'), { message: /have to begin with lab-$/ });
});
