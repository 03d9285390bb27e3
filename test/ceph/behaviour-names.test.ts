// docs/semantics.md, the table of operations: names, directories and what open files see of them; limits of the server.
import { createHash } from 'node:crypto';
import path from 'node:path';
import test from 'ava';
import { bash, run, runOk } from '../mount/child.js';
import { makeBucket, python, withBoto3 } from '../mount/bucket.js';
import { mountBucket } from '../mount/mounting.js';
import { serverUnderTest } from '../mount/server.js';
import { foldersOnOneMount } from '../mount/shared-folder.js';
import { FileScope, makeKeyFile } from '../mount/temporary.js';
import { cephTest } from './ceph-test.js';

const scope = new FileScope();
test.after.always(() => scope.end());
const folder = foldersOnOneMount(scope);

/** Says how each of `calls` ends: "ok", or the name of its errno. */
const outcomes = (calls: string): string => `
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
def renameat2(old, new, flags):
    if libc.syscall(316, -100, old.encode(), -100, new.encode(), flags) != 0:
        raise OSError(ctypes.get_errno(), 'renameat2')
def outcome(call):
    try: call(); return 'ok'
    except OSError as error: return errno.errorcode[error.errno]
print(' '.join(outcome(call) for call in [${calls}]))`;

cephTest('rename refuses what rename(2) says, and RENAME_NOREPLACE an existing target', async (t) => {
  const f = await folder();
  await f.sh(
    'mkdir full empty dir; echo 1 >full/file; echo 2 >file; echo 3 >other; mkdir -p deep/er; touch deep/er/x',
  );
  const answer = await f.py(
    outcomes(`
  lambda: os.rename('dir', 'full'),
  lambda: os.rename('file', 'empty'),
  lambda: os.rename('dir', 'file'),
  lambda: os.rename('deep', 'deep/er/inside'),
  lambda: os.rename('none', 'file'),
  lambda: renameat2('file', 'other', 1),
  lambda: renameat2('file', 'other', 2),
  lambda: renameat2('file', 'fresh', 1),
  lambda: os.rename('full', 'empty'),
  lambda: os.rename('fresh', 'fresh'),
  lambda: os.rename('deep', 'moved')`),
  );
  t.is(answer.trim(), 'ENOTEMPTY EISDIR ENOTDIR EINVAL ENOENT EEXIST EINVAL ok ok ok ok');
  t.is(await f.sh('cat other fresh empty/file'), '3\n2\n1\n');
  t.deepEqual(
    (await f.keys()).filter((key) => !key.endsWith('/')),
    ['empty/file', 'fresh', 'moved/er/x', 'other'],
  );
});

cephTest(
  'a file that is open goes on under its new name, and the file it replaced stays readable',
  async (t) => {
    const f = await folder();
    const answer = await f.py(`
import os
open('target', 'w').write('former content')
former = open('target')
file = open('source', 'w+')
file.write('one '); file.flush()
os.rename('source', 'target')
file.write('two'); file.flush(); os.fsync(file.fileno())
print(os.fstat(file.fileno()).st_ino == os.stat('target').st_ino, os.path.exists('source'))
print(former.read())
file.close()
print(open('target').read())`);
    t.is(answer, 'True False\nformer content\none two\n');
    t.is(await f.object('target'), 'one two');
  },
);

