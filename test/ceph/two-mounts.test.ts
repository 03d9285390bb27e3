// Two mounts of one bucket, and a client that knows nothing of them: what each sees of the others' changes.
import path from 'node:path';
import { measured } from '../measured.js';
import { bash, runOk, start, waitUntil } from '../mount/child.js';
import { getByBoto3, makeBucket, putByBoto3, python, withBoto3 } from '../mount/bucket.js';
import { mountBucket } from '../mount/mounting.js';
import { makeKeyFile } from '../mount/temporary.js';
import { patienceMs } from '../patience.js';
import { testSeed } from '../seed.js';
import { cephTest, isFullSize } from './ceph-test.js';
import { contestScript, randomClientsScript } from './two-mounts-script.js';

const limit = { timeoutMs: isFullSize ? 1_800_000 : 240_000 };

cephTest(
  'whatever two mounts and boto3 store, an open sees the newest version, and a read is of one version or ESTALE',
  async (t) => {
    const bucket = await makeBucket(t);
    const keyFile = await makeKeyFile(t);
    // One believes names for as long as usual, one for a short time: both must ask at open.
    const one = await mountBucket(t, { bucket, keyFile, logLevel: 'info' });
    const two = await mountBucket(t, {
      bucket,
      keyFile,
      logLevel: 'info',
      options: ['--metadata-ttl', '1s'],
    });
    const answer = (await withBoto3(
      randomClientsScript,
      {
        bucket,
        keyFile,
        mounts: [
          { directory: one.directory, ttlSeconds: 30 },
          { directory: two.directory, ttlSeconds: 1 },
        ],
        changes: isFullSize ? 4000 : 100,
        seed: testSeed,
      },
      limit,
    )) as { problems: string[]; counts: Record<string, number> };
    t.log(`seed ${testSeed}: ${JSON.stringify(answer.counts)}`);
    t.deepEqual(answer.problems, [], `seed ${testSeed}`);
    const {
      'whole reads': reads = 0,
      'changes by boto3': foreign = 0,
      'changes by a mount': own = 0,
    } = answer.counts;
    // Those that the script makes in order, before the random ones.
    t.true(reads >= 6 && foreign >= 2 && own >= 4, JSON.stringify(answer.counts));
    measured(t, Math.min(reads, foreign, own) > 10, JSON.stringify(answer.counts));
    await one.unmount();
    await two.unmount();
  },
);

cephTest('of two mounts that change one file at once none loses its version', async (t) => {
  const bucket = await makeBucket(t);
  const keyFile = await makeKeyFile(t);
  const one = await mountBucket(t, { bucket, keyFile, logLevel: 'info' });
  const two = await mountBucket(t, { bucket, keyFile, logLevel: 'info' });
  const contests = isFullSize ? 300 : 12;
  const answer = (await withBoto3(
    contestScript,
    { bucket, keyFile, directories: [one.directory, two.directory], contests },
    limit,
  )) as { problems: string[]; counts: Record<string, number> };
  t.log(JSON.stringify(answer.counts));
  t.deepEqual(answer.problems, []);
  // In each, one is stored and one kept beside: both had opened the file before either was stored.
  t.deepEqual(answer.counts, { stored: contests, 'kept beside': contests });
  await one.unmount();
  await two.unmount();
});

const pages = 64;
const pageBytes = 4096;

/** Reads one byte of every page of a mapping, which stays; waits for the test; reads them again. */
const mapTwice = `
import mmap, os, time
file = os.open('folder/file', os.O_RDONLY)
mapping = mmap.mmap(file, 0, prot=mmap.PROT_READ)
look = lambda: ''.join(sorted({chr(mapping[at]) for at in range(0, len(mapping), ${pageBytes})}))
print(look(), flush=True)
open('mapped', 'w').close()
while not os.path.exists('go on'): time.sleep(0.02)
print(look(), flush=True)
`;

