/** What the tests of the object store against a real server share: whether it is there, and a bucket of their own in it. */
import { randomBytes } from 'node:crypto';
import {
  CreateBucketCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  ListObjectVersionsCommand,
} from '@aws-sdk/client-s3';
import test, { type TestFn } from 'ava';
import { CustomerKey } from '../../src/keys/customer-key.js';
import { loadSetQuickAck } from '../../src/native/set-quick-ack.js';
import { connect, type ConnectOptions, type S3Connection } from '../../src/s3/connect.js';
import { S3ObjectStore, type S3StoreOptions } from '../../src/s3/s3-object-store.js';
import { hasServer, requiresServer, serverUnderTest } from '../mount/server.js';
import { silentLog } from '../silent-log.js';

export { silentLog };

/** Whether tests against a server are to run, if only to fail because it is missing. */
export const wantsCeph = hasServer || requiresServer;
/** `test`, or `test.skip` where there is no server and none is required. For tests, not for hooks. */
export const cephTest: TestFn = wantsCeph ? test : (test.skip as unknown as TestFn);

export interface TestBucket {
  readonly connection: S3Connection;
  readonly bucket: string;
  readonly customerKey: CustomerKey;
  /** A store on the bucket, differing from the usual options as given. */
  makeStore(options?: Partial<S3StoreOptions>): S3ObjectStore;
  /** Deletes everything, the bucket too. */
  remove(): Promise<void>;
}

/** With these credentials; default: those of the environment. */
export function connectAs(credentials?: ConnectOptions['credentials']): Promise<S3Connection> {
  return connect({
    ...(credentials && { credentials }),
    allowPlainHttp: false,
    requestTimeoutMs: 30_000,
    connectTimeoutMs: 5_000,
    maxSockets: 64,
    setQuickAck: loadSetQuickAck(),
    log: silentLog,
  });
}

export async function makeTestBucket(namePrefix: string): Promise<TestBucket> {
  if (!hasServer) throw new Error('OSIRISFS_REQUIRE_CEPH=1, but OSIRISFS_TEST_CEPH is not 1');
  const connection = await connectAs();
  const bucket = `${namePrefix}-${randomBytes(4).toString('hex')}`;
  const customerKey = new CustomerKey(randomBytes(32));
  await connection.client.send(new CreateBucketCommand({ Bucket: bucket }));
  const makeStore = (options: Partial<S3StoreOptions> = {}) =>
    new S3ObjectStore({
      access: connection,
      endpoint: connection.endpoint,
      bucket,
      customerKey,
      plaintext: 'read',
      log: silentLog,
      ...options,
    });
  return {
    connection,
    bucket,
    customerKey,
    makeStore,
    async remove() {
      const store = makeStore();
      const signal = AbortSignal.timeout(60_000);
      for (;;) {
        const { objects } = await store.list({ prefix: '' }, signal);
        if (objects.length === 0) break;
        await store.deleteMany(
          objects.map(({ key }) => key),
          signal,
        );
      }
      if (serverUnderTest.versioning === 'OK') await deleteVersions(connection, bucket);
      await connection.client.send(new DeleteBucketCommand({ Bucket: bucket }));
      connection.close();
    },
  };
}

/** What deletion leaves in a bucket that keeps versions. */
async function deleteVersions({ client }: S3Connection, bucket: string): Promise<void> {
  for (;;) {
    const page = await client.send(new ListObjectVersionsCommand({ Bucket: bucket }));
    const found = [...(page.Versions ?? []), ...(page.DeleteMarkers ?? [])];
    if (found.length === 0) return;
    for (const { Key, VersionId } of found) {
      await client.send(new DeleteObjectCommand({ Bucket: bucket, Key, VersionId }));
    }
  }
}
