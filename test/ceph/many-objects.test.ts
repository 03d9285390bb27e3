// A directory of thousands of objects that another program put there, under the tools that people use.
import path from 'node:path';
import test from 'ava';
import { measured } from '../measured.js';
import { bash, run, runOk, type Finished } from '../mount/child.js';
import { keysInBucket, makeBucket, withBoto3 } from '../mount/bucket.js';
import { countersOf, mountBucket, type Mount } from '../mount/mounting.js';
import { FileScope, makeKeyFile, type KeyFile } from '../mount/temporary.js';
import { cephTest, sizes } from './ceph-test.js';

const scope = new FileScope();
test.after.always(async (t) => {
  t.timeout(600_000);
  await scope.end();
});

const count = sizes.manyObjects;
const limit = { timeoutMs: 600_000 };

/** `many/NNNNN.txt`, each with its number in it, 20 bytes long. */
async function fill(): Promise<{ bucket: string; keyFile: KeyFile }> {
  const bucket = await makeBucket(scope);
  const keyFile = await makeKeyFile(scope);
  await withBoto3(
    `
from concurrent.futures import ThreadPoolExecutor
def put(number):
    s3.put_object(Bucket=bucket, Key='many/%05d.txt' % number, Body=b'measurement %07d\\n' % number, **key)
with ThreadPoolExecutor(8) as pool:
    list(pool.map(put, range(given['count'])))
`,
    { bucket, keyFile, count },
    limit,
  );
  return { bucket, keyFile };
}

let filled: ReturnType<typeof fill> | undefined;
const filledBucket = (): ReturnType<typeof fill> => (filled ??= fill());

const title = (what: string): string => `${what} a directory of ${count} objects`;

async function timed(
  t: { log(line: string): void },
  mount: Mount,
  finished: Promise<Finished>,
): Promise<string> {
  const { code, stdout, stderr, durationMs } = await finished;
  if (code !== 0) throw new Error(stderr);
  await mount.unmount();
  t.log(`${(durationMs / 1000).toFixed(1)} s, ${(await countersOf(mount)).requests} requests`);
  return stdout;
}

cephTest(title('ls -l lists'), async (t) => {
  const mount = await mountBucket(t, { ...(await filledBucket()), logLevel: 'info' });
  const listing = await timed(t, mount, run('ls', ['-l', path.join(mount.directory, 'many')], limit));
  const lines = listing.trim().split('\n').slice(1);
  t.is(lines.length, count);
  t.true(lines.every((line) => line.includes(' 20 ')));
  t.regex(lines.at(-1) ?? '', new RegExp(`${String(count - 1).padStart(5, '0')}\\.txt$`));
});

cephTest(title('a second ls -l costs no request for each file of'), async (t) => {
  const mount = await mountBucket(t, {
    ...(await filledBucket()),
    logLevel: 'info',
    options: ['--metadata-ttl', '1s'],
  });
  // Long enough for what is known to grow old several times.
  const again =
    'ls -l "$1" >/dev/null; end=$((SECONDS + 5)); while [ $SECONDS -lt $end ]; do ls -l "$1" >/dev/null; done';
  await bash(again, [path.join(mount.directory, 'many')], limit);
  await mount.unmount();
  const { requests } = await countersOf(mount);
  t.true(requests < 2 * count, `${requests} requests in all`);
  measured(t, requests < count * 1.2 + 200, `${requests} requests in all`);
});

cephTest(title('find and du walk'), async (t) => {
  const mount = await mountBucket(t, { ...(await filledBucket()), logLevel: 'info' });
  const found = await runOk('find', [mount.directory, '-type', 'f', '-size', '20c'], limit);
  t.is(found.trim().split('\n').length, count);
  const total = await timed(
    t,
    mount,
    run('bash', ['-c', 'du -b "$1" --max-depth=0', 'du', path.join(mount.directory, 'many')], limit),
  );
  t.true(Number(total.split('\t')[0]) >= count * 20);
});

cephTest(title('grep -r searches'), async (t) => {
  const mount = await mountBucket(t, { ...(await filledBucket()), logLevel: 'info' });
  const wanted = String(count - 7).padStart(7, '0');
  const found = await timed(t, mount, run('grep', ['-r', `measurement ${wanted}`, mount.directory], limit));
  t.is(found.trim().split('\n').length, 1);
  t.true(found.includes(`${wanted.slice(2)}.txt:measurement ${wanted}`));
});

cephTest(title('md5sum reads'), async (t) => {
  const mount = await mountBucket(t, { ...(await filledBucket()), logLevel: 'info' });
  const script = 'cd "$1"; find . -type f -print0 | sort -z | xargs -0 md5sum | cut -c1-32';
  const sums = await timed(t, mount, run('bash', ['-c', script, 'md5', mount.directory], limit));
  const expected = await runOk('/usr/bin/python3', [
    '-c',
    `import hashlib
for number in range(${count}): print(hashlib.md5(b'measurement %07d\\n' % number).hexdigest())`,
  ]);
  t.is(sums, expected);
});

cephTest(title('rm -r deletes'), async (t) => {
  const { bucket, keyFile } = await filledBucket();
  const mount = await mountBucket(t, { bucket, keyFile, logLevel: 'info' });
  await timed(t, mount, run('rm', ['-r', path.join(mount.directory, 'many')], limit));
  t.deepEqual(await keysInBucket(bucket), []);
});
