// Real mounts by the kernel driver, used with ordinary programs: what every driver must do, and what only this one can.
import test from 'ava';
import {
  mount,
  nobody,
  openAndReread,
  openDeviceForAll,
  output,
  python,
  startTalking,
  until,
} from './mounted-memory.js';
import { testPrograms } from './driver-programs-suite.js';

const isRoot = process.getuid?.() === 0;
/** For what only root can set up. */
const testAsRoot = isRoot ? test.serial : test.serial.skip;

testPrograms('kernel');

test.serial('10,000 entries are listed with their attributes in a few requests', async (t) => {
  const { server, directory } = await mount(t);
  await server.ask('fill', { prefix: 'entry', count: 10_000 });
  t.is(await output(t, 'ls -l "$1" | tail -n +2 | sort -u | wc -l', directory), '10000');
  const { calls } = await server.ask('statistics');
  t.true((calls['readDirectoryPlus'] ?? 0) < 100, JSON.stringify(calls));
  t.true((calls['getAttributes'] ?? 0) < 100, JSON.stringify(calls));
  t.is(
    calls['getExtendedAttribute'] ?? 0,
    0,
    'neither access control lists nor labels are the file system’s affair',
  );
});

test.serial('times are kept to the nanosecond, before 1970 too, and each by itself', async (t) => {
  const { directory } = await mount(t);
  const times = await output(
    t,
    `touch -d 1960-05-06T07:08:09.123456789Z "$1/file"; touch -m -d 2001-02-03T04:05:06.5Z "$1/file"
     TZ=UTC stat -c '%x|%y' "$1/file"`,
    directory,
  );
  t.is(times, '1960-05-06 07:08:09.123456789 +0000|2001-02-03 04:05:06.500000000 +0000');
});

test.serial('space is reserved, holes are punched, and found again', async (t) => {
  const { directory } = await mount(t);
  const found = await python(
    t,
    `import os, subprocess, sys
path = os.path.join(sys.argv[1], 'file')
with open(path, 'wb') as file: file.write(b'x' * (256 << 10))
subprocess.check_call(['fallocate', '-p', '-o', str(64 << 10), '-l', str(64 << 10), path])
fd = os.open(path, os.O_RDWR)
print(os.lseek(fd, 0, os.SEEK_HOLE), os.lseek(fd, 65536, os.SEEK_DATA), os.pread(fd, 2, 65535))
os.posix_fallocate(fd, 0, 1 << 20)
print(os.fstat(fd).st_size)`,
    directory,
  );
  t.is(found, `65536 131072 b'x\\x00'\n1048576`);
});

test.serial('ranges are copied by the file system itself', async (t) => {
  const { server, directory } = await mount(t);
  const copied = await python(
    t,
    `import os, sys
source = os.open(os.path.join(sys.argv[1], 'source'), os.O_RDWR | os.O_CREAT)
target = os.open(os.path.join(sys.argv[1], 'target'), os.O_RDWR | os.O_CREAT)
os.write(source, b'0123456789')
print(os.copy_file_range(source, target, 4, 3, 2), os.pread(target, 100, 0))`,
    directory,
  );
  t.is(copied, `4 b'\\x00\\x003456'`);
  t.is((await server.ask('statistics')).calls['copyFileRange'], 1);
});

test.serial('direct reads and writes of 1 MiB arrive in one request each', async (t) => {
  const { server, directory } = await mount(t);
  await output(
    t,
    `head -c 8388608 /dev/urandom > "$1/source"
     dd if="$1/source" of="$1/target" bs=1M oflag=direct status=none
     dd if="$1/target" bs=1M iflag=direct status=none | cmp - "$1/source"`,
    directory,
  );
  const before = (await server.ask('statistics')).calls;
  await output(t, 'dd if="$1/target" of="$1/null" bs=1M iflag=direct oflag=direct status=none', directory);
  const after = (await server.ask('statistics')).calls;
  // The end of the file takes one more read.
  t.true((after['read'] ?? 0) - (before['read'] ?? 0) <= 9);
  t.is((after['write'] ?? 0) - (before['write'] ?? 0), 8);
});

testAsRoot('100,000 lookups and their forgets leave no inode behind', async (t) => {
  const { server, directory } = await mount(t);
  await server.ask('setTtls', { entryMs: 0, attributesMs: 60_000 });
  await server.ask('fill', { prefix: 'entry', count: 5000 });
  await python(
    t,
    `import os, sys
for round in range(18):
    for index in range(5000): os.stat(f'{sys.argv[1]}/entry{index}')
for round in range(3):
    with os.scandir(sys.argv[1]) as entries:
        for entry in entries: entry.stat()`,
    directory,
  );
  const { calls, knownCount } = await server.ask('statistics');
  t.true((calls['lookup'] ?? 0) >= 90_000, JSON.stringify(calls));
  t.is(knownCount, 5000);
  await until('the kernel forgets everything', async () => {
    await output(t, 'echo 2 > /proc/sys/vm/drop_caches', directory);
    return (await server.ask('statistics')).knownCount === 0;
  });
  const { openHandleCount, logged } = await server.ask('statistics');
  t.deepEqual({ openHandleCount, logged }, { openHandleCount: 0, logged: [] });
});