const mapOnce = `
import mmap
with open('folder/file', 'rb') as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mapping:
    print(len(mapping), *sorted(set(mapping.read().decode())))
`;

cephTest(
  'pages of a file that another client has replaced are dropped, those of mappings too, and never mixed',
  async (t) => {
    const bucket = await makeBucket(t);
    const keyFile = await makeKeyFile(t);
    const put = (letter: string, size: number) =>
      putByBoto3(bucket, keyFile, 'folder/file', letter.repeat(size));
    await put('a', pages * pageBytes);
    const mount = await mountBucket(t, { bucket, keyFile });
    const cwd = mount.directory;
    const map = async (script: string) => {
      const child = await start(python, ['-c', script], { cwd });
      t.teardown(async () => {
        child.kill('SIGKILL');
        await child.waitForEnd(patienceMs);
      });
      return child;
    };
    const mapNew = async () => (await (await map(mapOnce)).waitForEnd(patienceMs)).stdout.trim();

    const holder = await map(mapTwice);
    await waitUntil('the file is mapped', patienceMs, () => holder.output().startsWith('a\n'));
    t.is(await mapNew(), `${pages * pageBytes} a`);
    await put('b', pages * pageBytes); // of the same size
    t.is(await mapNew(), `${pages * pageBytes} b`);
    await put('c', pages * pageBytes * 2); // longer
    t.is(await mapNew(), `${pages * pageBytes * 2} c`);
    await put('d', pageBytes + 1); // shorter
    t.is(await mapNew(), `${pageBytes + 1} d`);

    const go = await start('touch', [path.join(mount.directory, 'go on')]);
    await go.waitForEnd(patienceMs);
    const { stdout, signal } = await holder.waitForEnd(patienceMs);
    // Its version is gone from the bucket: a page that the kernel has dropped is SIGBUS, which is ESTALE for mappings.
    if (signal === null) t.is(stdout, 'a\na\n');
    else t.deepEqual([signal, stdout], ['SIGBUS', 'a\n']);
  },
);

for (const [what, before, after] of [
  ['longer', 10_000, 2_000_000],
  ['shorter', 2_000_000, 500_123],
] as const) {
  cephTest(
    `a file that another client made ${what} after it was looked at is opened as it is now`,
    async (t) => {
      const bucket = await makeBucket(t);
      const keyFile = await makeKeyFile(t);
      const count = 10;
      const put = (letter: string, size: number) =>
        withBoto3(
          `for number in range(given['count']):
    s3.put_object(Bucket=bucket, Key=f'{number}', Body=given['letter'].encode() * given['size'], **key)`,
          { bucket, keyFile, count, letter, size },
        );
      await put('a', before);
      const mount = await mountBucket(t, { bucket, keyFile });
      const cwd = mount.directory;
      t.is(await bash('cd "$1"; stat -c %s *', [cwd]), `${before}\n`.repeat(count));
      await put('b', after);
      const answer = JSON.parse(await runOk(python, ['-c', readAndAppend], { cwd })) as unknown;
      t.deepEqual(answer, [[after, ['b']]]);
      t.true((await getByBoto3(bucket, keyFile, '0')) === `${'b'.repeat(after)}end`);
    },
  );
}

/** Appends to one file without looking at it before, has one sent, and reads the others in small pieces: the kernel reads far ahead. */
const readAndAppend = `
import json, os, tempfile
file = os.open('0', os.O_WRONLY | os.O_APPEND)
os.write(file, b'end')
os.close(file)
found = []
for name in os.listdir('.'):
    if name == '0': continue
    file = os.open(name, os.O_RDONLY)
    data = b''
    if name == '1': # without a look at its size, of which the kernel makes the end
        copy = tempfile.TemporaryFile()
        while os.sendfile(copy.fileno(), file, None, 1 << 20): pass
        copy.seek(0)
        data = copy.read()
    while piece := os.read(file, 5000): data += piece
    content = [len(data), sorted(set(data.decode()))]
    if content not in found: found.append(content)
print(json.dumps(found))
`;
