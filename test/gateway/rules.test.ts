// The rules in which RGW and AWS differ, and those of SSE-C, as the gateway has them in each flavor.
import test from 'ava';
import { flavorNames } from '../../src/gateway/flavor.js';
import { createBucket } from '../mount/bucket.js';
import { makeKeyFile } from '../mount/temporary.js';
import { runGateway } from './running-gateway.js';
import { abortingScript, askServer, expectedOf, placementScript, serverRules } from './server-rules.js';

for (const rule of serverRules) {
  test.serial(rule.title, async (t) => {
    for (const flavor of flavorNames) {
      const gateway = await runGateway(t, flavor);
      const bucket = await createBucket({});
      const keyFile = await makeKeyFile(t);
      const { httpEndpoint = '' } = gateway;
      const answer = await askServer(rule.script, flavor, { bucket, keyFile, httpEndpoint });
      t.deepEqual(answer, expectedOf(rule, flavor), flavor);
      await gateway.stop(1_000);
    }
  });
}

test.serial('buckets are placed anywhere, and versions of objects are not to be had', async (t) => {
  const { httpEndpoint = '' } = await runGateway(t, 'rgw');
  const place = { bucket: await createBucket({}), keyFile: await makeKeyFile(t), httpEndpoint };
  const answer = await askServer(placementScript, 'rgw', { ...place, placement: ':cou' });
  t.deepEqual(answer, [':cou', 'NotImplemented']);
});

test.serial('where RGW aborts, the request fails and the gateway goes on', async (t) => {
  for (const flavor of flavorNames) {
    const gateway = await runGateway(t, flavor);
    const { httpEndpoint = '' } = gateway;
    const place = { bucket: await createBucket({}), keyFile: await makeKeyFile(t), httpEndpoint };
    const expected = flavor === 'aws' ? 'OK' : 'InternalError';
    t.deepEqual(await askServer(abortingScript, flavor, place), [expected, expected], flavor);
    await gateway.stop(1_000);
  }
});
