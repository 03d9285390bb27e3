// docs/semantics.md, what a mount promises about one mount: what each file operation means.
import path from 'node:path';
import test from 'ava';
import { bash, runOk, start, waitUntil } from '../mount/child.js';
import { getByBoto3, keysInBucket, makeBucket, python, withBoto3 } from '../mount/bucket.js';
import type { Mount } from '../mount/mounting.js';
import { FileScope, makeKeyFile, type KeyFile } from '../mount/temporary.js';
import { patienceMs } from '../patience.js';
import { driverTest, drivers, mountBy, type DriverUnderTest } from './drivers.js';

const scope = new FileScope();
test.after.always(() => scope.end());

interface Shared {
  readonly bucket: string;
  readonly keyFile: KeyFile;
  readonly mount: Mount;
}

async function mountShared(driver: DriverUnderTest): Promise<Shared> {
  const bucket = await makeBucket(scope);
  const keyFile = await makeKeyFile(scope);
  return { bucket, keyFile, mount: await mountBy(driver, scope, { bucket, keyFile }) };
}

/** One mount for each driver. */
const shared = new Map<DriverUnderTest, Promise<Shared>>();
let nextFolder = 0;

interface Folder {
  /** On the mount. */
  readonly directory: string;
  /** Its name in the bucket, ending in a slash. */
  readonly prefix: string;
  readonly bucket: string;
  readonly keyFile: KeyFile;
  /** Bash in this folder. */
  sh(script: string): Promise<string>;
  /** Python in this folder. */
  py(script: string): Promise<string>;
  /** An object's text, from the bucket's side. */
  object(name: string): Promise<string>;
  /** The keys below the prefix, without it. */
  keys(): Promise<string[]>;
}

/** A fresh folder on the mount that the tests of one driver share. */
async function folder(driver: DriverUnderTest): Promise<Folder> {
  const mounting = shared.get(driver) ?? mountShared(driver);
  shared.set(driver, mounting);
  const { bucket, keyFile, mount } = await mounting;
  const name = `folder-${nextFolder++}`;
  const directory = path.join(mount.directory, name);
  await runOk('mkdir', [directory]);
  const prefix = `${name}/`;
  return {
    directory,
    prefix,
    bucket,
    keyFile,
    sh: (script) => bash(script, [], { cwd: directory }),
    py: (script) => runOk(python, ['-c', `import errno, os, stat\n${script}`], { cwd: directory }),
    object: (key) => getByBoto3(bucket, keyFile, prefix + key),
    keys: async () =>
      (await keysInBucket(bucket))
        .filter((key) => key.startsWith(prefix))
        .map((key) => key.slice(prefix.length)),
  };
}

