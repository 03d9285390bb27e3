// Real mounts by the fuse-native driver: what every driver must do, and what this one cannot, or does otherwise.
import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { loadNativeAddon } from '../../src/fuse/fuse-native-addon.js';
import { MountError } from '../../src/fuse/driver.js';
import { requireFusermount } from '../../src/fuse/fuse-native-driver.js';
import { makeDirectory, nowhere } from '../mount/temporary.js';
import { patienceMs } from '../patience.js';
import { testLifecycle } from './driver-lifecycle-suite.js';
import { testPrograms } from './driver-programs-suite.js';
import {
  exitOf,
  isMounted,
  makeMountpoint,
  mount,
  nobody,
  openAndReread,
  openDeviceForAll,
  output,
  python,
  shell,
  start,
  startServer,
  until,
  type Mounted,
  type MountOptions,
} from './mounted-memory.js';

const isRoot = process.getuid?.() === 0;
/** For what only root can set up. */
const testAsRoot = isRoot ? test.serial : test.serial.skip;

testLifecycle('fuse-native');
testPrograms('fuse-native');

const mountNatively = (t: ExecutionContext, options: MountOptions['mount'] = {}): Promise<Mounted> =>
  mount(t, { mount: { ...options, driver: 'fuse-native' } });

test('a package that is not installed is told of in one line that says what to do', (t) => {
  // Not a directory of the test's own: packages are also looked for in the folders above it, which are the machine's.
  const error = t.throws(() => loadNativeAddon(path.join(nowhere, 'module.js')), {
    instanceOf: MountError,
  });
  t.like(error, {
    code: 'DriverMissing',
    message:
      'the package fuse-native is not installed; leave --driver out, or install it: npm install --ignore-scripts fuse-native@2.2.6',
  });
});

test('a package without a binary for this machine is told of in one line', async (t) => {
  const directory = await makeDirectory(t);
  for (const [name, text] of [
    ['fuse-native', ''],
    ['node-gyp-build', 'module.exports = () => { throw new Error("No native build was found\\nfor this") }'],
  ] as const) {
    const folder = path.join(directory, 'node_modules', name);
    await mkdir(folder, { recursive: true });
    await writeFile(path.join(folder, 'package.json'), '{}');
    await writeFile(path.join(folder, 'index.js'), text);
  }
  const error = t.throws(() => loadNativeAddon(path.join(directory, 'module.js')), {
    instanceOf: MountError,
  });
  t.like(error, {
    code: 'DriverMissing',
    message:
      'the package fuse-native cannot be loaded on this machine (No native build was found); leave --driver out',
  });
});

test('libfuse is the one of the package, whether the machine has one or not', async (t) => {
  const addon = new URL('../../src/fuse/fuse-native-addon.js', import.meta.url).href;
  const script = `
    import { readFileSync } from 'node:fs';
    const { loadNativeAddon } = await import(process.argv[1]);
    loadNativeAddon();
    const files = readFileSync('/proc/self/maps', 'utf8').match(/\\S*libfuse\\S*/g);
    console.log(JSON.stringify([...new Set(files)]));
  `;
  const args = ['--input-type=module', '-e', script, addon];
  const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: patienceMs });
  const files = JSON.parse(stdout) as string[];
  t.is(files.length, 1);
  t.regex(files[0] ?? '', /\/fuse-native\/prebuilds\/[^/]+\/libfuse\.so$/);
});

test('an ordinary user needs fusermount, and hears so; root does not', async (t) => {
  const directory = await makeDirectory(t);
  await t.throwsAsync(requireFusermount(1000, directory), {
    instanceOf: MountError,
    message: /fuse-native needs the program fusermount.*apt install fuse3/,
  });
  await writeFile(path.join(directory, 'fusermount'), '', { mode: 0o755 });
  await t.notThrowsAsync(requireFusermount(1000, `/nowhere:${directory}`));
  await t.notThrowsAsync(requireFusermount(0, ''));
});

