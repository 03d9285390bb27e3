// The objects are ordinary: what is written here shows the same under s3fs and rclone with the same key, and the reverse.
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { bash, run, runOk, start, waitUntil } from '../mount/child.js';
import { makeBucket, withBoto3 } from '../mount/bucket.js';
import { compareBytes, listingOf, makeRandomFile, makeTree } from '../mount/local-tree.js';
import { isMounted, makeMountpoint, mountBucket } from '../mount/mounting.js';
import { makeDirectory, makeKeyFile, type KeyFile, type Scope } from '../mount/temporary.js';
import { patienceMs } from '../patience.js';
import { cephTest, isFullSize, mebibyte } from './ceph-test.js';

const files = isFullSize ? 500 : 40;
const long = { timeoutMs: isFullSize ? 1_800_000 : 120_000 };

function variable(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
}

interface S3fs {
  readonly directory: string;
  unmount(): Promise<void>;
}

/** Mounts the bucket by s3fs. Credentials and key are in files that only their owner can read, as it demands. */
async function mountS3fs(scope: Scope, bucket: string, keyFile: KeyFile): Promise<S3fs> {
  const directory = await makeMountpoint(scope);
  const passwordFile = path.join(await makeDirectory(scope), 'passwd');
  const credentials = `${variable('AWS_ACCESS_KEY_ID')}:${variable('AWS_SECRET_ACCESS_KEY')}`;
  await writeFile(passwordFile, credentials, { mode: 0o600 });
  const options = [
    `url=${variable('AWS_ENDPOINT_URL')}`,
    'use_path_request_style',
    'nocopyapi', // Ceph 16 answers CopyObject with 501, and chmod, touch and mv would fail
    `use_sse=custom:${keyFile.path}`,
    `passwd_file=${passwordFile}`,
  ];
  const child = await start('s3fs', [bucket, directory, '-f', '-o', options.join(',')], {
    // It gives way to the password file only if these are not set; its curl knows no other way to trust the gateway.
    env: {
      AWS_ACCESS_KEY_ID: undefined,
      AWS_SECRET_ACCESS_KEY: undefined,
      CURL_CA_BUNDLE: variable('AWS_CA_BUNDLE'),
    },
    cwd: '/',
  });
  const unmount = async (): Promise<void> => {
    if (await isMounted(directory)) await runOk('fusermount3', ['-u', directory], { timeoutMs: patienceMs });
    const { code } = await child.waitForEnd(patienceMs);
    if (code !== 0) throw new Error(`s3fs ended with ${code ?? 'a signal'}: ${child.output()}`);
  };
  scope.teardown(async () => {
    if (await isMounted(directory)) await run('fusermount3', ['-uz', directory], { timeoutMs: patienceMs });
    if (!child.hasEnded()) child.kill('SIGTERM');
    await child.waitForEnd(patienceMs);
  });
  await waitUntil(`s3fs mounted on ${directory}`, patienceMs, async () => {
    if (child.hasEnded()) throw new Error(`s3fs ended: ${child.output()}`);
    return isMounted(directory);
  });
  return { directory, unmount };
}

/** A tree with big and small files, and some more that programs change after writing them. */
async function makeInterchangeTree(scope: Scope): Promise<string> {
  const tree = await makeTree(scope, files);
  await makeRandomFile(path.join(tree, 'big.bin'), 20 * mebibyte + 321);
  return tree;
}

const changes = `cd "$1"
  printf 'more' >>big.bin; mv big.bin renamed.bin; chmod 604 renamed.bin; touch -d '2003-04-05 06:07:08.123456789' renamed.bin
  ln -s renamed.bin another; mkdir -m 710 made; echo in it >made/file; chmod 711 made/file
  touch -h -d '2004-05-06 07:08:09.000000001' another made/file; touch -d '1999-12-31 23:59:59.5' made`;

cephTest('s3fs shows what was written here: bytes, modes, owners, times and links', async (t) => {
  const bucket = await makeBucket(t);
  const keyFile = await makeKeyFile(t);
  const tree = await makeInterchangeTree(t);
  const mount = await mountBucket(t, { bucket, keyFile, logLevel: 'info' });
  await bash('cp -a "$1/." "$2"', [tree, mount.directory], long);
  for (const directory of [tree, mount.directory]) await bash(changes, [directory], long);
  await mount.unmount();
  const s3fs = await mountS3fs(t, bucket, keyFile);
  await compareBytes(tree, s3fs.directory);
  t.deepEqual(await listingOf(s3fs.directory), await listingOf(tree));
  await s3fs.unmount();
});

