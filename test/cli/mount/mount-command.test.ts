import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { hasEnded } from '../../../src/cli/serving/mount-registry.js';
import { bash, run, start, waitUntil } from '../../mount/child.js';
import { osirisfs } from '../../mount/mounting.js';
import { patienceMs } from '../../patience.js';
import { deadMount } from '../bare-mount.js';
import { mainFile, memoryMount } from '../memory-mount.js';

// Mounts share the machine's cores; one after the other they keep their time limits.
const mountTest = test.serial;

mountTest(
  'in the background the command returns when the mount works, and the directory can be used',
  async (t) => {
    const mount = await memoryMount(t);
    const { code, stdout, stderr } = await mount.mount();
    t.is(stderr, '');
    t.is(
      stdout,
      `bucket is mounted on ${mount.directory}; to unmount: osirisfs umount ${mount.directory}; log: ${mount.logFile}\n`,
    );
    t.is(code, 0);
    t.is(await bash('echo hello > "$1/a"; cat "$1/a"', [mount.directory]), 'hello\n');
    t.is((await mount.umount()).code, 0);
  },
);

mountTest(
  'the serving process belongs to no terminal and no directory, and has neither key nor core dumps',
  async (t) => {
    const mount = await memoryMount(t);
    await mount.mount();
    const pid = await mount.servingPid();
    const [, , , , session] = /^(\d+) \((.*)\) (\S) (?:\d+) (?:\d+) (\d+)/s.exec(
      await readFile(`/proc/${pid}/stat`, 'utf8'),
    )!;
    t.is(Number(session), pid);
    // These are closed to the user's own programs; root sees them.
    const isRoot = process.getuid?.() === 0;
    t.is((await run('readlink', [`/proc/${pid}/cwd`])).stdout, isRoot ? '/\n' : '');
    t.regex(await readFile(`/proc/${pid}/limits`, 'utf8'), /^Max core file size +1 +1 /m);
    const { keystring } = mount.keyFile;
    if (!isRoot) await t.throwsAsync(readFile(`/proc/${pid}/environ`), { code: 'EACCES' });
    for (const file of isRoot ? ['cmdline', 'environ'] : ['cmdline']) {
      const content = await readFile(`/proc/${pid}/${file}`, 'utf8');
      t.false(content.includes(keystring), file);
      t.false(content.includes(Buffer.from(keystring).toString('base64')), file);
    }
    t.is((await mount.umount()).code, 0);
  },
);

for (const [how, makeEnvironment] of [
  ['is missing', (scratch: string) => ({ HOME: path.join(scratch, 'missing'), XDG_STATE_HOME: '' })],
  ['is no directory', (scratch: string) => ({ HOME: path.join(scratch, 'log'), XDG_STATE_HOME: '' })],
  ['of the state cannot be', (scratch: string) => ({ XDG_STATE_HOME: path.join(scratch, 'log') })],
] as const) {
  mountTest(
    `a home that ${how} keeps nobody from mounting: the log goes elsewhere, which is said`,
    async (t) => {
      const mount = await memoryMount(t);
      const scratch = path.dirname(mount.logFile);
      await writeFile(mount.logFile, '');
      const { code, stdout, stderr } = await mount.mountWith(
        ['--key-file', mount.keyFile.path],
        makeEnvironment(scratch),
      );
      t.is(stderr, '');
      t.is(code, 0);
      const [, logFile = '', problem] = /; log: (\S+\.log); but (.*)\n$/.exec(stdout) ?? [];
      t.is(path.dirname(logFile), path.join(scratch, 'osirisfs'));
      t.regex(
        problem ?? '',
        /^\S+ cannot be written \((ENOENT|ENOTDIR)\), and \S+ is used in its place; set HOME/,
      );
      t.is((await stat(logFile)).mode & 0o777, 0o600);
      t.true((await readFile(logFile, 'utf8')).includes(problem ?? '-'));
      t.is((await mount.umount()).code, 0);
      t.deepEqual(await readdir(scratch).then((names) => names.includes('missing')), false);
    },
  );
}

mountTest('the key may come from a pipe of the shell', async (t) => {
  const mount = await memoryMount(t);
  const piped = await run(
    'bash',
    [
      '-c',
      '"$1" "$2" mount bucket "$3" --log-file "$4" --key-file <(cat "$5")',
      'bash',
      process.execPath,
      mainFile,
      mount.directory,
      mount.logFile,
      mount.keyFile.path,
    ],
    { env: mount.environment },
  );
  t.is(piped.stderr, '');
  t.is(piped.code, 0);
  t.is((await mount.umount()).code, 0);
});

