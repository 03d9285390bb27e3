// The suite that every object store passes, with the gateway as the server, once as each of the two that it plays.
import { CreateBucketCommand } from '@aws-sdk/client-s3';
import test from 'ava';
import { type FlavorName, flavorNames } from '../../src/gateway/flavor.js';
import type { S3Connection } from '../../src/s3/connect.js';
import { S3ObjectStore } from '../../src/s3/s3-object-store.js';
import { FileScope } from '../mount/temporary.js';
import { objectStoreSuite } from '../object-store/object-store-suite.js';
import { objectTagsTest } from '../object-store/object-tags.js';
import { connectToGateway, newCustomerKey, runGateway, silentLog } from './running-gateway.js';
import { whole } from '../object-store/whole.js';

const scope = new FileScope();
const connections = new Map<string, S3Connection>();
const customerKey = newCustomerKey();
let count = 0;

test.before(async () => {
  for (const flavor of flavorNames) {
    await runGateway(scope, flavor);
    const connection = await connectToGateway();
    await connection.client.send(new CreateBucketCommand({ Bucket: 'suite' }));
    connections.set(flavor, connection);
  }
});
test.after.always(() => scope.end());

function makeStore(flavor: FlavorName): S3ObjectStore {
  const access = connections.get(flavor)!;
  const endpoint = flavor === 'aws' ? undefined : access.endpoint; // no address of its own says that it is AWS
  const options = { access, endpoint, bucket: 'suite', customerKey, log: silentLog };
  return new S3ObjectStore({ ...options, plaintext: 'read' });
}

for (const flavor of flavorNames) {
  objectStoreSuite(test, `on the gateway as ${flavor}`, () => {
    return { store: makeStore(flavor), prefix: `${flavor}-${++count}/` };
  });

  objectTagsTest(test, `on the gateway as ${flavor}`, () => ({
    store: makeStore(flavor),
    client: connections.get(flavor)!.client,
    bucket: 'suite',
    prefix: `${flavor}-${++count}/`,
  }));

  // Ceph shows what is not UTF-8 in an encoding of its own.
  test(`on the gateway as ${flavor}: any byte from 80 to FF is stored as it is, by every kind of request`, async (t) => {
    const store = makeStore(flavor);
    const bytes = Array.from({ length: 128 }, (_, index) => String.fromCharCode(0x80 + index));
    const metadata = Object.fromEntries(bytes.map((byte, index) => [`byte-${index}`, `${byte}a${byte}`]));
    const headers = { metadata, contentType: bytes.join('') };
    const never = new AbortController().signal;
    await store.put({ key: 'bytes', body: [Buffer.from('content')], headers, condition: {} }, never);
    const source = await store.head('bytes', never);
    t.like(source, headers);
    const uploadId = await store.createUpload({ key: 'upload', headers }, never);
    const part = await store.uploadPart(
      { key: 'upload', uploadId, partNumber: 1, body: [Buffer.from('part')] },
      never,
    );
    await store.completeUpload({ key: 'upload', uploadId, parts: [part], condition: {} }, never);
    t.like(await store.head('upload', never), headers);
    await store.copy({ source, targetKey: 'copy', headers, condition: {} }, never);
    t.like((await store.get({ key: 'copy', ...whole }, never)).info, headers);
  });
}
