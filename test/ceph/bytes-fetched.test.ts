// Only what is asked for crosses the network, more or less: bytes are counted at the store.
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { measured } from '../measured.js';
import { bash, runOk } from '../mount/child.js';
import { makeBucket } from '../mount/bucket.js';
import { makeRandomFile } from '../mount/local-tree.js';
import { countersOf, mountBucket, type StoreCounters } from '../mount/mounting.js';
import { FileScope, makeDirectory, makeKeyFile, type KeyFile } from '../mount/temporary.js';
import { cephTest, mebibyte, sizes } from './ceph-test.js';

const scope = new FileScope();
test.after.always(() => scope.end());

interface Stored {
  readonly bucket: string;
  readonly keyFile: KeyFile;
  readonly local: string;
}

/** A bucket with one big file in it, `big.bin`, its first 32 MiB, `big.bin.part`, and the big file on the local disk. */
async function store(): Promise<Stored> {
  const bucket = await makeBucket(scope);
  const keyFile = await makeKeyFile(scope);
  const local = path.join(await makeDirectory(scope), 'big.bin');
  await makeRandomFile(local, sizes.bigFile);
  const mount = await mountBucket(scope, { bucket, keyFile, logLevel: 'info' });
  await runOk('cp', [local, mount.directory], { timeoutMs: 600_000 });
  await bash('head -c 33554432 "$1" >"$2/big.bin.part"', [local, mount.directory]);
  await mount.unmount();
  return { bucket, keyFile, local };
}

let stored: ReturnType<typeof store> | undefined;
const storedFile = (): ReturnType<typeof store> => (stored ??= store());

/** Does something on a fresh mount (`$1` the big file in it, `$2` the local copy) and counts the traffic. */
async function trafficOf(script: string): Promise<StoreCounters> {
  const { bucket, keyFile, local } = await storedFile();
  const mountScope = new FileScope();
  try {
    const mount = await mountBucket(mountScope, { bucket, keyFile, logLevel: 'info' });
    await bash(script, [path.join(mount.directory, 'big.bin'), local], { timeoutMs: 600_000 });
    await mount.unmount();
    return await countersOf(mount);
  } finally {
    await mountScope.end();
  }
}

cephTest('head -c of a big file fetches a small part of it', async (t) => {
  const { bytesReceived } = await trafficOf('cmp <(head -c 1000000 "$1") <(head -c 1000000 "$2")');
  t.true(bytesReceived < sizes.bigFile / 2, `${bytesReceived} bytes`);
  measured(t, bytesReceived < 8 * mebibyte, `${bytesReceived} bytes`);
});

cephTest('tail -c of a big file fetches a small part of it', async (t) => {
  const { bytesReceived } = await trafficOf('cmp <(tail -c 100000 "$1") <(tail -c 100000 "$2")');
  t.true(bytesReceived < sizes.bigFile / 2, `${bytesReceived} bytes`);
  measured(t, bytesReceived < 8 * mebibyte, `${bytesReceived} bytes`);
});

cephTest('reading a whole file fetches each byte once', async (t) => {
  const { bytesReceived } = await trafficOf('cmp "$1" "$2"');
  t.true(bytesReceived >= sizes.bigFile);
  t.true(bytesReceived < 2 * sizes.bigFile, `${bytesReceived} bytes`);
  measured(t, bytesReceived < sizes.bigFile * 1.05 + mebibyte, `${bytesReceived} bytes`);
});

cephTest('reading a file twice fetches it once if it fits the cache', async (t) => {
  // O_DIRECT goes past the kernel's cache, which would hide that of osirisfs.
  const { bytesReceived } = await trafficOf(
    'for i in 1 2; do cmp <(dd if="$1.part" bs=1M iflag=direct status=none) <(head -c 33554432 "$2"); done',
  );
  t.true(bytesReceived < 64 * mebibyte, `${bytesReceived} bytes`);
  measured(t, bytesReceived < 36 * mebibyte, `${bytesReceived} bytes`);
});

cephTest('appending a byte to a big file, or changing one in its middle, moves little of it', async (t) => {
  const { local } = await storedFile();
  const { bytesReceived, bytesSent } = await trafficOf(
    'printf x >>"$1"; printf y | dd of="$1" bs=1 seek=20000000 conv=notrunc status=none',
  );
  const moved = bytesReceived + bytesSent;
  t.true(moved < sizes.bigFile, `${bytesReceived} received, ${bytesSent} sent`);
  measured(t, moved < 48 * mebibyte, `${bytesReceived} received, ${bytesSent} sent`);
  await bash('printf x >>"$1"; printf y | dd of="$1" bs=1 seek=20000000 conv=notrunc status=none', [local]);
  await trafficOf('cmp "$1" "$2"');
  t.pass();
});

cephTest('renaming a big file and changing its mode move none of it through the client', async (t) => {
  const { bytesReceived, bytesSent } = await trafficOf(
    'mv "$1" "$1.new"; chmod 600 "$1.new"; touch -d 2001-01-01 "$1.new"; mv "$1.new" "$1"',
  );
  t.true(bytesReceived + bytesSent < mebibyte, `${bytesReceived} received, ${bytesSent} sent`);
  await trafficOf('cmp "$1" "$2"');
});

cephTest('a small file is opened and read in one request beside those that find it', async (t) => {
  const bucket = await makeBucket(t);
  const keyFile = await makeKeyFile(t);
  const local = path.join(await makeDirectory(t), 'small');
  await writeFile(local, 'small\n'.repeat(1000));
  const first = await mountBucket(t, { bucket, keyFile });
  await runOk('cp', [local, first.directory]);
  await first.unmount();
  const idle = await mountBucket(t, { bucket, keyFile, logLevel: 'info' });
  await idle.unmount();
  const reading = await mountBucket(t, { bucket, keyFile, logLevel: 'info' });
  await runOk('cmp', [local, path.join(reading.directory, 'small')]);
  await reading.unmount();
  const requests = (await countersOf(reading)).requests - (await countersOf(idle)).requests;
  t.true(requests > 0);
  measured(t, requests <= 3, `${requests} requests`);
});