mountTest(
  'what is wrong is said in one line by the command, which fails, and nothing is mounted',
  async (t) => {
    const mount = await memoryMount(t);
    const { code, stdout, stderr } = await mount.mount({ refuse: 'there is no bucket "bucket"' });
    t.is(stdout, '');
    t.is(stderr, 'osirisfs: there is no bucket "bucket"\n');
    t.is(code, 1);
    t.false(await mount.isMounted());
    const pid = await mount.servingPid();
    await waitUntil('end of the serving process', patienceMs, () => hasEnded(pid));
    t.true((await mount.log()).includes('there is no bucket'));
  },
);

mountTest('a serving process that is killed before the mount works is reported', async (t) => {
  const mount = await memoryMount(t);
  const { code, stderr } = await mount.mount({ die: true });
  t.is(
    stderr,
    `osirisfs: the serving process ended by SIGKILL before the mount worked; see ${mount.logFile}\n`,
  );
  t.is(code, 1);
});

mountTest('Ctrl-C while the command waits ends the serving process too', async (t) => {
  const mount = await memoryMount(t);
  const command = await mount.start(false, { hang: true });
  await waitUntil('connecting', patienceMs, async () => (await mount.log()).includes('hanging'));
  const pid = await mount.servingPid();
  t.not(pid, command.pid);
  command.kill('SIGINT');
  const { code, stderr } = await command.waitForEnd(patienceMs);
  t.is(stderr, 'osirisfs: interrupted; nothing is mounted\n');
  t.is(code, 130);
  t.true(await hasEnded(pid));
});

mountTest('a command that is killed while it waits takes the serving process with it', async (t) => {
  const mount = await memoryMount(t);
  const command = await mount.start(false, { hang: true });
  await waitUntil('connecting', patienceMs, async () => (await mount.log()).includes('hanging'));
  const pid = await mount.servingPid();
  command.kill('SIGKILL');
  await waitUntil('end of the serving process', patienceMs, () => hasEnded(pid));
  t.false(await mount.isMounted());
});

mountTest('Ctrl-C in the foreground before the mount works ends at once', async (t) => {
  const mount = await memoryMount(t);
  const child = await mount.start(true, { hang: true });
  await waitUntil('connecting', patienceMs, async () => (await mount.log()).includes('hanging'));
  child.kill('SIGINT');
  t.is((await child.waitForEnd(patienceMs)).code, 130);
});

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  mountTest(`in the foreground ${signal} unmounts, with exit code 0`, async (t) => {
    const mount = await memoryMount(t);
    const child = await mount.start(true);
    await waitUntil('mounted', patienceMs, () => child.output().includes('is mounted on'));
    child.kill(signal);
    t.is((await child.waitForEnd(patienceMs)).code, 0);
    t.false(await mount.isMounted());
  });
}

mountTest('in the background SIGHUP means nothing and SIGTERM unmounts', async (t) => {
  const mount = await memoryMount(t);
  await mount.mount();
  const pid = await mount.servingPid();
  process.kill(pid, 'SIGHUP');
  t.is(await bash('echo hello > "$1/a"; cat "$1/a"', [mount.directory]), 'hello\n');
  process.kill(pid, 'SIGTERM');
  await waitUntil('end of the serving process', patienceMs, () => hasEnded(pid));
  t.false(await mount.isMounted());
});

mountTest('fusermount3 -u by somebody else ends the process with 0', async (t) => {
  const mount = await memoryMount(t);
  const child = await mount.start(true);
  await waitUntil('mounted', patienceMs, () => child.output().includes('is mounted on'));
  t.is((await run('fusermount3', ['-u', mount.directory])).code, 0);
  t.is((await child.waitForEnd(patienceMs)).code, 0);
});

mountTest('Ctrl-C while a program uses the directory names it and waits; the second one goes', async (t) => {
  const mount = await memoryMount(t);
  const child = await mount.start(true);
  await waitUntil('mounted', patienceMs, () => child.output().includes('is mounted on'));
  const user = await start('bash', [
    '-c',
    'cd "$1" && echo there && exec sleep 600',
    'bash',
    mount.directory,
  ]);
  t.teardown(() => user.kill('SIGKILL'));
  await waitUntil('the user is there', patienceMs, () => user.output() === 'there\n');
  child.kill('SIGINT');
  await waitUntil('the user is named', patienceMs, () =>
    /is in use by sleep \(pid \d+: working directory\); a second Ctrl-C/.test(child.output()),
  );
  t.true(await mount.isMounted());
  child.kill('SIGINT');
  t.is((await child.waitForEnd(patienceMs)).code, 0);
  t.false(await mount.isMounted());
});

