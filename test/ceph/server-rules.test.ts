// The rules that the embedded gateway keeps in the flavors of RGW are those of the server that it stands for.
import { makeBucket } from '../mount/bucket.js';
import { serverUnderTest } from '../mount/server.js';
import { makeKeyFile, type Scope } from '../mount/temporary.js';
import { askServer, expectedOf, placementScript, serverRules } from '../gateway/server-rules.js';
import { cephTest } from './ceph-test.js';

async function makePlace(scope: Scope) {
  const httpEndpoint = process.env['OSIRISFS_TEST_HTTP_ENDPOINT'];
  if (httpEndpoint === undefined) {
    throw new Error(
      'OSIRISFS_TEST_HTTP_ENDPOINT has to be where the server speaks plain http: use scripts/test',
    );
  }
  return { bucket: await makeBucket(scope), keyFile: await makeKeyFile(scope), httpEndpoint };
}

for (const rule of serverRules) {
  cephTest(`as expected of RGW, ${rule.title}`, async (t) => {
    const { rules } = serverUnderTest;
    t.deepEqual(await askServer(rule.script, rules, await makePlace(t)), expectedOf(rule, rules));
  });
}

cephTest(`placement and versions of objects are as ${serverUnderTest.title} has them`, async (t) => {
  const { rules, placement, location, versioning } = serverUnderTest;
  const answer = await askServer(placementScript, rules, { ...(await makePlace(t)), placement });
  t.deepEqual(answer, [location, versioning]);
});
