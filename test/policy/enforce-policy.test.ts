// The force-encryption policy on gateways of both kinds, and on one that knows no form of it.
import test from 'ava';
import { GetBucketPolicyCommand, PutBucketPolicyCommand, ListObjectsV2Command } from '@aws-sdk/client-s3';
import { enforcePolicy, PolicyFailure } from '../../src/policy/enforce-policy.js';
import { BucketAdministration } from '../../src/s3/bucket-administration.js';
import { createBucket } from '../../src/s3/create-bucket.js';
import type { Scope } from '../mount/temporary.js';
import { connectToGateway, runGateway, silentLog } from '../gateway/running-gateway.js';

const { signal } = new AbortController();
const retryMs = 1;

async function makeBucket(t: Scope, flavor: 'rgw' | 'aws') {
  await runGateway(t, flavor);
  const connection = await connectToGateway();
  const { client } = connection;
  t.teardown(() => {
    connection.close();
    return Promise.resolve();
  });
  await createBucket(client, 'forced', '', signal);
  const administration = new BucketAdministration({ access: connection, bucket: 'forced', log: silentLog });
  return { access: connection, client, administration };
}

const other = {
  Sid: 'TheirsToKeep',
  Effect: 'Deny',
  Principal: '*',
  Action: 's3:GetObject',
  Resource: 'arn:aws:s3:::forced/secret/*',
};
const theirs = JSON.stringify({ Version: '2012-10-17', Statement: [other] });

for (const [flavor, form, allowsMultipart] of [
  ['aws', 'customer-algorithm', true],
  ['rgw', 'encryption-header', false],
] as const) {
  test.serial(
    `on ${flavor} the form ${form} works, beside other statements, and leaves nothing behind`,
    async (t) => {
      const { client, administration } = await makeBucket(t, flavor);
      await client.send(new PutBucketPolicyCommand({ Bucket: 'forced', Policy: theirs }));
      t.deepEqual(await enforcePolicy(administration, signal, retryMs), { form, allowsMultipart });
      t.deepEqual(await enforcePolicy(administration, signal, retryMs), { form, allowsMultipart });
      const { Policy } = await client.send(new GetBucketPolicyCommand({ Bucket: 'forced' }));
      const { Statement } = JSON.parse(Policy!) as { Statement: unknown[] };
      t.is(Statement.length, 2);
      t.deepEqual(Statement[0], other);
      t.is((await client.send(new ListObjectsV2Command({ Bucket: 'forced' }))).KeyCount, 0);
      t.deepEqual(await administration.listUploads(signal), []);
    },
  );
}

/** A server that takes every policy and heeds none. */
class Heedless extends BucketAdministration {
  policies: (string | undefined)[] = [theirs];
  override getPolicy() {
    return Promise.resolve(this.policies.at(-1));
  }
  override setPolicy(policy: string | undefined) {
    this.policies.push(policy);
    return Promise.resolve();
  }
}

test.serial('where no form works, and after an interrupt, the former policy is back', async (t) => {
  const { access } = await makeBucket(t, 'rgw');
  const heedless = () => new Heedless({ access, bucket: 'forced', log: silentLog });
  const first = heedless();
  const failure = await t.throwsAsync(enforcePolicy(first, signal, retryMs), { instanceOf: PolicyFailure });
  t.regex(failure.message, /has its former policy again .*does not deny a plain PUT/);
  t.is(failure.lost, undefined);
  t.is(first.policies.length, 4);
  t.is(first.policies.at(-1), theirs);

  const stop = new AbortController();
  const second = heedless();
  const enforcing = enforcePolicy(second, stop.signal, 60_000);
  const reason = new Error('stopped');
  setImmediate(() => stop.abort(reason));
  t.is(await t.throwsAsync(enforcing), reason);
  t.is(second.policies.at(-1), theirs);
});

test.serial('a former policy that cannot be put back is not lost', async (t) => {
  const { access } = await makeBucket(t, 'rgw');
  class Stubborn extends Heedless {
    override setPolicy(policy: string | undefined) {
      return policy === theirs ? Promise.reject(new Error('no')) : super.setPolicy(policy);
    }
  }
  const stubborn = new Stubborn({ access, bucket: 'forced', log: silentLog });
  const failure = await t.throwsAsync(enforcePolicy(stubborn, signal, retryMs), {
    instanceOf: PolicyFailure,
  });
  t.is(failure.lost, theirs);
});
