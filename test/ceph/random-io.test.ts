// One file under random operations through the kernel, as fsx tests a file system: every result is compared with a twin in
// memory, and the file at the end through a new mount and by boto3. A mismatch prints the seed and the last operations.
// OSIRISFS_TEST_SEED=N does those of another seed; OSIRISFS_TEST_IO_OPERATIONS=N does so many operations instead of two
// hundred. Further down: several programs and several handles on one file, and O_DIRECT.
import path from 'node:path';
import test from 'ava';
import { bash, runOk } from '../mount/child.js';
import { makeBucket, python, withBoto3 } from '../mount/bucket.js';
import { makeRandomFile } from '../mount/local-tree.js';
import { mountBucket } from '../mount/mounting.js';
import { randomIoProgram } from '../mount/random-io-program.js';
import { foldersOnOneMount } from '../mount/shared-folder.js';
import { FileScope, makeDirectory, makeKeyFile } from '../mount/temporary.js';
import { testSeed } from '../seed.js';
import { cephTest, isFullSize, mebibyte } from './ceph-test.js';

const longMs = isFullSize ? 3_000_000 : 240_000;
const operations = Number(process.env['OSIRISFS_TEST_IO_OPERATIONS'] ?? (isFullSize ? 5000 : 200));

interface Variant {
  readonly title: string;
  readonly options: readonly string[];
  readonly maxSize: number;
}

const variants: readonly Variant[] = [
  {
    title: 'random operations on one file give what they give in memory',
    options: [],
    maxSize: 24 * mebibyte,
  },
  {
    title:
      'random operations on one file give the same with little memory, and none for names and attributes',
    options: ['--write-buffer-size', '16MiB', '--cache-size', '2MiB', '--metadata-ttl', '0s'],
    maxSize: 24 * mebibyte,
  },
];

for (const { title, options, maxSize } of variants) {
  cephTest(title, async (t) => {
    const bucket = await makeBucket(t);
    const keyFile = await makeKeyFile(t);
    const twin = path.join(await makeDirectory(t), 'twin');
    t.log(`seed ${testSeed}, ${operations} operations`);

    const first = await mountBucket(t, { bucket, keyFile, options, logLevel: 'info' });
    const given = { directory: first.directory, twin, seed: testSeed, operations, maxSize };
    const counts = await runOk(python, ['-c', randomIoProgram], {
      input: JSON.stringify(given),
      timeoutMs: longMs,
    });
    t.log(counts.trim());
    await first.unmount();

    const second = await mountBucket(t, { bucket, keyFile, options, logLevel: 'info' });
    await runOk('cmp', [path.join(second.directory, 'file'), twin]);
    await second.unmount();
    const md5 = (await bash('md5sum <"$1"', [twin])).slice(0, 32);
    const stored = await withBoto3(
      `answer = hashlib.md5(s3.get_object(Bucket=bucket, Key='file', **key)['Body'].read()).hexdigest()`,
      { bucket, keyFile },
    );
    t.is(stored, md5);
  });
}

const scope = new FileScope();
test.after.always(() => scope.end());

const folder = foldersOnOneMount(scope);

cephTest('four processes append to one file at once, and each record is whole and there once', async (t) => {
  const f = await folder();
  const script = `
import os, random, sys
records = 150
children = []
for writer in range(4):
    pid = os.fork()
    if pid == 0:
        source = random.Random(writer)
        file = os.open('appended', os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for number in range(records):
            # One write each, of up to several of the kernel's requests.
            text = '%d %d %s\\n' % (writer, number, 'abcd'[writer] * source.randrange(1, 20000))
            if os.write(file, text.encode()) != len(text): os._exit(1)
            if number % 50 == 49: os.fsync(file)
        os.close(file)
        os._exit(0)
    children.append(pid)
if any(os.waitpid(pid, 0)[1] != 0 for pid in children): sys.exit('a writer failed')
seen = set()
for line in open('appended'):
    writer, number, filler = line.rstrip('\\n').split(' ')
    if (writer, number) in seen: sys.exit('twice: %s %s' % (writer, number))
    seen.add((writer, number))
    source = random.Random(int(writer))
    length = [source.randrange(1, 20000) for _ in range(int(number) + 1)][-1]
    if filler != 'abcd'[int(writer)] * length: sys.exit('broken: %s %s' % (writer, number))
print(len(seen))
`;
  const count = await f.py(script);
  t.is(count, '600\n');
  const md5 = (await f.sh('md5sum <appended')).slice(0, 32);
  t.is((await f.md5s())['appended'], md5);
});

cephTest('two processes see at once what the other writes, also while both have the file open', async (t) => {
  const f = await folder();
  const script = `
import hashlib, multiprocessing, os, random
size = 3 << 20
def take_turns(name, talk, begins):
    source = random.Random(name)
    file = os.open('shared', os.O_RDWR)
    def say():
        data = source.randbytes(source.choice([1, 100, 5000, 200000]))
        offset = source.randrange(0, size)
        os.pwrite(file, data, offset)
        talk.send((offset, data, os.fstat(file).st_size))
    if begins: say()
    for turn in range(100):
        offset, data, length = talk.recv()
        if os.pread(file, len(data), offset) != data: raise SystemExit('%s: other bytes at %d' % (name, offset))
        if os.fstat(file).st_size != length: raise SystemExit('%s: another size' % name)
        if turn % 25 == 24: os.fsync(file)
        if turn < 99 or not begins: say()
    os.close(file)
open('shared', 'wb').close()
here, there = multiprocessing.Pipe()
other = multiprocessing.Process(target=take_turns, args=('second', there, False))
other.start()
take_turns('first', here, True)
other.join()
assert other.exitcode == 0
print(hashlib.md5(open('shared', 'rb').read()).hexdigest())
`;
  const md5 = await f.py(script);
  t.is((await f.md5s())['shared'], md5.trim());
});

cephTest('O_DIRECT writes and reads, also of a file whose end is no whole block', async (t) => {
  const f = await folder();
  const local = path.join(await makeDirectory(t), 'file');
  await makeRandomFile(local, 20 * mebibyte + 12_345);
  await f.sh(
    `dd if="$1" of=direct bs=1M oflag=direct status=none
     dd if=direct bs=1M iflag=direct status=none | cmp - "$1"
     # Parts of it again, with what was read before in the kernel's memory.
     cat direct >/dev/null
     for at in 0 7 4096 5119; do
       dd if="$1" of="$1.part" bs=4k count=1 skip=$((5120 - at)) status=none
       dd if="$1.part" of=direct bs=4k seek=$at oflag=direct conv=notrunc status=none
       dd if="$1.part" of="$1" bs=4k seek=$at conv=notrunc status=none
     done
     cmp direct "$1"
     dd if=direct bs=1M iflag=direct status=none | cmp - "$1"`,
    [local],
  );
  const md5 = (await bash('md5sum <"$1"', [local])).slice(0, 32);
  t.is((await f.md5s())['direct'], md5);
});