test.serial('with fuse-native, a source that is too long is refused', async (t) => {
  const directory = await makeMountpoint(t);
  const server = startServer(t);
  const source = `osirisfs:bucket/${'long/'.repeat(200)}`;
  await t.throwsAsync(server.ask('mount', { driver: 'fuse-native', mountpoint: directory, source }), {
    code: 'MountRefused',
    message: /too long for fuse-native/,
  });
  t.false(await isMounted(directory));
});

test.serial('with fuse-native, inode numbers are counted anew in each mount', async (t) => {
  const inodeNumbers = async (names: string): Promise<string> => {
    const { server, directory } = await mountNatively(t);
    await server.ask('fill', { prefix: 'entry', count: 3 });
    return await output(t, `cd "$1"; stat -c %n:%i ${names} | sort | tr '\n' ' '`, directory);
  };
  t.is(await inodeNumbers('entry0 entry1'), 'entry0:2 entry1:3');
  t.is(await inodeNumbers('entry1 entry0'), 'entry0:3 entry1:2');
});

test.serial('with fuse-native, a file that is replaced while open can be read to its end', async (t) => {
  const { directory } = await mountNatively(t);
  const seen = await python(
    t,
    `import os, sys
os.chdir(sys.argv[1])
for name in 'old', 'new': open(name, 'w').write(name)
file = os.open('old', os.O_RDONLY)
os.rename('new', 'old')
print(os.read(file, 100), open('old').read(), sorted(name[:12] for name in os.listdir('.')))`,
    directory,
  );
  t.is(seen, `b'old' new ['.fuse_hidden', 'old']`);
  await until('it is gone', async () => (await output(t, 'ls -A "$1"', directory)) === 'old');
});

test.serial('with fuse-native, names with U+FFFD are not made', async (t) => {
  const { directory } = await mountNatively(t);
  t.regex((await shell('mkdir "$1/�"', directory)).stderr, /Invalid or incomplete multibyte/);
});

test.serial('with fuse-native, an mtime apart from the atime is lost', async (t) => {
  const { directory } = await mountNatively(t);
  const times = await python(
    t,
    `import os, sys
path = os.path.join(sys.argv[1], 'file')
open(path, 'w').close()
os.utime(path, ns=(10**18, 2 * 10**18))
print(os.stat(path).st_atime_ns, os.stat(path).st_mtime_ns)`,
    directory,
  );
  t.is(times, '1000000000000000000 1000000000000000000');
  await output(t, 'touch -m -d 2001-02-03T04:05:06Z "$1/file"', directory);
  t.is(
    await output(t, 'stat -c %Y "$1/file"', directory),
    '1000000000',
    'touch -m succeeds and changes nothing',
  );
});

test.serial('with fuse-native, times are kept to the millisecond, and from 1970 on', async (t) => {
  const { directory } = await mountNatively(t);
  const times = await output(
    t,
    `touch -d 2001-02-03T04:05:06.123456789Z "$1/file"; TZ=UTC stat -c %y "$1/file"
     touch -d 1960-05-06Z "$1/file"; TZ=UTC stat -c %y "$1/file"`,
    directory,
  );
  t.is(times, '2001-02-03 04:05:06.123000000 +0000\n1970-01-01 00:00:00.000000000 +0000');
});

test.serial('with fuse-native, requests have at most 128 KiB', async (t) => {
  const { server, directory } = await mountNatively(t);
  await output(t, 'truncate -s 8M "$1/null"', directory);
  const before = (await server.ask('statistics')).calls;
  await output(
    t,
    `dd if=/dev/zero of="$1/null" bs=1M count=8 oflag=direct conv=notrunc status=none
     dd if="$1/null" of=/dev/null bs=1M count=8 iflag=direct status=none`,
    directory,
  );
  const after = (await server.ask('statistics')).calls;
  t.is((after['write'] ?? 0) - (before['write'] ?? 0), 64);
  t.is((after['read'] ?? 0) - (before['read'] ?? 0), 64);
});

