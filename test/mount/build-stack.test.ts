import path from 'node:path';
import test from 'ava';
import { KeyRing } from '../../src/keys/key-ring.js';
import { buildStack } from '../../src/mount/build-stack.js';
import { countErrors } from '../../src/mount-statistics.js';
import { resolveMountConfig } from '../../src/settings/config.js';
import { newCustomerKey, runGateway, silentLog } from '../gateway/running-gateway.js';
import { makeDirectory } from './temporary.js';

const { signal } = new AbortController();

test('a bucket that was missing and has been made is no trouble', async (t) => {
  const { endpoint, authorityFile } = await runGateway(t, 'rgw');
  const directory = path.join(await makeDirectory(t), 'mountpoint');
  const values = {
    endpoint,
    region: 'us-east-1',
    caBundle: authorityFile,
    keyFiles: ['/unused'],
    create: true,
  };
  const config = resolveMountConfig({ bucket: 'missing', directory, mountFlags: [] }, [
    { values, describe: ({ option }) => option },
  ]);
  const stack = await buildStack(config, new KeyRing(newCustomerKey()), silentLog, signal);
  t.teardown(() => stack.close());
  t.is(stack.news, 'the bucket missing was made');
  const statistics = stack.statistics!();
  t.is(countErrors(statistics), 0);
  t.is(statistics.failures['NoSuchBucket'], undefined);
  t.true(Number(statistics.failures['NotFound']) >= 1);
});
