// Programs that people run, on a real mount: each must find what it would find on a local disk, and the bucket must hold it.
import { execPath } from 'node:process';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { bash, runOk, start, waitUntil } from '../mount/child.js';
import { makeBucket, python, withBoto3 } from '../mount/bucket.js';
import { makeRandomFile, makeTree } from '../mount/local-tree.js';
import { mountBucket } from '../mount/mounting.js';
import { foldersOnOneMount, type Folder } from '../mount/shared-folder.js';
import { FileScope, makeDirectory, makeKeyFile } from '../mount/temporary.js';
import { patienceMs } from '../patience.js';
import { cephTest, isFullSize, mebibyte } from './ceph-test.js';

const scope = new FileScope();
test.after.always(() => scope.end());
const folder = foldersOnOneMount(scope);
const long = { timeoutMs: isFullSize ? 3_000_000 : 240_000 };

/** Rejects unless the bucket has the files of a local tree, and no other, below the folder's prefix. */
async function assertStored(t: ExecutionContext, f: Folder, tree: string): Promise<void> {
  const sums = await bash('cd "$1" && find . -type f -printf "%P\\0" | xargs -0 md5sum -z', [tree]);
  const lines = sums.split('\0').filter(Boolean);
  const links = (await bash('cd "$1" && find . -type l -printf "%P\\0"', [tree])).split('\0').filter(Boolean);
  const stored = Object.entries(await f.md5s()).filter(([name]) => !links.includes(name));
  const expected = Object.fromEntries(lines.map((line) => [line.slice(34), line.slice(0, 32)]));
  t.deepEqual(Object.fromEntries(stored), expected);
}

