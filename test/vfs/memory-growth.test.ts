// Files that come and go leave nothing behind: on a real mount, of a bucket that is kept in memory. What is held is counted;
// memory itself, which the garbage collector decides about, is measured.
import test from 'ava';
import { measured } from '../measured.js';
import { runOk, waitUntil } from '../mount/child.js';
import { mountMemoryBucket, type MemoryBucket } from '../mount/memory-bucket.js';
import type { Holdings } from '../mount/memory-bucket-server.js';
import { patienceMs } from '../patience.js';

const isFullSize = process.env['OSIRISFS_TEST_SIZE'] === 'full';
const rounds = 10;
/** In these, buffers grow to what they need, and code is compiled. */
const warmUpRounds = 3;
const filesPerRound = isFullSize ? 10_000 : 400;
/** What a file may leave behind: an inode that is not forgotten takes at least three times that. */
const bytesPerFile = 300;
/** What the heap changes by from one collection to the next, whatever the number of files. */
const heapNoiseBytes = 512 * 1024;
/** Resident memory is also what the allocator keeps free for itself. */
const residentNoiseBytes = 32 * 1024 * 1024;

/** Creates files with names that are never used twice, looks at them by name and by listing, and removes them. */
const round = `
import os, sys
directory, number, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
folder = os.path.join(directory, 'round-%d' % number)
os.mkdir(folder)
names = [os.path.join(folder, 'file-%d-%d' % (number, index)) for index in range(count)]
for name in names:
    with open(name, 'wb') as file: file.write(name.encode())
for name in names:
    assert os.stat(name).st_size == len(name)
with open(names[0], 'rb') as file: assert file.read() == names[0].encode()
os.rename(names[-1], names[-1] + '.renamed')
names[-1] += '.renamed'
os.symlink('target', os.path.join(folder, 'link'))
assert len(os.listdir(folder)) == count + 1
os.unlink(os.path.join(folder, 'link'))
for name in names: os.unlink(name)
os.rmdir(folder)
`;

async function runRound(bucket: MemoryBucket, number: number): Promise<Holdings> {
  const args = ['-c', round, bucket.directory, String(number), String(filesPerRound)];
  await runOk('/usr/bin/python3', args, { timeoutMs: 600_000 });
  // The kernel forgets removed inodes in its own time.
  await waitUntil('the inodes are forgotten', patienceMs, async () => (await bucket.holdings()).inodes === 1);
  return bucket.holdings();
}

test.serial(
  `memory does not grow by ${rounds * filesPerRound} files that are created, looked at and removed`,
  async (t) => {
    t.timeout(3_600_000);
    const bucket = await mountMemoryBucket(t);
    const start = await bucket.holdings();
    const after: Holdings[] = [];
    for (let number = 0; number < rounds; number += 1) after.push(await runRound(bucket, number));
    t.log(after.map(({ heapBytes, residentBytes }) => `${mebibytes(heapBytes)}/${mebibytes(residentBytes)}`));

    const { inodes, openHandles, knownObjects, objects, bytesCached } = start;
    for (const held of after) t.like(held, { inodes, openHandles, knownObjects, objects, bytesCached });
    // The root's listing keeps a position for each directory that was removed since.
    t.true(after.every(({ listedEntries }) => listedEntries <= 2 * rounds));
    const warm = after[warmUpRounds - 1];
    const last = after.at(-1);
    if (!warm || !last) throw new Error('too few rounds');
    const allowedBytes = bytesPerFile * filesPerRound * (rounds - warmUpRounds);
    const heapGrowth = last.heapBytes - warm.heapBytes;
    measured(t, heapGrowth < allowedBytes + heapNoiseBytes, `the heap grew by ${heapGrowth} bytes`);
    const residentGrowth = last.residentBytes - warm.residentBytes;
    measured(
      t,
      residentGrowth < allowedBytes + residentNoiseBytes,
      `resident memory grew by ${residentGrowth} bytes`,
    );
    await bucket.unmount();
  },
);

function mebibytes(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(1);
}
