/** Real mounts by any driver, used with ordinary programs. */
import test, { type ExecutionContext } from 'ava';
import type { DriverName } from './memory-server.js';
import {
  exitOf,
  mount,
  output,
  python,
  run,
  shell,
  start,
  titleFor,
  until,
  type Mounted,
} from './mounted-memory.js';

/** Registers the tests. */
export function testPrograms(driver: DriverName): void {
  const mountBy = (t: ExecutionContext): Promise<Mounted> => mount(t, { mount: { driver } });

  test.serial(titleFor(driver, 'names of each length up to 255 bytes are listed whole'), async (t) => {
    const { directory } = await mountBy(t);
    const names = await python(
      t,
      `import os, sys
for length in range(1, 256): open(os.path.join(sys.argv[1], 'x' * length), 'w').close()
print(sorted(map(len, os.listdir(sys.argv[1]))) == list(range(1, 256)))`,
      directory,
    );
    t.is(names, 'True');
  });

  test.serial(
    titleFor(driver, 'names are moved, not overwritten when asked not to, and removed'),
    async (t) => {
      const { directory } = await mountBy(t);
      await output(
        t,
        `cd "$1"; mkdir -p a/b; echo one > a/b/one; echo two > two
     mv a/b/one a/three; [ "$(cat a/three)" = one ]; [ ! -e a/b/one ]
     mv -n two a/three; [ "$(cat a/three)" = one ]; [ "$(cat two)" = two ]
     mv two a/three; [ "$(cat a/three)" = two ]
     if rmdir a 2>/dev/null; then exit 1; fi
     rm -r a; [ -z "$(ls -A)" ]`,
        directory,
      );
      t.pass();
    },
  );

  test.serial(
    titleFor(driver, 'symbolic links lead where they say, also with names that are not ASCII'),
    async (t) => {
      const { directory } = await mountBy(t);
      await output(
        t,
        'cd "$1"; echo text > "süß 字"; ln -s "süß 字" link; [ "$(readlink link)" = "süß 字" ]; [ "$(cat link)" = text ]',
        directory,
      );
      t.pass();
    },
  );

  test.serial(titleFor(driver, 'hard links are refused with the file system’s error'), async (t) => {
    const { directory } = await mountBy(t);
    const { stderr } = await shell('cd "$1"; : > file; ln file link', directory);
    t.regex(stderr, /Operation not permitted/);
  });

  test.serial(titleFor(driver, 'pipes, sockets and device nodes are what was made'), async (t) => {
    const { directory } = await mountBy(t);
    await output(t, 'cd "$1"; mkfifo -m 640 pipe; mknod null c 1 3; mknod disk b 259 1000', directory);
    await python(
      t,
      'import os, socket, sys; os.chdir(sys.argv[1]); socket.socket(socket.AF_UNIX).bind("socket")',
      directory,
    );
    t.is(
      await output(t, 'cd "$1"; stat -c "%n %F %t %T" disk null pipe socket; stat -c %a pipe', directory),
      'disk block special file 103 3e8\nnull character special file 1 3\npipe fifo 0 0\nsocket socket 0 0\n640',
    );
    t.is(await output(t, 'cd "$1"; echo through >pipe & cat "$1/pipe"', directory), 'through');
  });

  test.serial(titleFor(driver, 'names that are not UTF-8 are not made, and not found'), async (t) => {
    const { directory } = await mountBy(t);
    const errors = await python(
      t,
      `import errno, os, sys
for attempt in (lambda path: os.mkdir(path), lambda path: os.stat(path)):
    try: attempt(os.path.join(os.fsencode(sys.argv[1]), b'\\xff\\xfe'))
    except OSError as error: print(errno.errorcode[error.errno])`,
      directory,
    );
    t.is(errors, 'EILSEQ\nENOENT');
  });

  test.serial(
    titleFor(driver, 'extended attributes are set, listed, read in their size, and removed'),
    async (t) => {
      const { directory } = await mountBy(t);
      await output(
        t,
        `cd "$1"; : > file; setfattr -n user.color -v blue file; setfattr -n user.shape -v round file
     [ "$(getfattr --only-values -n user.color file)" = blue ]
     [ "$(getfattr file | grep -c ^user)" = 2 ]
     setfattr -x user.color file; [ "$(getfattr file | grep ^user)" = user.shape ]
     if getfattr -n user.color file 2>/dev/null; then exit 1; fi`,
        directory,
      );
      const large = await python(
        t,
        `import os, sys
path = os.path.join(sys.argv[1], 'file')
os.setxattr(path, 'user.large', bytes(range(256)) * 100)
print(os.getxattr(path, 'user.large') == bytes(range(256)) * 100)
try: os.setxattr(path, 'user.large', b'', os.XATTR_CREATE)
except FileExistsError: print('exists')`,
        directory,
      );
      t.is(large, 'True\nexists');
    },
  );

  test.serial(titleFor(driver, 'files are mapped into memory, and changes there are written'), async (t) => {
    const { directory } = await mountBy(t);
    const mapped = await python(
      t,
      `import mmap, os, sys
path = os.path.join(sys.argv[1], 'file')
with open(path, 'wb') as file: file.write(b'a' * 10000)
with open(path, 'r+b') as file:
    with mmap.mmap(file.fileno(), 0) as view:
        print(view[9999:10000])
        view[5000:5003] = b'xyz'
        view.flush()
print(open(path, 'rb').read()[4999:5004])`,
      directory,
    );
    t.is(mapped, `b'a'\nb'axyza'`);
  });

  test.serial(titleFor(driver, 'many programs at once read what they wrote'), async (t) => {
    const { directory } = await mountBy(t);
    await output(
      t,
      `cd "$1"; seq 64 | xargs -P 16 -I{} sh -c 'seq {} 2000 > f{}; seq {} 2000 | cmp - f{}'
     [ "$(ls | wc -l)" = 64 ]`,
      directory,
    );
    t.pass();
  });

  test.serial(titleFor(driver, 'however many programs wait in write(2), others are answered'), async (t) => {
    const { directory, server } = await mountBy(t);
    const count = 80;
    const writers = Array.from({ length: count }, (_, index) =>
      start(t, 'dd', ['if=/dev/zero', `of=${directory}/hang-write-${index}`, 'bs=1M', 'count=1']),
    );
    await until('all programs wait', async () => (await server.ask('statistics')).hangingCount >= count);
    t.is(
      await output(t, 'stat -f -c %s "$1"; echo text >"$1/other"; cat "$1/other"', directory),
      '4096\ntext',
    );
    if (driver === 'fuse-native') return; // libfuse does not tell of interrupts
    const [first] = writers;
    first?.kill('SIGKILL');
    t.deepEqual(first && (await exitOf(first)), [null, 'SIGKILL']);
  });

  test.serial(titleFor(driver, 'an operation that throws is EIO and logged once, not a hang'), async (t) => {
    const { server, directory } = await mountBy(t);
    await output(t, 'truncate -s 100 "$1/throw"', directory);
    for (let attempt = 0; attempt < 3; attempt++) {
      const { code, stderr } = await run('cat', [`${directory}/throw`]);
      t.is(code, 1);
      t.regex(stderr, /Input\/output error/);
    }
    t.is((await server.ask('statistics')).logged.length, 1);
  });

  test.serial(titleFor(driver, 'space is shown by df'), async (t) => {
    const { directory } = await mountBy(t);
    t.is(await output(t, 'df -B4096 --output=size,avail "$1" | tail -1', directory), '1073741824 536870912');
  });
}
