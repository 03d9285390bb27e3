// A directory of very many objects: listed without holding up others, and without memory that grows with each listing.
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { measured } from '../measured.js';
import { bash, run, start, waitUntil } from '../mount/child.js';
import { makeBucket, putByBoto3, python, withBoto3 } from '../mount/bucket.js';
import { countersOf, mountBucket, residentBytes } from '../mount/mounting.js';
import { FileScope, makeDirectory, makeKeyFile, type KeyFile } from '../mount/temporary.js';
import { patienceMs } from '../patience.js';
import { cephTest, isFullSize, mebibyte } from './ceph-test.js';

const scope = new FileScope();
test.after.always(async (t) => {
  t.timeout(3_600_000);
  await scope.end();
});

const count = isFullSize ? 100_000 : 1200;
/** Of a server's listing. */
const entriesPerPage = 1000;
const limit = { timeoutMs: 3_600_000 };
/**
 * What an entry may take: its node, its attributes and its place in a listing, on this side of the kernel, and the
 * garbage of finding them out.
 */
const bytesPerEntry = 4096;
const noiseBytes = 96 * mebibyte;

/** `many/NNNNNN`, each empty but for its number. */
async function fill(): Promise<{ bucket: string; keyFile: KeyFile }> {
  const bucket = await makeBucket(scope);
  const keyFile = await makeKeyFile(scope);
  await withBoto3(
    `
from concurrent.futures import ThreadPoolExecutor
def put(number): s3.put_object(Bucket=bucket, Key='many/%06d' % number, Body=b'%06d' % number, **key)
with ThreadPoolExecutor(8) as pool: list(pool.map(put, range(given['count'])))
`,
    { bucket, keyFile, count },
    limit,
  );
  await putByBoto3(bucket, keyFile, 'beside/file', 'beside');
  return { bucket, keyFile };
}

let filled: ReturnType<typeof fill> | undefined;
const filledBucket = (): ReturnType<typeof fill> => (filled ??= fill());

/** Opens and reads a file until it is told to stop, and prints how often, and the longest that it took in milliseconds. */
const readBeside = `
import os, sys, time
times = []
while not os.path.exists(sys.argv[2]):
    begun = time.monotonic()
    with open(sys.argv[1]) as file: assert file.read() == 'beside'
    times.append(time.monotonic() - begun)
    print('.', end='', flush=True)
times.sort()
print('\\n%d %.0f %.0f' % (len(times), times[len(times) // 2] * 1000, times[-1] * 1000))
`;

cephTest(`while ls -l lists ${count} entries for the first time, others get on`, async (t) => {
  const mount = await mountBucket(t, { ...(await filledBucket()), logLevel: 'info' });
  const stop = path.join(await makeDirectory(t), 'stop');
  const file = path.join(mount.directory, 'beside/file');
  const beside = await start(python, ['-c', readBeside, file, stop]);
  t.teardown(async () => {
    beside.kill('SIGKILL');
    await beside.waitForEnd(patienceMs);
  });
  await waitUntil('the other program reads', patienceMs, () => beside.output().includes('.'));
  const list = await start('bash', [
    '-c',
    'ls -l "$1" | tail -n +2 | wc -l',
    'ls',
    `${mount.directory}/many`,
  ]);
  const readsBefore = beside.output().length;
  const { stdout, durationMs } = await list.waitForEnd(limit.timeoutMs);
  const readsMeanwhile = beside.output().length - readsBefore;
  await writeFile(stop, '');
  const told = (await beside.waitForEnd(patienceMs)).stdout.trim().split('\n').at(-1) ?? '';
  t.is(Number(stdout), count);
  // A listing that held up the rest until its end would let through one or two.
  measured(t, readsMeanwhile >= 10, `${readsMeanwhile} reads in ${durationMs} ms`);
  await mount.unmount();
  const [reads = '', medianMs = '', maximumMs = ''] = told.split(' ');
  t.log(
    `ls -l: ${(durationMs / 1000).toFixed(1)} s; meanwhile ${reads} reads of another file, median ${medianMs} ms, ` +
      `longest ${maximumMs} ms; load ${(await readFile('/proc/loadavg', 'utf8')).split(' ')[0] ?? ''}`,
  );
});