cephTest(
  'names that look percent-encoded keep their own content through chmod, appending and mv',
  async (t) => {
    const f = await folder();
    // Below the least size that the server copies, above it, and above the least size of a part.
    const sizes = [100_000, 1_000_000, 12_000_000];
    const pairs = [
      ['a%20b', 'a b'],
      ['neighbour%41', 'neighbourA'],
      ['95% CI.dat', '95'],
      ['x?versionId=null', 'x'],
      ['50%/25', '50%25'],
    ];
    await f.py(`
import os
for size in ${JSON.stringify(sizes)}:
    for name, neighbour in ${JSON.stringify(pairs)}:
        name, neighbour = '%d/%s' % (size, name), '%d/%s' % (size, neighbour)
        os.makedirs(os.path.dirname(name), exist_ok=True)
        for path, letter in ((name, b'o'), (neighbour, b'n')):
            with open(path, 'wb') as file: file.write(letter * size)
        os.chmod(name, 0o600)
        file = os.open(name, os.O_RDONLY); os.fsync(file); os.close(file)
        with open(name, 'ab') as file: file.write(b'appended')
        os.rename(name, name + '.moved')
    os.rename(str(size), 'moved%%20%d' % size)`);
    const found = await withBoto3(
      `
answer = {}
for item in listed(given['prefix']):
    if not item['Key'].endswith('/'):
        reply = s3.get_object(Bucket=bucket, Key=item['Key'], **key)
        body = reply['Body'].read()
        answer[item['Key'][len(given['prefix']):]] = [
            hashlib.md5(body).hexdigest(), oct(int(reply['Metadata']['mode']) & 0o777)]`,
      { bucket: f.bucket, keyFile: f.keyFile, prefix: f.prefix },
    );
    const md5 = (text: string): string => createHash('md5').update(text).digest('hex');
    const expected: Record<string, unknown> = {};
    for (const size of sizes) {
      for (const [name = '', neighbour = ''] of pairs) {
        expected[`moved%20${size}/${name}.moved`] = [md5(`${'o'.repeat(size)}appended`), '0o600'];
        expected[`moved%20${size}/${neighbour}`] = [md5('n'.repeat(size)), '0o644'];
      }
    }
    t.deepEqual(found, expected);
  },
);

cephTest('directories are removed, and their entries, while others read them', async (t) => {
  const f = await folder();
  const answer = await f.py(`
import errno, os
os.mkdir('doomed')
directory = os.open('doomed', os.O_RDONLY)
os.rmdir('doomed')
print(os.listdir(directory))
try: os.open('inside', os.O_CREAT | os.O_WRONLY, dir_fd=directory)
except OSError as error: print(errno.errorcode[error.errno])
os.mkdir('many')
names = ['n%03d' % i for i in range(400)]
for name in names: open('many/' + name, 'w').close()
seen = []
with os.scandir('many') as entries:
    for entry in entries:
        seen.append(entry.name)
        if len(seen) == 10:
            for name in names[200:300]: os.unlink('many/' + name)
            open('many/new', 'w').close()
kept = names[:200] + names[300:]
print(len(seen) == len(set(seen)), [name for name in kept if name not in seen])`);
  t.is(answer, '[]\nENOENT\nTrue []\n');
});

cephTest(
  'inode numbers, block counts and link counts are what programs expect, also after a remount',
  async (t) => {
    const bucket = await makeBucket(t);
    const keyFile = await makeKeyFile(t);
    const listing = (directory: string): Promise<string> =>
      bash(
        `cd "$1"; mkdir -p d/e; [ -e d/f ] || head -c 5000 /dev/urandom >d/f; stat -c '%n %i %h %b %B %s' d d/e d/f; ls -i d`,
        [directory],
      );
    const first = await mountBucket(t, { bucket, keyFile });
    const before = await listing(first.directory);
    await first.unmount();
    const second = await mountBucket(t, { bucket, keyFile });
    t.is(await listing(second.directory), before);
    t.regex(before, /^d\/f \d+ 1 10 512 5000$/m);
    await second.unmount();
  },
);

cephTest(
  'programs that tell files by their numbers follow a file, and find the next of its name',
  async (t) => {
    const f = await folder();
    t.is(await f.sh('seq 5 >f; exec 3<f; rm f; cat <&3 >f; cat f'), '1\n2\n3\n4\n5\n');
    const rotated = await f.sh(`
echo one >log; seen=$(mktemp); tail -n +1 -s 0.1 -F log >"$seen" 2>/dev/null & tail=$!
sees() { for i in $(seq 600); do grep -q "$1" "$seen" && return; sleep 0.1; done; echo "not seen: $1"; }
sees one; echo two >>log; sees two; mv log log.1; echo three >log; sees three; echo four >>log; sees four
kill $tail; cat "$seen"; rm "$seen"`);
    t.is(rotated, 'one\ntwo\nthree\nfour\n');
  },
);