cephTest('git clones, commits, packs, checks, and is cloned from', async (t) => {
  const f = await folder();
  const local = await makeDirectory(t);
  const log = await f.sh(
    `export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.org
     export GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@example.org
     git init -q --initial-branch=main "$1/origin"
     for n in $(seq "$2"); do mkdir -p "$1/origin/$((n % 9))"; seq "$n" "$((n + 500))" >"$1/origin/$((n % 9))/$n"; done
     git -C "$1/origin" add -A
     git -C "$1/origin" commit -q -m first
     git -C "$1/origin" gc -q
     git clone -q "file://$1/origin" clone
     cd clone
     [ -z "$(git status --short)" ]
     git switch -q -c branch
     echo more >>1/1; git rm -q 2/2; git mv 3/3 3/moved; echo new >new
     git add -A
     git commit -q -m second
     git fsck --full --strict 2>&1
     git gc -q
     git fsck --full --strict 2>&1
     [ -z "$(git status --short)" ]
     [ "$(git count-objects -v | awk '$1 == "count:" { print $2 }')" = 0 ]
     git push -q origin branch
     git clone -q "file://$PWD" "$1/back"
     diff -r --exclude=.git . "$1/back"
     git log --format=%s`,
    [local, isFullSize ? '3000' : '200'],
    long,
  );
  t.is(log, 'second\nfirst\n');
  await runOk('git', ['-C', path.join(local, 'origin'), 'fsck', '--full', '--strict']);
  const stored = await f.md5s();
  const inClone = new Map(Object.entries(stored).map(([name, md5]) => [name.replace(/^clone\//, ''), md5]));
  const sums = await bash('cd "$1/back" && git ls-files -z | xargs -0 md5sum', [local]);
  for (const line of sums.trim().split('\n')) t.is(inClone.get(line.slice(34)), line.slice(0, 32), line);
});

for (const mode of ['delete', 'wal']) {
  cephTest(`sqlite3 keeps a database whole, with journal_mode=${mode} and two writers at once`, async (t) => {
    const f = await folder();
    const local = await makeDirectory(t);
    const rows = isFullSize ? 100_000 : 3000;
    const counted = await f.sh(
      `[ "$(sqlite3 data.db 'PRAGMA journal_mode=${mode}')" = ${mode} ]
       sqlite3 -bail data.db "CREATE TABLE rows (id INTEGER PRIMARY KEY, writer TEXT, text TEXT); CREATE INDEX by_text ON rows (text);
         INSERT INTO rows WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows}) SELECT i, 'first', hex(randomblob(50)) FROM n;
         BEGIN; UPDATE rows SET text = text || 'x' WHERE id % 3 = 0; DELETE FROM rows WHERE id % 5 = 0; COMMIT;
         BEGIN; DELETE FROM rows; ROLLBACK;
         VACUUM;"
       for writer in a b; do
         for n in 1 2 3 4 5 6 7 8; do
           echo ".timeout 60000"
           echo "BEGIN IMMEDIATE; INSERT INTO rows (writer, text) VALUES ('$writer', $n), ('$writer', $n); COMMIT;"
         done | sqlite3 -bail data.db &
       done
       wait -n; wait -n
       sqlite3 data.db "PRAGMA integrity_check; SELECT writer, count(*) FROM rows GROUP BY writer ORDER BY writer"`,
      [],
      long,
    );
    t.is(counted, `ok\na|16\nb|16\nfirst|${rows * 0.8}\n`);
    t.deepEqual(await f.keys(), ['data.db'], 'no journal is left');
    const copy = path.join(local, 'data.db');
    await withBoto3(
      `open(given['copy'], 'wb').write(s3.get_object(Bucket=bucket, Key=given['prefix'] + 'data.db', **key)['Body'].read())`,
      { bucket: f.bucket, keyFile: f.keyFile, prefix: f.prefix, copy },
    );
    const checked = await runOk('sqlite3', [copy, 'PRAGMA integrity_check; SELECT count(*) FROM rows']);
    t.is(checked, `ok\n${rows * 0.8 + 32}\n`);
  });
}

cephTest(
  'rsync -a transfers nothing the second time, by times and by checksums, after mounting anew',
  async (t) => {
    const bucket = await makeBucket(t);
    const keyFile = await makeKeyFile(t);
    const tree = await makeTree(t, isFullSize ? 1000 : 120);
    const first = await mountBucket(t, { bucket, keyFile, logLevel: 'info' });
    await runOk('rsync', ['-a', `${tree}/`, first.directory], long);
    t.is(await runOk('rsync', ['-a', '--itemize-changes', `${tree}/`, first.directory], long), '');
    await first.unmount();

    const second = await mountBucket(t, { bucket, keyFile, logLevel: 'info' });
    const statistics = await runOk('rsync', ['-a', '--stats', `${tree}/`, second.directory], long);
    t.regex(statistics, /^Number of regular files transferred: 0$/m);
    t.is(await runOk('rsync', ['-ac', '--itemize-changes', `${tree}/`, second.directory], long), '');
    await bash('printf changed >>"$1/run 1/two words-1.dat"; rm -r "$1/run 3"', [tree]);
    const changes = await runOk('rsync', ['-a', '--delete', '-i', `${tree}/`, second.directory], long);
    t.regex(changes, /^>f.st\S+ run 1\/two words-1\.dat$/m);
    t.is((changes.match(/^>f/gm) ?? []).length, 1);
    t.regex(changes, /^\*deleting +run 3\/$/m);
    await second.unmount();
  },
);

cephTest('tar d finds no difference to what tar x put there', async (t) => {
  const f = await folder();
  const tree = await makeTree(t, isFullSize ? 1000 : 120);
  await f.sh('tar -cf "$1.tar" -C "$1" .; tar -xpf "$1.tar"; tar -df "$1.tar"', [tree], long);
  await assertStored(t, f, tree);
  // What tar d says of a difference, so that its silence above means something.
  await t.throwsAsync(f.sh('printf x >>"run 1/two words-1.dat"; tar -df "$1.tar"', [tree]), {
    message: /Size differs/,
  });
});

cephTest('fio finds the checksums of what it wrote at random places', async (t) => {
  const f = await folder();
  const size = isFullSize ? '256m' : '12m';
  for (const [engine, blocks] of [
    ['psync', '--bsrange=512-128k'],
    ['mmap', '--bsrange=4k-128k'],
  ] as const) {
    const report = await f.sh(
      `fio --name=$1 --ioengine=$1 --rw=randwrite $3 --size=$2 --numjobs=2 --fsync=64 \\
         --verify=crc32c --verify_fatal=1 --verify_state_save=0 --fallocate=none --group_reporting --output-format=json`,
      [engine, size, blocks],
      long,
    );
    const { jobs } = JSON.parse(report.slice(report.indexOf('{'))) as {
      jobs: { error: number; read: { io_bytes: number }; write: { io_bytes: number } }[];
    };
    t.is(jobs[0]?.error, 0);
    t.true((jobs[0]?.write.io_bytes ?? 0) >= 20 * mebibyte, report);
    t.is(jobs[0]?.read.io_bytes, jobs[0]?.write.io_bytes, 'everything was read again');
  }
  const shown = await f.sh('md5sum *');
  const stored = Object.entries(await f.md5s()).map(([name, md5]) => `${md5}  ${name}\n`);
  t.is(shown, stored.sort((a, b) => (a.slice(34) < b.slice(34) ? -1 : 1)).join(''));
  t.is(stored.length, 4);
});

cephTest('dbench runs two clients and cleans up after them', async (t) => {
  const f = await folder();
  const report = await f.sh('dbench -D . -t "$1" 2 2>&1', [isFullSize ? '60' : '4'], long);
  t.regex(report, /^Throughput [1-9]\S* MB\/sec +2 clients/m);
  t.notRegex(report, /\[\d+\]|expected status|ERROR/);
  t.deepEqual(
    (await f.keys()).filter((key) => !key.endsWith('/')),
    [],
  );
});

cephTest('vi saves by renaming, and keeps the old version as its backup', async (t) => {
  const f = await folder();
  await f.sh(
    `printf 'the old line\\n' >text; chmod 640 text
     vi -es -u NONE -i NONE -c 'set backup backupcopy=no backupskip=' -c '%s/old/new/' -c wq text`,
  );
  t.deepEqual(await f.keys(), ['text', 'text~']);
  t.is(await f.object('text'), 'the new line\n');
  t.is(await f.object('text~'), 'the old line\n');
  t.is(await f.sh('stat -c %a text'), '640\n');
});

cephTest('whoever reads a file while it is replaced by rename sees an old or a new one, whole', async (t) => {
  const f = await folder();
  const seen = await f.py(`
import os, sys
size = 300_000
def save(number):
    with open('text.new', 'wb') as file:
        file.write(bytes([number]) * size)
        os.fsync(file.fileno())
    os.replace('text.new', 'text')
save(0)
reader, writer = os.pipe()
pid = os.fork()
if pid == 0:
    try:
        for number in range(1, 25): save(number)
    finally:
        os.write(writer, b'.')
        os._exit(0)
os.set_blocking(reader, False)
versions, last, done = set(), 0, False
while not done:
    try: done = os.read(reader, 1) != b''
    except BlockingIOError: pass
    with open('text', 'rb', buffering=0) as file:
        start = file.read(1000)
        rest = b''
        while piece := file.read(100_000): rest += piece
    if len(start + rest) != size or len(set(start + rest)) != 1: sys.exit('a mixture: %d bytes of %r' % (len(start + rest), set(start + rest)))
    if start[0] < last: sys.exit('an older one after a newer one')
    last = start[0]
    versions.add(last)
os.waitpid(pid, 0)
print(last, len(versions) > 3)
`);
  t.is(seen, '24 True\n');
  t.deepEqual(await f.keys(), ['text']);
  t.is(await f.object('text'), '\x18'.repeat(300_000));
});

cephTest('cp --sparse, dd conv=notrunc, truncate and sed -i change files as on a disk', async (t) => {
  const f = await folder();
  const local = path.join(await makeDirectory(t), 'tree');
  const script = `
    mkdir -p "$1"; cd "$1"
    truncate -s 3M holes; printf middle | dd of=holes bs=1 seek=1500000 conv=notrunc status=none; truncate -s 9M holes
    cp --sparse=always holes sparse; cp --sparse=never sparse full; cmp holes sparse; cmp holes full
    cp "$2" big; printf 'patch in the middle' | dd of=big bs=1 seek=7000001 conv=notrunc status=none
    dd if="$2" of=big bs=64k skip=3 seek=90 count=20 conv=notrunc status=none
    truncate -s -12345 big
    cat big >copy; dd if="$2" bs=1000 skip=1 count=1000 status=none >>copy
    seq 20000 >lines; sed -i 's/7/seven/g' lines; sed -i.orig '1,10d' lines; sort -o lines lines; split -n 3 lines part-
    tee one two <lines >/dev/null; gzip -k lines; zcat lines.gz | cmp - lines; shuf -n 100 --random-source=big lines >some`;
  const source = path.join(await makeDirectory(t), 'source');
  await makeRandomFile(source, 10 * mebibyte + 77);
  await bash(`${script}; rm lines.gz`, [local, source]);
  await f.sh(`${script}; rm lines.gz`, [f.directory, source]);
  await bash('diff -r "$1" "$2"', [local, f.directory]);
  await assertStored(t, f, local);
});

cephTest('install, cp -a with extended attributes, mv of trees and find -delete', async (t) => {
  const f = await folder();
  await f.sh(
    `install -D -m 640 /etc/passwd deep/er/copy; cmp /etc/passwd deep/er/copy; [ "$(stat -c %a deep/er/copy)" = 640 ]
     install -d -m 750 made; [ "$(stat -c %a made)" = 750 ]
     setfattr -n user.note -v "two words" deep/er/copy; setfattr -n user.on.directory -v yes deep/er
     touch -d '2001-02-03 04:05:06.789' deep/er/copy; ln -s er/copy deep/link; mkdir deep/empty
     cp -a deep twin
     [ "$(getfattr --only-values -n user.note twin/er/copy)" = "two words" ]
     [ "$(getfattr --only-values -n user.on.directory twin/er)" = yes ]
     [ "$(readlink twin/link)" = er/copy ]; [ "$(stat -c %.Y%a twin/er/copy)" = "$(stat -c %.Y%a deep/er/copy)" ]
     mkdir -p target/deep; ! mv -T twin target 2>/dev/null; rmdir target/deep
     mv -T twin target; mv deep target/
     [ "$(getfattr --only-values -n user.note target/deep/er/copy)" = "two words" ]
     [ "$(cd target; find . -printf '%P %y\\n' | sort | tr '\\n' ,)" = " d,deep d,deep/empty d,deep/er d,deep/er/copy f,deep/link l,empty d,er d,er/copy f,link l," ]
     find made target -name copy -newermt 2001-01-01 -type f -delete
     find target -depth -type d -empty -delete`,
  );
  t.deepEqual(await f.keys(), ['made/', 'target/', 'target/deep/', 'target/deep/link', 'target/link']);
  await f.sh('find . -mindepth 1 -delete');
  t.deepEqual(await f.keys(), []);
});

cephTest('programs run from the mount: one in machine code and one with an interpreter there', async (t) => {
  const f = await folder();
  await f.sh('cp "$1" node; printf "#!%s\\nconsole.log(6 * 7)\\n" "$PWD/node" >script; chmod 700 script', [
    execPath,
  ]);
  t.is(await f.sh('./script', [], long), '42\n');
  await t.throwsAsync(f.sh('chmod 600 script; ./script'), { message: /Permission denied/ });
});

cephTest('flock lets one process in at a time', async (t) => {
  const f = await folder();
  await f.sh('echo 0 >count; : >lock');
  const holder = await start(
    'flock',
    ['--no-fork', 'lock', 'sh', '-c', 'echo held; exec tail -f /dev/null'],
    { cwd: f.directory },
  );
  t.teardown(async () => {
    holder.kill('SIGKILL');
    await holder.waitForEnd(patienceMs);
  });
  await waitUntil('the lock is held', patienceMs, () => holder.output().includes('held'));
  await t.throwsAsync(f.sh('flock --nonblock lock true'), { message: /exit code 1/ });
  await f.sh('flock --nonblock count true');
  holder.kill('SIGKILL');
  await f.sh(
    `for process in 1 2 3; do
       (for n in 1 2 3 4 5; do flock lock sh -c 'n=$(cat count); echo $((n + 1)) >count'; done) &
     done
     wait`,
  );
  t.is(await f.object('count'), '15\n');
});

cephTest(
  'names in any script come back as they were given, composed or decomposed, with any punctuation',
  async (t) => {
    const bucket = await makeBucket(t);
    const keyFile = await makeKeyFile(t);
    const names = [
      ...['Caf\u00e9', 'Cafe\u0301', '\u1e9b\u0323', '\u1e69', '\uac00', '\u1100\u1161', '\u212b', '\u00c5'],
      ...[
        '日本語のファイル',
        'файл',
        'αρχείο',
        'קובץ',
        'ملف',
        'ไฟล์',
        'फ़ाइल',
        '𐍈𝔘',
        '👩🏽‍🔬🧬',
        '🏳️‍🌈.txt',
        '\ufeffbom',
        '\u202ertl',
      ],
      ...[
        ' ',
        '  leading',
        'trailing ',
        'two  spaces',
        'new\nline',
        'carriage\rreturn',
        'tab\there',
        '\u00a0',
      ],
      ...[
        "it's",
        '"quoted"',
        '`ticks`',
        '$HOME',
        '$(date)',
        'back\\slash',
        'a;b',
        'a|b',
        'a&b',
        '<a>',
        '{a}',
        '[a]',
        '(a)',
      ],
      ...[
        '-',
        '--help',
        '-rf',
        '~',
        '~user',
        '#',
        '%',
        '%2F',
        '%00',
        'a%20b',
        'a+b',
        'a b',
        'a=b',
        'a?b',
        '*',
        '!',
        '@',
        '^',
        ',',
        ':',
      ],
      ...[
        '.hidden',
        '..double',
        '...',
        '. ',
        'dot.',
        'a..b',
        '.git',
        'CON',
        'a'.repeat(255),
        '日'.repeat(85),
        '😀'.repeat(63),
      ],
      ...['\u0001control', '\u007f', '\u0085next line', '\ufffe', '\uffff'],
    ];
    const write = `
import json, os, sys
directory, names = json.load(sys.stdin)
os.chdir(directory)
for name in names:
    os.mkdir(name)
    with open(os.path.join(name, name), 'xb') as file: file.write(name.encode())
`;
    const read = `
import json, os, sys
directory, names = json.load(sys.stdin)
os.chdir(directory)
wrong = [name for name in names if os.listdir(name) != [name] or open(os.path.join(name, name), 'rb').read() != name.encode()]
json.dump([os.listdir('.'), wrong], sys.stdout)
`;
    const first = await mountBucket(t, { bucket, keyFile, logLevel: 'info' });
    const input = (directory: string): string => JSON.stringify([directory, names]);
    await runOk(python, ['-c', write], { input: input(first.directory), ...long });
    await first.unmount();
    const second = await mountBucket(t, { bucket, keyFile, logLevel: 'info' });
    const answer = await runOk(python, ['-c', read], { input: input(second.directory), ...long });
    const [listed, wrong] = JSON.parse(answer) as [string[], string[]];
    t.deepEqual([...listed].sort(), [...names].sort());
    t.deepEqual(wrong, []);
    const stored = await withBoto3(
      `answer = {name: s3.get_object(Bucket=bucket, Key=f'{name}/{name}', **key)['Body'].read().decode() for name in given['names']}`,
      { bucket, keyFile, names },
    );
    t.deepEqual(stored, Object.fromEntries(names.map((name) => [name, name])));
    // Here, and not with the bucket: boto3 cannot delete names that XML cannot hold.
    await runOk('find', [second.directory, '-mindepth', '1', '-delete'], long);
    await second.unmount();
  },
);
