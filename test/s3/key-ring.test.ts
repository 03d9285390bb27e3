// A store with several customer keys, on the gateway as each of the two servers that it plays.
import { randomBytes } from 'node:crypto';
import { CreateBucketCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import test from 'ava';
import { StoreError } from '../../src/errors.js';
import { flavorNames, type FlavorName } from '../../src/gateway/flavor.js';
import type { S3Connection } from '../../src/s3/connect.js';
import { S3ObjectStore, type S3StoreOptions } from '../../src/s3/s3-object-store.js';
import { connectToGateway, newCustomerKey, runGateway, silentLog } from '../gateway/running-gateway.js';
import { FileScope } from '../mount/temporary.js';
import { never } from './fake-server.js';
import { whole } from '../object-store/whole.js';
import { joinPieces } from '../../src/object-store.js';

const mebibyte = 2 ** 20;
const scope = new FileScope();
const connections = new Map<FlavorName, S3Connection>();
const first = newCustomerKey();
const second = newCustomerKey();
const third = newCustomerKey();
const headers = { metadata: { mode: '33188' }, contentType: 'text/plain' };

test.before(async () => {
  for (const flavor of flavorNames) {
    await runGateway(scope, flavor);
    const connection = await connectToGateway();
    await connection.client.send(new CreateBucketCommand({ Bucket: 'ring' }));
    connections.set(flavor, connection);
  }
});
test.after.always(() => scope.end());

function makeStore(flavor: FlavorName, options: Partial<S3StoreOptions> = {}): S3ObjectStore {
  const access = connections.get(flavor)!;
  const endpoint = flavor === 'aws' ? undefined : access.endpoint;
  return new S3ObjectStore({
    access,
    endpoint,
    bucket: 'ring',
    customerKey: first,
    otherCustomerKeys: [second],
    plaintext: 'read',
    log: silentLog,
    ...options,
  });
}

for (const flavor of flavorNames) {
  const withKey = (customerKey: typeof first) => makeStore(flavor, { customerKey, otherCustomerKeys: [] });

  test(`objects under every key of the ring are read, and head says under which (${flavor})`, async (t) => {
    const ring = makeStore(flavor);
    for (const [name, key] of [
      ['one', first],
      ['two', second],
    ] as const) {
      await withKey(key).put(
        { key: `read/${name}`, body: [Buffer.from(name)], headers, condition: {} },
        never,
      );
    }
    for (const [name, key] of [
      ['two', second],
      ['one', first],
      ['two', second],
    ] as const) {
      const info = await ring.head(`read/${name}`, never);
      t.is(info.keyFingerprint, key.fingerprint);
      t.is(
        Buffer.from(joinPieces((await ring.get({ key: `read/${name}`, ...whole }, never)).pieces)).toString(),
        name,
      );
    }
  });

  test(`an object that is not encrypted is read beside them, and has no key (${flavor})`, async (t) => {
    const { client } = connections.get(flavor)!;
    await client.send(new PutObjectCommand({ Bucket: 'ring', Key: 'plain', Body: 'plain' }));
    const ring = makeStore(flavor);
    const info = await ring.head('plain', never);
    t.false(info.isEncrypted);
    t.is(info.keyFingerprint, undefined);
    t.is(
      Buffer.from(joinPieces((await ring.get({ key: 'plain', ...whole }, never)).pieces)).toString(),
      'plain',
    );
  });

  test(`an object under no key of the ring is refused, naming those that were tried (${flavor})`, async (t) => {
    await withKey(third).put({ key: 'foreign', body: [Buffer.from('x')], headers, condition: {} }, never);
    const error = await t.throwsAsync(makeStore(flavor).head('foreign', never), { instanceOf: StoreError });
    t.is(error.code, 'WrongCustomerKey');
    t.true(error.message.includes(`${first.fingerprint}, ${second.fingerprint}`));
  });

  for (const size of [0, 1000, mebibyte]) {
    test(`a copy of ${size} bytes from under another key is under the first one (${flavor})`, async (t) => {
      const bytes = randomBytes(size);
      const key = `copied-${size}`;
      await withKey(second).put({ key, body: [bytes], headers, condition: {} }, never);
      const ring = makeStore(flavor);
      const source = await ring.head(key, never);
      await ring.copy(
        {
          source,
          targetKey: key,
          headers: { metadata: { mode: '33152' } },
          condition: { ifMatch: source.etag },
        },
        never,
      );
      const { info, pieces } = await withKey(first).get({ key, ...whole }, never);
      const copied = joinPieces(pieces);
      t.true(bytes.equals(copied));
      t.is(info.metadata['mode'], '33152');
    });
  }

  test(`a copy of what only a listing has shown is made as well (${flavor})`, async (t) => {
    await withKey(second).put(
      { key: 'listed', body: [Buffer.from('listed')], headers, condition: {} },
      never,
    );
    const ring = makeStore(flavor);
    const { objects } = await ring.list({ prefix: 'listed' }, never);
    const source = { ...objects[0]!, metadata: {}, contentType: undefined, isEncrypted: true };
    await ring.copy({ source, targetKey: 'renamed', headers, condition: {} }, never);
    t.is(
      Buffer.from(
        joinPieces((await withKey(first).get({ key: 'renamed', ...whole }, never)).pieces),
      ).toString(),
      'listed',
    );
  });

  test(`a part is not taken from a version that is gone (${flavor})`, async (t) => {
    await withKey(second).put({ key: 'gone', body: [Buffer.from('new')], headers, condition: {} }, never);
    const ring = makeStore(flavor);
    const uploadId = await ring.createUpload({ key: 'target', headers }, never);
    for (const attempt of [1, 2]) {
      const copying = ring.uploadPartCopy(
        { key: 'target', uploadId, partNumber: 1, source: { key: 'gone', ifMatch: 'old' } },
        never,
      );
      const error = await t.throwsAsync(copying, { instanceOf: StoreError }, `attempt ${attempt}`);
      t.is(error.code, 'PreconditionFailed');
    }
  });
}

// More than one piece, so that with several connections it is streamed.
for (const maxConcurrentRequests of [1, 2]) {
  test.serial(`parts from under another key pass through ${maxConcurrentRequests} connections`, async (t) => {
    const bytes = randomBytes(18 * mebibyte);
    const key = `patched-${maxConcurrentRequests}`;
    await makeStore('rgw', { customerKey: second }).put(
      { key, body: [bytes], headers, condition: {} },
      never,
    );
    const ring = makeStore('rgw', { maxConcurrentRequests });
    const { etag: ifMatch } = await ring.head(key, never);
    const uploadId = await ring.createUpload({ key, headers }, never);
    const range = { offset: 1, length: 17 * mebibyte };
    const parts = await Promise.all([
      ring.uploadPartCopy({ key, uploadId, partNumber: 1, source: { key, ifMatch, range } }, never),
      ring.uploadPartCopy({ key, uploadId, partNumber: 2, source: { key, ifMatch, range } }, never),
      ring.uploadPart({ key, uploadId, partNumber: 3, body: [Buffer.from('end')] }, never),
    ]);
    await ring.completeUpload({ key, uploadId, parts, condition: { ifMatch } }, never);
    const part = bytes.subarray(1, 1 + 17 * mebibyte);
    const patched = joinPieces((await makeStore('rgw').get({ key, ...whole }, never)).pieces);
    t.true(Buffer.concat([part, part, Buffer.from('end')]).equals(patched));
  });
}