mountTest(
  'files that cannot be stored keep the process until the second signal, which names them',
  async (t) => {
    const mount = await memoryMount(t);
    const child = await mount.start(true, { pending: { paths: ['lost/a', 'lost/b'] } });
    await waitUntil('mounted', patienceMs, () => child.output().includes('is mounted on'));
    child.kill('SIGTERM');
    await waitUntil('it waits', patienceMs, () =>
      child.output().includes('waiting until 2 files are in the bucket'),
    );
    t.false(child.hasEnded());
    child.kill('SIGTERM');
    const { code, stderr } = await child.waitForEnd(patienceMs);
    t.is(code, 1);
    t.true(stderr.includes('given up, not in the bucket as they were written: lost/a, lost/b'));
  },
);

mountTest('an error that nobody caught is logged, and leaves a usable directory', async (t) => {
  const mount = await memoryMount(t);
  const child = await mount.start(true, { crashAfterMs: 1 });
  const { code, stderr } = await child.waitForEnd(patienceMs);
  t.is(code, 1);
  t.true(stderr.includes('osirisfs: unexpected error: Error: a bug'), stderr);
  await waitUntil('a plain directory', patienceMs, async () => !(await mount.isMounted()));
  t.true((await mount.log()).includes('crashed'));
});

mountTest('a rejection that nobody looked at is logged, and the mount goes on', async (t) => {
  const mount = await memoryMount(t);
  t.is((await mount.mount({ rejectAfterMs: 1 })).code, 0);
  await waitUntil('it is logged', patienceMs, async () => (await mount.log()).includes('nobody looks'));
  t.is(await bash('echo hello > "$1/a"; cat "$1/a"', [mount.directory]), 'hello\n');
  t.is((await mount.umount()).code, 0);
});

mountTest('a mount that a dead process left is replaced', async (t) => {
  const mount = await memoryMount(t);
  await deadMount(t, mount.directory);
  t.is((await mount.mount()).code, 0);
  t.is(await bash('echo hello > "$1/a"; cat "$1/a"', [mount.directory]), 'hello\n');
  t.is((await mount.umount()).code, 0);
});

mountTest(
  'a mount whose process and watchdog were killed is replaced, whatever the kernel has cached of it',
  async (t) => {
    const mount = await memoryMount(t);
    const child = await mount.start(true);
    await waitUntil('mounted', patienceMs, () => child.output().includes('is mounted on'));
    await bash('touch "$1/a"; ls -la "$1"', [mount.directory]);
    const watchdogs = (await run('pgrep', ['-P', String(child.pid), '-f', 'osirisfs-watchdog'])).stdout;
    t.regex(watchdogs, /^\d+\n$/);
    process.kill(Number(watchdogs), 'SIGKILL');
    child.kill('SIGKILL');
    await child.waitForEnd(patienceMs);
    t.true(await mount.isMounted());

    t.is((await mount.mount()).code, 0);
    t.is(await bash('echo hello > "$1/a"; cat "$1/a"', [mount.directory]), 'hello\n');
    t.is((await mount.umount()).code, 0);
  },
);

mountTest('a second mount on the same directory is refused and does not disturb the first', async (t) => {
  const mount = await memoryMount(t);
  t.is((await mount.mount()).code, 0);
  const { code, stderr } = await mount.mount();
  t.is(code, 1);
  t.regex(
    stderr,
    /^osirisfs: .* is already mounted \(osirisfs:bucket, fuse\.osirisfs\); unmount it first: osirisfs umount .*\n$/,
  );
  t.is(await bash('echo hello > "$1/a"; cat "$1/a"', [mount.directory]), 'hello\n');
  t.is((await mount.umount()).code, 0);
});

mountTest('the default log is in the state directory, for its owner alone', async (t) => {
  const mount = await memoryMount(t);
  const { code, stdout } = await mount.mountWith(['--key-file', mount.keyFile.path]);
  t.is(code, 0);
  const file = /; log: (.*)\n$/.exec(stdout)![1]!;
  t.true(file.endsWith(`/osirisfs/${mount.directory.slice(1).replaceAll('/', '-')}.log`), file);
  t.is((await stat(file)).mode & 0o777, 0o600);
  t.is((await mount.umount()).code, 0);
});

mountTest('options of the kernel reach the mount', async (t) => {
  const mount = await memoryMount(t, '-o', 'ro,noexec,nosuid');
  t.is((await mount.mount()).code, 0);
  const line = (await readFile('/proc/self/mountinfo', 'utf8'))
    .split('\n')
    .find((text) => text.includes(mount.directory));
  t.regex(line!, / ro,nosuid,/);
  t.regex(line!, /noexec/);
  t.is((await osirisfs(['umount', mount.directory], { env: mount.environment })).code, 0);
});