cephTest(`ls -l of ${count} entries again costs listings only, and no more memory`, async (t) => {
  const ttlSeconds = isFullSize ? 30 : 2;
  const mount = await mountBucket(t, {
    ...(await filledBucket()),
    logLevel: 'info',
    options: ['--metadata-ttl', `${ttlSeconds}s`],
  });
  const list = '[ "$(ls -l "$1" | wc -l)" = "$2" ]';
  const args = [path.join(mount.directory, 'many'), String(count + 1), String(2.5 * ttlSeconds)];
  const before = await residentBytes(mount.pid);
  await bash(list, args, limit);
  const first = await residentBytes(mount.pid);
  // Long enough for what is known to grow old twice.
  await bash(`end=$((SECONDS + \${3%.*})); while [ "$SECONDS" -le "$end" ]; do ${list}; done`, args, limit);
  const last = await residentBytes(mount.pid);
  await mount.unmount();
  const { byOperation } = await countersOf(mount);
  const { head = 0, list: pages = 0 } = byOperation;
  t.true(pages >= (2 * count) / entriesPerPage, `${pages} pages: it was listed again`);
  // Two listings with a request for each entry would cost twice as many.
  t.true(head < 2 * count, `${head} HEADs`);
  measured(t, head < count * 1.05 + 100, `${head} HEADs`);
  measured(t, first.now - before.now < count * bytesPerEntry + noiseBytes, inMebibytes(before, first));
  measured(t, last.now - first.now < (count * bytesPerEntry) / 4 + noiseBytes, inMebibytes(first, last));
  t.log(`${JSON.stringify(byOperation)}; ${inMebibytes(before, first)}, ${inMebibytes(first, last)}`);
});

cephTest("a shell's * asks for names only, and find -type l finds links among small files", async (t) => {
  const bucket = await makeBucket(scope);
  const keyFile = await makeKeyFile(scope);
  await withBoto3(
    `
link = {'mode': str(0o120777)}
for number in range(300): s3.put_object(Bucket=bucket, Key='large/%d' % number, Body=b'x' * 5000, **key)
for number in range(20): s3.put_object(Bucket=bucket, Key='small/%d' % number, Body=b'x', **key)
s3.put_object(Bucket=bucket, Key='small/link', Body=b'0', Metadata=link, **key)
`,
    { bucket, keyFile },
    limit,
  );
  const mount = await mountBucket(t, { bucket, keyFile, logLevel: 'info' });
  const output = await bash(
    `cd "$1" && set -- large/* && echo $# && find . -type f | wc -l && find . -type l`,
    [mount.directory],
    limit,
  );
  t.deepEqual(output.trim().split('\n'), ['300', '320', './small/link']);
  await mount.unmount();
  const { head = 0 } = (await countersOf(mount)).byOperation;
  t.true(head < 100, `${head} HEADs`);
});

// In a quick run, many-objects.test.ts does this.
if (isFullSize) {
  cephTest(`rm -r removes a directory of ${count} entries`, async (t) => {
    const { bucket, keyFile } = await filledBucket();
    const mount = await mountBucket(t, { bucket, keyFile, logLevel: 'info' });
    const before = await residentBytes(mount.pid);
    const { code, stderr, durationMs } = await run('rm', ['-r', path.join(mount.directory, 'many')], limit);
    t.is(code, 0, stderr);
    const after = await residentBytes(mount.pid);
    await mount.unmount();
    const left = await withBoto3(`answer = [item['Key'] for item in listed()]`, { bucket });
    t.deepEqual(left, ['beside/file']);
    measured(t, after.now - before.now < count * bytesPerEntry + noiseBytes, inMebibytes(before, after));
    const { byOperation } = await countersOf(mount);
    t.log(
      `${(durationMs / 1000).toFixed(1)} s, ${JSON.stringify(byOperation)}, ${inMebibytes(before, after)}`,
    );
  });
}

function inMebibytes(from: { readonly now: number }, to: { readonly now: number }): string {
  return `from ${Math.round(from.now / mebibyte)} to ${Math.round(to.now / mebibyte)} MiB`;
}