cephTest('touch sets one time and leaves the other, to the nanosecond', async (t) => {
  const f = await folder();
  t.is(
    await f.sh(`
touch file; touch -a -d '2001-02-03 04:05:06.123456789 UTC' file; touch -m -d '1969-12-31 23:59:58.5 UTC' file
TZ=UTC stat -c '%x %y' file
touch -a file
[ "$(stat -c %X file)" -gt 1700000000 ] && TZ=UTC stat -c %y file`),
    '2001-02-03 04:05:06.123456789 +0000 1969-12-31 23:59:58.500000000 +0000\n1969-12-31 23:59:58.500000000 +0000\n',
  );
});

cephTest('what S3 or FUSE cannot do is refused with the errno that programs know', async (t) => {
  const f = await folder();
  await f.sh('head -c 10000 /dev/urandom >file; touch other; mkdir dir');
  const answer = await f.py(
    `import fcntl\n${outcomes(`
  lambda: os.open('.', os.O_TMPFILE | os.O_RDWR),
  lambda: fcntl.ioctl(os.open('other', os.O_RDWR), 0x40049409, os.open('file', os.O_RDONLY)),
  lambda: os.setxattr('file', 'trusted.x', b'1'),
  lambda: os.setxattr('file', 'security.x', b'1'),
  lambda: os.getxattr('file', 'user.none'),
  lambda: os.link('file', 'hard'),
  lambda: allocate(8),
  lambda: allocate(32),
  lambda: allocate(3),
  lambda: allocate(16),
  lambda: os.posix_fallocate(os.open('other', os.O_RDWR), 0, 5000),
  lambda: os.truncate('file', 2**60)`).replace(
      'def outcome',
      `def allocate(mode):
    handle = os.open('file', os.O_RDWR)
    if libc.fallocate(handle, mode, ctypes.c_long(4096), ctypes.c_long(4096)) != 0:
        raise OSError(ctypes.get_errno(), 'fallocate')
def outcome`,
    )}`,
  );
  t.is(
    answer.trim(),
    // Python's name of EOPNOTSUPP.
    'ENOTSUP ENOTSUP ENOTSUP ENOTSUP ENODATA EPERM ENOTSUP ENOTSUP ok ok ok EFBIG',
  );
  t.is(await f.sh(`stat -c %s other; cmp -n 4096 -i 4096:0 file /dev/zero && echo zeros`), '5000\nzeros\n');
});

const quotaTitle =
  serverUnderTest.closeAboveQuota === 'EDQUOT'
    ? 'a full quota gives EDQUOT, and what did not fit is stored once there is room'
    : 'a server that has no quotas stores every file';

cephTest(quotaTitle, async (t) => {
  const bucket = await makeBucket(t);
  const keyFile = await makeKeyFile(t);
  await setQuota(bucket, 'set', '--max-objects=2');
  await setQuota(bucket, 'enable');
  const mount = await mountBucket(t, { bucket, keyFile });
  await bash('echo 1 >"$1/one"; echo 2 >"$1/two"', [mount.directory]);
  const third = await run(
    python,
    ['-c', outcomes(`lambda: os.close(os.open('three', os.O_CREAT | os.O_WRONLY))`)],
    {
      cwd: mount.directory,
    },
  );
  t.is(third.stdout.trim(), serverUnderTest.closeAboveQuota);
  t.is(await runOk('cat', [path.join(mount.directory, 'one')]), '1\n');
  await setQuota(bucket, 'disable');
  await mount.unmount(120_000);
  const again = await mountBucket(t, { bucket, keyFile });
  t.is(await bash('ls "$1"', [again.directory]), 'one\nthree\ntwo\n');
});

/** By radosgw-admin, with the configuration that Ceph's certificate lies beside; not on a server that has no quotas. */
async function setQuota(bucket: string, ...args: readonly string[]): Promise<void> {
  if (serverUnderTest.closeAboveQuota === 'ok') return;
  const configuration = path.resolve(process.env['AWS_CA_BUNDLE'] ?? '', '../../ceph.conf');
  const which = ['--quota-scope=bucket', '--bucket', bucket];
  await runOk('radosgw-admin', ['-c', configuration, '-n', 'client.rgw', 'quota', ...args, ...which]);
}