test.serial('dropping an inode makes open files read what is there now', async (t) => {
  const { server, directory } = await mount(t);
  await server.ask('setTtls', { entryMs: 60_000, attributesMs: 60_000 });
  await output(t, 'printf old > "$1/file"', directory);
  const reread = openAndReread(t, `${directory}/file`);
  t.is(await reread(), 'old');
  await server.ask('replace', { name: 'file', content: 'newer' });
  t.is(await reread(), 'old', 'the kernel has it cached');
  await server.ask('dropInode', { name: 'file', offset: -1 });
  await server.ask('dropInode', { name: 'file', offset: 0 });
  t.is(await reread(), 'newer');
});

test.serial('dropping an entry makes the kernel look it up again', async (t) => {
  const { server, directory } = await mount(t);
  await server.ask('setTtls', { entryMs: 60_000, attributesMs: 60_000 });
  await output(t, 'echo hello > "$1/file"', directory);
  await server.ask('remove', 'file');
  await output(t, '[ -e "$1/file" ]', directory);
  await server.ask('dropEntry', 'file');
  await output(t, '[ ! -e "$1/file" ]', directory);
  await server.ask('dropEntry', 'never heard of');
});

/** Has a page read that a direct write is about to change, and looks at it again when the write has ended. */
const readBesideDirectWrite = `
import ctypes, mmap, os, platform, struct, sys
setup, submit, wait = (0, 2, 4) if platform.machine() == 'aarch64' else (206, 209, 208)
libc = ctypes.CDLL(None, use_errno=True)
def call(*arguments):
    result = libc.syscall(*arguments)
    if result < 0: raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
size = 4096
path = os.path.join(sys.argv[1], 'file')
direct = os.open(path, os.O_WRONLY | os.O_DIRECT)
reader = os.open(path, os.O_RDONLY)
memory = mmap.mmap(-1, size)
memory.write(b'b' * size)
address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
context = ctypes.c_ulong(0)
call(setup, 1, ctypes.byref(context))
# struct iocb: data, key, rw_flags, opcode (1: pwrite), priority, descriptor, buffer, bytes, offset
block = ctypes.create_string_buffer(struct.pack('<QIIHhIQQq', 0, 0, 0, 1, 0, direct, address, size, 0).ljust(64, b'\\0'), 64)
blocks = (ctypes.c_void_p * 1)(ctypes.addressof(block))
call(submit, context, 1, blocks)
print('submitted', flush=True)
sys.stdin.readline()
print(os.pread(reader, 1, 0).decode(), flush=True)
sys.stdin.readline()
events = ctypes.create_string_buffer(32)
call(wait, context, 1, 1, events, None)
print(struct.unpack('<QQqq', events.raw)[2], os.pread(reader, size, 0) == b'b' * size, flush=True)
`;

test.serial(
  'what was read beside a direct write that nobody waited for is read anew after its end',
  async (t) => {
    const { server, directory } = await mount(t);
    await output(t, 'head -c 8192 /dev/zero | tr "\\0" a >"$1/file"', directory);
    await server.ask('holdWrites');
    const before = (await server.ask('statistics')).calls['write'] ?? 0;
    const { child, nextLine } = startTalking(t, 'python3', ['-c', readBesideDirectWrite, directory]);
    t.is(await nextLine(), 'submitted');
    await until(
      'the write has come',
      async () => ((await server.ask('statistics')).calls['write'] ?? 0) > before,
    );
    child.stdin?.write('\n');
    t.is(await nextLine(), 'a');
    await server.ask('releaseWrites');
    child.stdin?.write('\n');
    t.is(await nextLine(), '4096 True');
  },
);

testAsRoot(
  'writing without privilege drops the set-id bits, and reads no capabilities each time',
  async (t) => {
    await openDeviceForAll();
    const { server, directory } = await mount(t, { mount: { allowOther: true } });
    await output(t, ': > "$1/file"; chmod 6777 "$1/file"; [ "$(stat -c %a "$1/file")" = 6777 ]', directory);
    await output(t, 'echo by root >> "$1/file"; [ "$(stat -c %a "$1/file")" = 6777 ]', directory);
    await output(t, 'echo by nobody >> "$1/file"', directory, nobody);
    await until(
      'the kernel sees the new mode',
      async () => (await output(t, 'stat -c %a "$1/file"', directory)) === '777',
    );
    const before = (await server.ask('statistics')).calls;
    await output(
      t,
      'dd if=/dev/zero of="$1/file" bs=1k count=100 conv=notrunc status=none',
      directory,
      nobody,
    );
    const after = (await server.ask('statistics')).calls;
    t.is((after['write'] ?? 0) - (before['write'] ?? 0), 100);
    t.true((after['getExtendedAttribute'] ?? 0) - (before['getExtendedAttribute'] ?? 0) < 5);
    t.is(after['setAttributes'], before['setAttributes'], 'there was nothing left to drop');
  },
);
