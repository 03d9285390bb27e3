import test from 'ava';
import { bucketLocation, bucketPrefix, firstReachable, osirisSites } from '../../src/s3/osiris-sites.js';

test('the first site that can be reached is taken, in order', async (t) => {
  const asked: string[] = [];
  const found = await firstReachable(osirisSites, ({ name }) => {
    asked.push(name);
    return name === 'msu' ? Promise.resolve() : Promise.reject(new Error(`not ${name}`));
  });
  t.is(found.endpoint, 'https://rgw-msu.osris.org');
  t.deepEqual(asked, ['all', 'um', 'msu']);
  await t.throwsAsync(
    firstReachable(osirisSites.slice(0, 2), ({ name }) => Promise.reject(new Error(`not ${name}`))),
    { message: 'no site of OSiRIS can be reached: not all; not um' },
  );
});

test('buckets and their location are named by the virtual organisation in lower case', (t) => {
  t.is(bucketPrefix('PhysicsLab'), 'physicslab-');
  t.is(bucketLocation('PhysicsLab'), ':physicslab');
});