test.serial('with fuse-native, a long listing asks for each file by itself', async (t) => {
  const { server, directory } = await mountNatively(t);
  await server.ask('fill', { prefix: 'entry', count: 10_000 });
  t.is(await output(t, 'ls "$1" | wc -l', directory), '10000');
  const before = (await server.ask('statistics')).calls;
  t.true((before['lookup'] ?? 0) < 100, 'names and types come with the listing');
  t.is(await output(t, 'ls -l "$1" | tail -n +2 | sort -u | wc -l', directory), '10000');
  const { calls } = await server.ask('statistics');
  t.true((calls['lookup'] ?? 0) >= 10_000, JSON.stringify(calls));
  t.is(calls['readDirectoryPlus'], undefined);
});

test.serial('with fuse-native, few inodes are kept, and none at the end', async (t) => {
  const { server, directory } = await mountNatively(t);
  await server.ask('fill', { prefix: 'entry', count: 6000 });
  await output(t, 'ls -l "$1"', directory);
  t.is((await server.ask('statistics')).knownCount, 4096);
  await server.ask('unmount', false);
  await server.ask('ended');
  const { knownCount, openHandleCount, logged } = await server.ask('statistics');
  t.deepEqual({ knownCount, openHandleCount, logged }, { knownCount: 0, openHandleCount: 0, logged: [] });
});

test.serial('with fuse-native, renameat2 refuses its flags, and the names stay', async (t) => {
  const { directory } = await mountNatively(t);
  const refusals = await python(
    t,
    `import ctypes, errno, os, sys
os.chdir(sys.argv[1])
for name in 'one', 'two': open(name, 'w').write(name)
libc = ctypes.CDLL(None, use_errno=True)
for target, flags in (b'three', 1), (b'two', 2): # RENAME_NOREPLACE, RENAME_EXCHANGE
    print(libc.renameat2(-100, b'one', -100, target, flags), errno.errorcode[ctypes.get_errno()])
print(open('one').read(), open('two').read(), os.path.exists('three'))`,
    directory,
  );
  t.is(refusals, '-1 EINVAL\n-1 EINVAL\none two False');
});

test.serial('with fuse-native, fallocate is refused, and files have no holes', async (t) => {
  const { directory } = await mountNatively(t);
  const { stderr } = await shell('fallocate -l 1M "$1/file"', directory);
  t.regex(stderr, /Operation not supported/);
  const found = await python(
    t,
    `import os, sys
fd = os.open(os.path.join(sys.argv[1], 'file'), os.O_RDWR | os.O_CREAT)
os.ftruncate(fd, 1 << 20)
print(os.lseek(fd, 0, os.SEEK_DATA), os.lseek(fd, 0, os.SEEK_HOLE))`,
    directory,
  );
  t.is(found, '0 1048576');
});

test.serial('with fuse-native, copy_file_range moves the bytes through the kernel', async (t) => {
  const { server, directory } = await mountNatively(t);
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
  t.is((await server.ask('statistics')).calls['copyFileRange'], undefined);
});

test.serial('with fuse-native, open files keep the pages that they read until the next open', async (t) => {
  const { server, directory } = await mountNatively(t);
  await output(t, 'printf old > "$1/file"', directory);
  const reread = openAndReread(t, `${directory}/file`);
  t.is(await reread(), 'old');
  await server.ask('replace', { name: 'file', content: 'new' });
  await server.ask('dropInode', { name: 'file', offset: 0 });
  t.is(await reread(), 'old', 'dropping does nothing');
  t.is(await output(t, 'cat "$1/file"', directory), 'new');
});

test.serial('with fuse-native, what is removed or changed elsewhere shows at once', async (t) => {
  const { server, directory } = await mountNatively(t);
  await server.ask('setTtls', { entryMs: 60_000, attributesMs: 60_000 });
  await output(t, 'echo hello > "$1/file"; echo hello > "$1/other"', directory);
  await server.ask('remove', 'file');
  await output(t, '[ ! -e "$1/file" ]', directory);
  await server.ask('replace', { name: 'other', content: 'much longer than before' });
  t.is(await output(t, 'stat -c %s "$1/other"', directory), '23');
});