cephTest('what s3fs wrote shows here: bytes, modes, owners, times and links', async (t) => {
  const bucket = await makeBucket(t);
  const keyFile = await makeKeyFile(t);
  const tree = await makeInterchangeTree(t);
  const s3fs = await mountS3fs(t, bucket, keyFile);
  // Into a directory below: s3fs cannot set the times of the bucket's own.
  const written = path.join(s3fs.directory, 'tree');
  await runOk('cp', ['-a', tree, written], long);
  for (const directory of [tree, written]) await bash(changes, [directory], long);
  await s3fs.unmount();
  const mount = await mountBucket(t, { bucket, keyFile, logLevel: 'info' });
  const shown = path.join(mount.directory, 'tree');
  await compareBytes(tree, shown);
  // s3fs 1.90 stores whole seconds for directories, whatever they were set to.
  const metadata = await withBoto3(
    `answer = s3.head_object(Bucket=bucket, Key='tree/empty/', **key)['Metadata']`,
    { bucket, keyFile },
  );
  t.like(metadata, { mtime: '1200000000' });
  const expected = (await listingOf(tree)).map((line) =>
    line.includes('|d|') ? line.replace(/\.\d+\|$/, '.0000000000|') : line,
  );
  t.deepEqual(await listingOf(shown), expected);
  await mount.unmount();
});

cephTest(
  'rclone sees the bytes and times of files written here, and its files show here with theirs',
  async (t) => {
    const bucket = await makeBucket(t);
    const keyFile = await makeKeyFile(t);
    const tree = await makeInterchangeTree(t);
    await bash('find "$1" -type l -delete', [tree]);
    // By the environment, for a key on the command line is for everybody to read.
    const env = {
      RCLONE_CONFIG: '/dev/null',
      RCLONE_CONFIG_BUCKET_TYPE: 's3',
      RCLONE_CONFIG_BUCKET_PROVIDER: 'Ceph',
      RCLONE_CONFIG_BUCKET_ENV_AUTH: 'true',
      RCLONE_CONFIG_BUCKET_ENDPOINT: variable('AWS_ENDPOINT_URL'),
      RCLONE_CONFIG_BUCKET_SSE_CUSTOMER_ALGORITHM: 'AES256',
      RCLONE_CONFIG_BUCKET_SSE_CUSTOMER_KEY: keyFile.keystring,
      RCLONE_CA_CERT: variable('AWS_CA_BUNDLE'),
      AWS_CA_BUNDLE: undefined, // rclone takes this for its own and fails
    };
    const rclone = (...args: string[]): Promise<string> => runOk('rclone', args, { ...long, env });
    const timesOf = (json: string): Record<string, number> =>
      Object.fromEntries(
        (JSON.parse(json) as { Path: string; ModTime: string; IsDir: boolean }[])
          .filter((entry) => !entry.IsDir)
          .map((entry) => [entry.Path, Date.parse(entry.ModTime)]),
      );

    const mount = await mountBucket(t, { bucket, keyFile, logLevel: 'info' });
    await bash(
      'mkdir "$2/here"; cp -a "$1/." "$2/here"; mv "$2/here/big.bin" "$2/here/renamed.bin"',
      [tree, mount.directory],
      long,
    );
    await mount.unmount();
    await bash('mv "$1/big.bin" "$1/renamed.bin"', [tree]);
    const seen = timesOf(await rclone('lsjson', '-R', '--files-only', `bucket:${bucket}/here`));
    t.deepEqual(seen, timesOf(await rclone('lsjson', '-R', '--files-only', tree)));
    t.true(Object.keys(seen).length > files);
    const back = path.join(await makeDirectory(t), 'back');
    await rclone('copy', `bucket:${bucket}/here`, back);
    await compareBytes(tree, await withEmptyDirectories(tree, back));

    await rclone('copy', tree, `bucket:${bucket}/there`);
    const again = await mountBucket(t, { bucket, keyFile, logLevel: 'info' });
    const there = path.join(again.directory, 'there');
    const listFiles = 'cd "$1" && find . -type f -printf "%P %s %T@\\n" | sort';
    t.is(await bash(listFiles, [there], long), await bash(listFiles, [tree]));
    await bash('cd "$2" && find . -type f -print0 | xargs -0 -I{} cmp {} "$1/{}"', [there, tree], long);
    await again.unmount();
  },
);

/** rclone leaves out directories without files. */
async function withEmptyDirectories(tree: string, copy: string): Promise<string> {
  await bash('cd "$1" && find . -type d -print0 | (cd "$2" && xargs -0 mkdir -p)', [tree, copy]);
  return copy;
}
