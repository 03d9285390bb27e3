import { mkdtemp, open, readdir, readFile, readlink, rm, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { SpillFile, type SpillSlot } from '../../src/staging/spill-file.js';
import { FsError } from '../../src/errors.js';
import { silentLog } from '../silent-log.js';

async function makeSpillFile(t: ExecutionContext, limitBytes = 4096) {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'osirisfs-spill-'));
  const spillFile = new SpillFile({
    directory,
    limitBytes,
    unitBytes: 16,
    maxSlotBytes: 1024,
    log: silentLog,
  });
  t.teardown(async () => {
    await spillFile.stop();
    await rm(directory, { recursive: true });
  });
  return { directory, spillFile };
}

async function spill(spillFile: SpillFile, bytes: Uint8Array): Promise<SpillSlot> {
  const slot = spillFile.reserve(bytes.length);
  if (!slot) throw new Error('no room');
  if (!(await spillFile.write(slot, bytes))) throw new Error('not written');
  return slot;
}

/** The unlinked file, as /proc shows it: whatever the disk holds. */
async function openFileIn(directory: string): Promise<string> {
  for (const name of await readdir('/proc/self/fd')) {
    const link = `/proc/self/fd/${name}`;
    const target = await readlink(link).catch(() => '');
    if (target.startsWith(directory) && target.endsWith('(deleted)')) return link;
  }
  throw new Error('the spill file is not open');
}

test('what is spilled comes back, from any offset', async (t) => {
  const { spillFile } = await makeSpillFile(t);
  const bytes = Buffer.from(Array.from({ length: 1000 }, (_, index) => index % 251));
  const slot = await spill(spillFile, bytes);
  for (const [offset, length] of [
    [0, 1000],
    [0, 1],
    [15, 2],
    [16, 16],
    [17, 900],
    [999, 1],
  ] as const) {
    t.deepEqual(await spillFile.read(slot, offset, length), bytes.subarray(offset, offset + length));
  }
});

test('the file has no name, only its owner could open it, and nothing in it can be read', async (t) => {
  const { directory, spillFile } = await makeSpillFile(t);
  const secret = Buffer.from('a sentence that must not be on the disk. '.repeat(20));
  await spill(spillFile, secret);
  t.deepEqual(await readdir(directory), []);
  const open = await openFileIn(directory);
  const { mode, nlink } = await stat(open);
  t.is(mode & 0o777, 0o600);
  t.is(nlink, 0);
  const raw = await readFile(open);
  t.true(raw.length >= secret.length);
  t.false(raw.includes('sentence'));
});

test('the same bytes in the same slot look different each time', async (t) => {
  const { directory, spillFile } = await makeSpillFile(t);
  const zeros = Buffer.alloc(1024);
  const kept = await spill(spillFile, Buffer.alloc(16));
  const images: Buffer[] = [];
  const positions: number[] = [];
  for (let round = 0; round < 3; round++) {
    const slot = await spill(spillFile, zeros);
    const { position } = slot.slot;
    images.push((await readFile(await openFileIn(directory))).subarray(position, position + 1024));
    positions.push(position);
    spillFile.release(slot);
  }
  t.is(new Set(positions).size, 1, 'the slot is used again');
  const blocks = images.flatMap((image) =>
    Array.from({ length: 64 }, (_, index) => image.toString('hex', index * 16, index * 16 + 16)),
  );
  t.is(new Set(blocks).size, blocks.length, 'no key stream is used twice');
  spillFile.release(kept);
});

test('there is no more room than the limit, and what is released is room again', async (t) => {
  const { spillFile } = await makeSpillFile(t, 2048);
  const first = await spill(spillFile, Buffer.alloc(1024, 1));
  await spill(spillFile, Buffer.alloc(600, 2));
  t.is(spillFile.allocatedBytes, 2048);
  t.is(spillFile.reserve(1), undefined);
  spillFile.release(first);
  t.truthy(spillFile.reserve(1024));
});

test('a slot released while it is read still gives its bytes', async (t) => {
  const { spillFile } = await makeSpillFile(t, 1024);
  const slot = await spill(spillFile, Buffer.alloc(1000, 5));
  const reading = spillFile.read(slot, 0, 1000);
  spillFile.release(slot);
  t.is(spillFile.reserve(1024), undefined);
  t.deepEqual(await reading, Buffer.alloc(1000, 5));
  t.truthy(spillFile.reserve(1024));
});

test('the disk gets its room back when nothing is spilled any more', async (t) => {
  const { directory, spillFile } = await makeSpillFile(t);
  const slots = [
    await spill(spillFile, Buffer.alloc(1024, 1)),
    await spill(spillFile, Buffer.alloc(1024, 2)),
  ];
  const open = await openFileIn(directory);
  t.is((await stat(open)).size, 2048);
  for (const slot of slots) spillFile.release(slot);
  const next = await spill(spillFile, Buffer.alloc(20, 3));
  t.true((await stat(open)).size <= 1024);
  t.deepEqual(await spillFile.read(next, 0, 20), Buffer.alloc(20, 3));
});

test('a directory that is not there means that nothing can be spilled', async (t) => {
  const spillFile = new SpillFile({
    directory: '/proc/nowhere/directory',
    limitBytes: 4096,
    unitBytes: 16,
    maxSlotBytes: 1024,
    log: silentLog,
  });
  const slot = spillFile.reserve(10);
  if (!slot) return t.fail();
  t.false(await spillFile.write(slot, Buffer.alloc(10)));
  spillFile.release(slot);
  t.is(spillFile.reserve(10), undefined);
  await spillFile.stop();
});

test('a stopped file takes and gives nothing', async (t) => {
  const { spillFile } = await makeSpillFile(t);
  const slot = await spill(spillFile, Buffer.alloc(10, 1));
  await spillFile.stop();
  t.is(spillFile.reserve(10), undefined);
  const error = await t.throwsAsync(spillFile.read(slot, 0, 10), { instanceOf: FsError });
  t.is(error.code, 'EIO');
});

test('a full disk is tried again after a while or when something is released, and told of once', async (t) => {
  let nowMs = 5000;
  let warnings = 0;
  const spillFile = new SpillFile({
    directory: '/dev',
    limitBytes: 4096,
    unitBytes: 16,
    maxSlotBytes: 1024,
    log: { ...silentLog, warn: () => void (warnings += 1) },
    now: () => nowMs,
    createFile: () => open('/dev/full', 'r+'),
  });
  t.teardown(() => spillFile.stop());
  for (let round = 0; round < 3; round++) {
    const slot = spillFile.reserve(100);
    if (!slot) throw new Error('not tried again');
    t.false(await spillFile.write(slot, Buffer.alloc(100)));
    spillFile.release(slot);
    t.is(spillFile.reserve(100), undefined, 'the slot that had no room makes none');
    nowMs += 999;
    t.is(spillFile.reserve(100), undefined);
    nowMs += 1;
  }
  t.is(warnings, 1);
});
