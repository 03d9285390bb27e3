// The suite that every object store passes, with the gateway as the server, once as each of the two that it plays.
import { CreateBucketCommand } from '@aws-sdk/client-s3';
import test from 'ava';
import { flavorNames } from '../../src/gateway/flavor.js';
import type { S3Connection } from '../../src/s3/connect.js';
import { S3ObjectStore } from '../../src/s3/s3-object-store.js';
import { FileScope } from '../mount/temporary.js';
import { objectStoreSuite } from '../object-store/object-store-suite.js';
import { connectToGateway, newCustomerKey, runGateway, silentLog } from './running-gateway.js';

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

for (const flavor of flavorNames) {
  objectStoreSuite(test, `on the gateway as ${flavor}`, () => {
    const { client, endpoint: address } = connections.get(flavor)!;
    const endpoint = flavor === 'aws' ? undefined : address; // no address of its own says that it is AWS
    const options = { client, endpoint, bucket: 'suite', customerKey, log: silentLog };
    return { store: new S3ObjectStore({ ...options, plaintext: 'read' }), prefix: `${flavor}-${++count}/` };
  });
}
