/** Real mounts by any driver: how they begin, and every way in which they end. */
import { readFile, readdir } from 'node:fs/promises';
import test, { type ExecutionContext } from 'ava';
import {
  isMounted,
  makeMountpoint,
  mount,
  nobody,
  output,
  run,
  shell,
  startServer,
  startTalking,
  until,
  titleFor,
  type MountOptions,
  type Mounted,
  type User,
} from './mounted-memory.js';
import type { DriverName } from './memory-server.js';

const isRoot = process.getuid?.() === 0;

const users: { name: string; user: User | undefined }[] = isRoot
  ? [
      { name: 'root', user: undefined },
      { name: 'an ordinary user', user: nobody },
    ]
  : [{ name: 'an ordinary user', user: undefined }];

async function watchdogsOf(directory: string): Promise<number[]> {
  const pids: number[] = [];
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (commandLine.includes('osirisfs-watchdog') && commandLine.includes(directory)) pids.push(Number(pid));
  }
  return pids;
}

/** Registers the tests. */
export function testLifecycle(driver: DriverName): void {
  const mountBy = (t: ExecutionContext, options: MountOptions = {}): Promise<Mounted> =>
    mount(t, { ...options, mount: { ...options.mount, driver } });

  for (const { name, user } of users) {
    test.serial(titleFor(driver, `${name} copies files in and reads the same bytes`), async (t) => {
      const { directory } = await mountBy(t, user === undefined ? {} : { user });
      await output(
        t,
        `head -c 5000001 /dev/urandom > "$1/big"; printf small > "$1/small"; : > "$1/empty"
       mkdir "$1/copy"; cp "$1/big" "$1/small" "$1/empty" "$1/copy"
       for name in big small empty; do cmp "$1/$name" "$1/copy/$name"; done
       [ "$(cat "$1/copy/small")" = small ]; [ "$(stat -c %s "$1/copy/big")" = 5000001 ]`,
        directory,
        user,
      );
    });

    test.serial(
      titleFor(driver, `a killed process of ${name} leaves a plain, usable directory`),
      async (t) => {
        const { server, directory } = await mountBy(t, user === undefined ? {} : { user });
        await output(t, 'echo hello > "$1/file"', directory, user);
        server.child.kill('SIGKILL');
        await until('the watchdog unmounts', async () => !(await isMounted(directory)));
        t.is(await output(t, 'touch "$1/plain"; ls "$1"; rm "$1/plain"', directory, user), 'plain');
      },
    );

    test.serial(titleFor(driver, `${name} unmounts, and everything is stopped once`), async (t) => {
      const { server, directory } = await mountBy(t, user === undefined ? {} : { user });
      await output(t, 'echo hello > "$1/file"', directory, user);
      await server.ask('unmount', false);
      await server.ask('ended');
      t.false(await isMounted(directory));
      const { stopCount, openHandleCount, logged } = await server.ask('statistics');
      t.deepEqual({ stopCount, openHandleCount, logged }, { stopCount: 1, openHandleCount: 0, logged: [] });
    });
  }

  test.serial(
    titleFor(driver, 'unmounting what is in use is Busy, and lazy unmounting ends with the last user'),
    async (t) => {
      const { server, directory } = await mountBy(t);
      await output(t, 'echo hello > "$1/file"', directory);
      const { child: user, nextLine } = startTalking(t, 'sh', [
        '-c',
        'exec 3<"$1/file"; echo ready; read -r line; cat <&3',
        'sh',
        directory,
      ]);
      t.is(await nextLine(), 'ready');
      await t.throwsAsync(server.ask('unmount', false), { code: 'Busy', message: /is in use/ });
      await server.ask('unmount', true);
      t.false(await isMounted(directory));
      t.is((await server.ask('statistics')).stopCount, 0);
      user.stdin!.write('go on\n');
      t.is(await nextLine(), 'hello', 'an open file still works');
      await server.ask('ended');
      t.is((await server.ask('statistics')).stopCount, 1);
    },
  );

  test.serial(
    titleFor(driver, 'unmounting from outside ends the session, and a second unmount says so'),
    async (t) => {
      const { server, directory } = await mountBy(t);
      t.is((await run('fusermount3', ['-u', directory])).code, 0);
      await server.ask('ended');
      t.is((await server.ask('statistics')).stopCount, 1);
      await t.throwsAsync(server.ask('unmount', false), { code: 'NotMounted' });
    },
  );

  test.serial(titleFor(driver, 'the end is told only when stopping is done'), async (t) => {
    const { server } = await mountBy(t);
    await server.ask('holdStop');
    await server.ask('unmount', false);
    let isTold = false;
    const ended = server.ask('ended').then(() => (isTold = true));
    await until('stopping begins', async () => (await server.ask('statistics')).stopsBegun === 1);
    // Answers come in order: one to `ended` would be here before that of another question.
    t.is((await server.ask('statistics')).stopCount, 0);
    t.false(isTold);
    await server.ask('releaseStop');
    await ended;
    t.is((await server.ask('statistics')).stopCount, 1);
  });

  test.serial(titleFor(driver, 'a read-only mount refuses to write'), async (t) => {
    const { directory } = await mountBy(t, { mount: { readOnly: true } });
    t.regex((await shell('echo x > "$1/file"', directory)).stderr, /Read-only file system/);
  });

  test.serial(
    titleFor(driver, 'the source is shown as given, and further options are passed on'),
    async (t) => {
      const { directory } = await mountBy(t, {
        mount: { source: 'osirisfs:bucket/a,b c\\d', extraOptions: ['noexec', 'auto_unmount'] },
      });
      const line = (await readFile('/proc/self/mountinfo', 'utf8'))
        .split('\n')
        .find((candidate) => candidate.includes(` ${directory} `));
      t.regex(line ?? '', / fuse\.osirisfs osirisfs:bucket\/a,b\\040c\\134d /);
      t.regex(line ?? '', /noexec/);
    },
  );

  test.serial(titleFor(driver, 'a refusal to mount says what was refused'), async (t) => {
    const directory = await makeMountpoint(t);
    const server = startServer(t);
    await t.throwsAsync(server.ask('mount', { driver, mountpoint: directory, extraOptions: ['nonsense'] }), {
      code: 'MountRefused',
      message: /nonsense/,
    });
    await t.throwsAsync(server.ask('mount', { driver, mountpoint: `${directory}/missing` }), {
      code: 'MountRefused',
      message: /missing.*no such file or directory/,
    });
  });

  test.serial(
    titleFor(driver, 'the watchdog leaves a later mount on the same directory alone, and goes away'),
    async (t) => {
      const { server: first, directory } = await mountBy(t);
      await first.ask('holdStop');
      t.is((await run('fusermount3', ['-u', directory])).code, 0);
      const second = startServer(t);
      await second.ask('mount', { driver, mountpoint: directory });
      first.child.kill('SIGKILL');
      await first.exited;
      await until('one watchdog is left', async () => (await watchdogsOf(directory)).length === 1);
      t.true(await isMounted(directory));
      await second.ask('unmount', false);
      await until('no watchdog is left', async () => (await watchdogsOf(directory)).length === 0);
    },
  );

  test.serial(
    titleFor(driver, 'a later mount, to which the kernel gives the same numbers, is not taken away either'),
    async (t) => {
      const { server: first, directory } = await mountBy(t);
      await first.ask('holdStop');
      await first.ask('unmount', false);
      const second = startServer(t);
      await second.ask('mount', { driver, mountpoint: directory, source: 'later' });
      await t.throwsAsync(first.ask('unmount', false), { code: 'NotMounted', message: /later/ });
      t.true(await isMounted(directory));
      await second.ask('unmount', false);
      await first.ask('releaseStop');
    },
  );

  test.serial(titleFor(driver, 'a mount on top of ours is not taken away in its place'), async (t) => {
    const { server: lower, directory } = await mountBy(t);
    const upper = startServer(t);
    await upper.ask('mount', { driver, mountpoint: directory, source: 'upper' });
    await t.throwsAsync(lower.ask('unmount', false), { code: 'NotMounted', message: /upper/ });
    await upper.ask('unmount', false);
    await lower.ask('unmount', false);
  });

  test.serial(
    titleFor(driver, 'a dead mount that was left behind is replaced by the next one'),
    async (t) => {
      const { server: first, directory } = await mountBy(t);
      for (const pid of await watchdogsOf(directory)) process.kill(pid, 'SIGKILL');
      await until('the watchdog is gone', async () => (await watchdogsOf(directory)).length === 0);
      first.child.kill('SIGKILL');
      await first.exited;
      t.regex((await run('ls', [directory])).stderr, /Transport endpoint is not connected/);
      const second = startServer(t);
      await second.ask('mount', { driver, mountpoint: directory });
      await output(t, 'echo hello > "$1/file"', directory);
      await second.ask('unmount', false);
      t.false(await isMounted(directory));
    },
  );
}
