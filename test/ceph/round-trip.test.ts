// What goes in comes out: bytes, names, times, modes and links, through a new mount and from the bucket's side.
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { bash, run, runOk } from '../mount/child.js';
import { makeBucket, withBoto3 } from '../mount/bucket.js';
import { compareBytes, listingOf, makeRandomFile, makeTree } from '../mount/local-tree.js';
import { isMounted, mountBucket, residentBytes } from '../mount/mounting.js';
import { makeDirectory, makeKeyFile } from '../mount/temporary.js';
import { cephTest, mebibyte, sizes } from './ceph-test.js';

const longMs = 1_800_000;

cephTest(
  'a big file and a tree of small ones compare equal after unmounting and mounting again',
  async (t) => {
    const bucket = await makeBucket(t);
    const keyFile = await makeKeyFile(t);
    const tree = await makeTree(t, sizes.smallFiles);
    await makeRandomFile(path.join(tree, 'big.bin'), sizes.bigFile);

    const first = await mountBucket(t, { bucket, keyFile, logLevel: 'info' });
    const copy = await run('cp', ['-a', tree, first.directory], { timeoutMs: longMs });
    t.is(copy.code, 0, copy.stderr);
    await first.unmount();
    t.false(await isMounted(first.directory));
    t.deepEqual(await readdir(first.directory), [], 'the directory is empty again');

    const second = await mountBucket(t, { bucket, keyFile, logLevel: 'info' });
    const mounted = path.join(second.directory, 'tree');
    await compareBytes(tree, mounted);
    t.deepEqual(await listingOf(mounted), await listingOf(tree));
    await second.unmount();
    t.log(
      `cp -a of ${sizes.bigFile / mebibyte} MiB and ${sizes.smallFiles} files: ${copy.durationMs / 1000} s`,
    );
  },
);

cephTest(
  'boto3 reads the same bytes with the key, is refused without it, and finds every object encrypted',
  async (t) => {
    const bucket = await makeBucket(t);
    const keyFile = await makeKeyFile(t);
    const tree = await makeTree(t, 40);
    await makeRandomFile(path.join(tree, 'big.bin'), 40 * mebibyte);
    const mount = await mountBucket(t, { bucket, keyFile });
    await runOk('cp', ['-a', `${tree}/.`, mount.directory], { timeoutMs: longMs });
    await mount.unmount();

    const seen = (await withBoto3(
      `
answer = {}
for item in listed():
    name = item['Key']
    body = s3.get_object(Bucket=bucket, Key=name, **key)['Body'].read()
    head = s3.head_object(Bucket=bucket, Key=name, **key)
    answer[name] = {'md5': hashlib.md5(body).hexdigest(), 'size': item['Size'] == len(body),
                    'encryption': head.get('SSECustomerAlgorithm'), 'fingerprint': head.get('SSECustomerKeyMD5'),
                    'without': refused(s3.get_object, Bucket=bucket, Key=name)}
`,
      { bucket, keyFile },
    )) as Record<string, { md5: string }>;
    const sums = await bash('cd "$1" && find . -type f -printf "%P\\0" | xargs -0 md5sum -z', [tree]);
    const expected = new Map(sums.split('\0').map((line) => [line.slice(34), line.slice(0, 32)]));
    expected.delete('');
    t.true(expected.size >= 41);
    for (const [name, md5] of expected) t.is(seen[name]?.md5, md5, name);
    for (const [name, object] of Object.entries(seen)) {
      const rest = { size: true, encryption: 'AES256', fingerprint: keyFile.fingerprint, without: 400 };
      t.deepEqual(object, { md5: object.md5, ...rest }, name);
    }
  },
);

cephTest(
  'a file much larger than the memory limit is copied in and out within 512 MiB of resident memory',
  async (t) => {
    const bucket = await makeBucket(t);
    const keyFile = await makeKeyFile(t);
    const local = path.join(await makeDirectory(t), 'huge.bin');
    await makeRandomFile(local, sizes.hugeFile);
    const mount = await mountBucket(t, { bucket, keyFile, logLevel: 'info' });
    const target = path.join(mount.directory, 'huge.bin');
    const copy = await run('cp', [local, target], { timeoutMs: longMs });
    t.is(copy.code, 0, copy.stderr);
    const written = await residentBytes(mount.pid);
    t.true(written.peak < 512 * mebibyte, `${written.peak / mebibyte} MiB while writing`);
    await mount.unmount();

    const again = await mountBucket(t, { bucket, keyFile, logLevel: 'info' });
    const compare = await run('cmp', [local, path.join(again.directory, 'huge.bin')], { timeoutMs: longMs });
    t.is(compare.code, 0, compare.stdout);
    const read = await residentBytes(again.pid);
    t.true(read.peak < 512 * mebibyte, `${read.peak / mebibyte} MiB while reading`);
    await again.unmount();
    const rate = (ms: number): string => `${Math.round(sizes.hugeFile / mebibyte / (ms / 1000))} MiB/s`;
    t.log(
      `in: ${rate(copy.durationMs)}, at most ${Math.round(written.peak / mebibyte)} MiB resident; ` +
        `out: ${rate(compare.durationMs)}, at most ${Math.round(read.peak / mebibyte)} MiB`,
    );
  },
);