test.serial('with fuse-native, a file that is deleted while open is hidden until it is closed', async (t) => {
  const { server, directory } = await mountNatively(t);
  const seen = await python(
    t,
    `import os, sys
os.chdir(sys.argv[1])
file = os.open('file', os.O_RDWR | os.O_CREAT)
os.write(file, b'still here')
os.unlink('file')
os.pwrite(file, b'S', 0)
print(os.pread(file, 100, 0), os.fstat(file).st_size, [name[:12] for name in os.listdir('.')])`,
    directory,
  );
  t.is(seen, `b'Still here' 10 ['.fuse_hidden']`);
  await until('it is gone', async () => (await output(t, 'ls -A "$1"', directory)) === '');
  t.is((await server.ask('statistics')).openHandleCount, 0);
});

testAsRoot('with fuse-native, files belong to the one who mounts, whoever makes them', async (t) => {
  await openDeviceForAll();
  const { directory } = await mountNatively(t, { allowOther: true });
  await output(t, ': > "$1/file"; mkdir "$1/folder"', directory, nobody);
  t.is(await output(t, 'stat -c %u "$1/file" "$1/folder"', directory), '0\n0');
});

testAsRoot('with fuse-native, writing without privilege drops the set-id bits', async (t) => {
  await openDeviceForAll();
  const { directory } = await mountNatively(t, { allowOther: true });
  await output(t, ': > "$1/file"; chmod 6777 "$1/file"; [ "$(stat -c %a "$1/file")" = 6777 ]', directory);
  await output(t, 'echo by nobody >> "$1/file"', directory, nobody);
  t.is(await output(t, 'stat -c %a "$1/file"', directory), '777');
});

test.serial('with fuse-native, attributes larger than the buffer given for them are ERANGE', async (t) => {
  const { directory } = await mountNatively(t);
  const errors = await python(
    t,
    `import ctypes, errno, os, sys
path = os.fsencode(os.path.join(sys.argv[1], 'file'))
open(path, 'w').close()
os.setxattr(path, 'user.long', b'x' * 1000)
os.setxattr(path, 'user.empty', b'')
libc = ctypes.CDLL(None, use_errno=True)
room = ctypes.create_string_buffer(4)
print(libc.getxattr(path, b'user.long', room, 4), errno.errorcode[ctypes.get_errno()])
print(libc.listxattr(path, room, 4), errno.errorcode[ctypes.get_errno()])
print(libc.getxattr(path, b'user.long', None, 0), libc.listxattr(path, None, 0))
print(os.getxattr(path, 'user.empty'))`,
    directory,
  );
  t.is(errors, `-1 ERANGE\n-1 ERANGE\n1000 21\nb''`);
});

test.serial('with fuse-native, a killed program waits until its call is answered', async (t) => {
  const { server, directory } = await mountNatively(t);
  await output(t, 'truncate -s 100 "$1/hang"', directory);
  const reader = start(t, 'dd', [`if=${directory}/hang`, 'iflag=direct', 'status=none']);
  await until('the read hangs', async () => (await server.ask('statistics')).hangingCount > 0);
  const exit = exitOf(reader);
  reader.kill('SIGKILL');
  await until('it is to die, and waits in the kernel', async () => {
    const status = await readFile(`/proc/${reader.pid}/status`, 'utf8');
    const pending = BigInt(`0x${/^ShdPnd:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
    const own = BigInt(`0x${/^SigPnd:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
    return ((pending | own) & 0x100n) !== 0n && /^State:\s*D/m.test(status);
  });
  t.is((await server.ask('statistics')).abortCount, 0);
  server.child.kill('SIGKILL');
  t.deepEqual(await exit, [null, 'SIGKILL']);
});