for (const driver of drivers) {
  driverTest(
    driver,
    'a file is one object of the same name, complete in the bucket when close returns',
    async (t) => {
      const f = await folder(driver);
      await f.py(`
with open('a b ü', 'w') as file: file.write('whole')`);
      t.is(await f.object('a b ü'), 'whole');
      t.true((await f.keys()).includes('a b ü'));
    },
  );

  driverTest(driver, 'fsync puts the object into the bucket while the file stays open', async (t) => {
    const f = await folder(driver);
    const holder = await start(
      python,
      [
        '-c',
        `
import os, time
file = os.open('held', os.O_WRONLY | os.O_CREAT)
os.write(file, b'synced')
os.fsync(file)
print('synced', flush=True)
time.sleep(300)`,
      ],
      { cwd: f.directory },
    );
    t.teardown(async () => {
      holder.kill('SIGKILL');
      await holder.waitForEnd(patienceMs);
    });
    await waitUntil('fsync has returned', patienceMs, () => holder.output().includes('synced'));
    t.is(await f.object('held'), 'synced');
  });

  driverTest(driver, 'an overwritten file is replaced as a whole', async (t) => {
    const f = await folder(driver);
    await f.sh('printf longer-than-that >file; printf short >file');
    t.is(await f.object('file'), 'short');
  });

  driverTest(driver, 'appending keeps what was there', async (t) => {
    const f = await folder(driver);
    await f.sh('printf one >file; printf two >>file; printf three >>file');
    t.is(await f.object('file'), 'onetwothree');
  });

  driverTest(driver, 'writing in the middle of a file keeps the rest', async (t) => {
    const f = await folder(driver);
    await f.sh('printf 0123456789 >file; printf XX | dd of=file bs=1 seek=4 conv=notrunc status=none');
    t.is(await f.object('file'), '0123XX6789');
  });

  driverTest(driver, 'truncating cuts, and growing fills with zeros', async (t) => {
    const f = await folder(driver);
    await f.sh('printf 0123456789 >file; truncate -s 4 file; truncate -s 6 file');
    t.is(await f.object('file'), '0123\0\0');
  });

  driverTest(driver, 'every handle on one mount sees every write at once', async (t) => {
    const f = await folder(driver);
    const seen = await f.py(`
writer = os.open('file', os.O_RDWR | os.O_CREAT)
reader = os.open('file', os.O_RDONLY)
os.write(writer, b'first')
print(os.pread(reader, 100, 0), os.stat('file').st_size)
os.pwrite(writer, b'F', 0)
os.ftruncate(writer, 3)
print(os.pread(reader, 100, 0), os.fstat(reader).st_size)
`);
    t.is(seen, "b'first' 5\nb'Fir' 3\n");
  });

  driverTest(driver, 'an empty file is an object too', async (t) => {
    const f = await folder(driver);
    await f.sh('touch empty; : >also');
    t.deepEqual((await f.keys()).filter(Boolean).sort(), ['also', 'empty']);
  });

  driverTest(
    driver,
    'a directory is an empty object that ends in a slash, and rmdir takes only an empty one',
    async (t) => {
      const f = await folder(driver);
      await f.sh('mkdir -p outer/inner; touch outer/inner/file');
      t.deepEqual((await f.keys()).filter(Boolean), ['outer/', 'outer/inner/', 'outer/inner/file']);
      await t.throwsAsync(f.sh('rmdir outer/inner'), { message: /Directory not empty/ });
      await f.sh('rm outer/inner/file; rmdir outer/inner outer');
      t.deepEqual((await f.keys()).filter(Boolean), []);
    },
  );

  driverTest(
    driver,
    'rename moves a file, replaces its target, and moves a directory with all that is in it',
    async (t) => {
      const f = await folder(driver);
      await f.sh(
        'printf new >a; printf old >b; mv a b; mkdir -p d/e; printf deep >d/e/f; touch d/g; mv d moved',
      );
      t.is(await f.object('b'), 'new');
      t.is(await f.object('moved/e/f'), 'deep');
      t.deepEqual((await f.keys()).filter(Boolean), ['b', 'moved/', 'moved/e/', 'moved/e/f', 'moved/g']);
      await t.throwsAsync(f.sh('mkdir full empty; touch full/x; mv -T empty full'), { message: /not empty/ });
    },
  );

  driverTest(driver, 'a deleted file that is still open can be read and written to the end', async (t) => {
    const f = await folder(driver);
    const seen = await f.py(`
with open('file', 'w') as file: file.write('still here')
held = os.open('file', os.O_RDWR)
os.unlink('file')
os.pwrite(held, b'S', 0)
print(os.pread(held, 100, 0), os.path.exists('file'), ''.join(os.listdir('.'))[:12])
os.close(held)
`);
    t.is(seen, `b'Still here' False ${driver.deletedOpenFile}\n`);
    await waitUntil('nothing of it is left', patienceMs, async () =>
      (await f.keys()).every((key) => key === ''),
    );
  });

  driverTest(
    driver,
    `mode, owner and times like ${driver.keptTime} are kept in the metadata, as s3fs keeps them`,
    async (t) => {
      const f = await folder(driver);
      await f.py(`
with open('file', 'w') as file: file.write('x')
os.chmod('file', 0o640)
os.chown('file', 1234, 2345) if os.getuid() == 0 else None
os.utime('file', ns=(987654321123456789, 987654321123456789))
`);
      const metadataNow = (): Promise<unknown> =>
        withBoto3(`answer = s3.head_object(Bucket=bucket, Key=given['prefix'] + 'file', **key)['Metadata']`, {
          bucket: f.bucket,
          keyFile: f.keyFile,
          prefix: f.prefix,
        });
      // Attributes of a closed file are stored a moment later, several changes at once.
      await waitUntil('the attributes are in the bucket', patienceMs, async () =>
        JSON.stringify(await metadataNow()).includes(`"${driver.keptTime}"`),
      );
      t.like(await metadataNow(), { mode: String(0o100640), mtime: driver.keptTime });
      const shown = await f.py(`
status = os.stat('file')
print(oct(status.st_mode), status.st_mtime_ns)`);
      t.is(shown, `0o100640 ${driver.keptTime.replace('.', '')}\n`);
    },
  );

  driverTest(
    driver,
    'a large file shows the second in which it was stored, unless a program sets a time',
    async (t) => {
      const f = await folder(driver);
      const shown = await f.py(`
import time
began = time.time()
for name in 'written', 'set':
    with open(name, 'wb') as file:
        for i in range(40): file.write(os.urandom(1 << 20))
        if name == 'set': file.flush(); os.utime(file.fileno(), ns=(987654321123456789, 987654321123456789))
times = [os.stat(name).st_mtime_ns for name in ('written', 'set')]
print(int(began) <= times[0] / 10**9 <= time.time() + 1, times[0] // 10**9, times[1])`);
      const stored = await withBoto3(
        `
about = lambda name: s3.head_object(Bucket=bucket, Key=given['prefix'] + name, **key)
written = about('written')
answer = [written['Metadata'].get('mtime'), int(written['LastModified'].timestamp()), about('set')['Metadata']['mtime']]`,
        { bucket: f.bucket, keyFile: f.keyFile, prefix: f.prefix },
      );
      const [time, seconds, setTime] = stored as [unknown, number, string];
      t.is(time, null);
      t.is(setTime, driver.keptTime);
      t.is(shown, `True ${seconds} ${driver.keptTime.replace('.', '')}\n`);
    },
  );

  driverTest(
    driver,
    'symbolic links, pipes, sockets and devices are kept; hard links are refused',
    async (t) => {
      const f = await folder(driver);
      const seen = await f.py(`
def refusal(function, *arguments):
    try: function(*arguments)
    except OSError as error: return errno.errorcode[error.errno]
    return 'done'
import socket
with open('file', 'w') as file: file.write('x')
os.symlink('file', 'link')
print(os.readlink('link'), open('link').read(), stat.S_ISLNK(os.lstat('link').st_mode))
print(refusal(os.link, 'file', 'hard'), refusal(os.mkfifo, 'pipe'),
      refusal(socket.socket(socket.AF_UNIX).bind, 'socket'))
print(stat.S_ISFIFO(os.stat('pipe').st_mode), stat.S_ISSOCK(os.stat('socket').st_mode))
os.chmod('pipe', 0o600); os.rename('pipe', 'renamed')
if os.getuid() == 0:
    os.mknod('null', 0o020666, os.makedev(1, 3))
    assert os.stat('null').st_rdev == os.makedev(1, 3)
    try: os.open('null', os.O_RDONLY); print('opened')
    except PermissionError: pass # nodev
    os.unlink('null')
`);
      t.is(seen, 'file x True\nEPERM done done\nTrue True\n');
      t.deepEqual((await f.keys()).filter(Boolean), ['file', 'link', 'renamed', 'socket']);
      t.is(await f.object('renamed'), '');
    },
  );

  driverTest(driver, 'extended attributes are set, listed, read and removed', async (t) => {
    const f = await folder(driver);
    const seen = await f.py(`
open('file', 'w').close()
os.setxattr('file', 'user.note', b'hello \\xff')
print(os.listxattr('file'), os.getxattr('file', 'user.note'))
os.removexattr('file', 'user.note')
print(os.listxattr('file'))
`);
    t.is(seen, "['user.note'] b'hello \\xff'\n[]\n");
  });

  driverTest(driver, 'a name may have 255 bytes, and a path as many as fit a key of 1,024', async (t) => {
    const f = await folder(driver);
    await f.sh('touch "$(printf %0255d 0)"');
    await t.throwsAsync(f.sh('touch "$(printf %0256d 0)"'), { message: /File name too long/ });
    await f.sh('n=$(printf %0240d 0); mkdir -p $n/$n/$n/$n; touch $n/$n/$n/$n/fits');
    await t.throwsAsync(f.sh('n=$(printf %0240d 0); touch $n/$n/$n/$n/$n'), {
      message: /File name too long/,
    });
  });

  driverTest(driver, 'df shows a file system with room', async (t) => {
    const f = await folder(driver);
    t.true(Number((await f.sh('df --output=avail -B1 . | tail -1')).trim()) > 2 ** 40);
  });

  driverTest(driver, 'programs can map files into memory, lock them, and run them', async (t) => {
    const f = await folder(driver);
    const seen = await f.py(`
import fcntl, mmap
with open('file', 'wb') as file: file.write(b'mapped bytes' * 1000)
with open('file', 'rb') as file:
    fcntl.flock(file, fcntl.LOCK_EX)
    print(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)[:6])
`);
    t.is(seen, "b'mapped'\n");
    t.is(await f.sh("printf '#!/bin/sh\\necho ran\\n' >program; chmod +x program; ./program"), 'ran\n');
  });
}
