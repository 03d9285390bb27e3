// `osirisfs demo` as it is typed: everything comes up, what it prints works, and nothing is left behind however it ends.
import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { bash, run, start, waitUntil, type RunningChild } from '../../mount/child.js';
import { isMounted } from '../../mount/mounting.js';
import { makeDirectory } from '../../mount/temporary.js';
import { projectRoot } from '../../mount/user.js';
import { patienceMs } from '../../patience.js';

const main = path.join(projectRoot, 'dist/src/main.cjs');

interface Place {
  readonly directory: string;
  readonly data: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** A home of its own. The directory is only ever deleted by rmdir, which a mounted one refuses. */
async function makePlace(t: ExecutionContext): Promise<Place> {
  const home = await makeDirectory(t);
  const directory = `${home}-demo`;
  t.teardown(() => rmdir(directory).catch(() => undefined));
  // Settings of the user's own mounts, which must not matter.
  await mkdir(path.join(home, '.config/osirisfs'), { recursive: true });
  await writeFile(path.join(home, '.config/osirisfs/config.toml'), 'profile = "nobody"\nread-only = true\n');
  const env = { HOME: home, XDG_DATA_HOME: undefined, XDG_CONFIG_HOME: undefined, AWS_PROFILE: 'nobody' };
  return { directory, data: path.join(home, '.local/share/osirisfs/demo'), env };
}

async function startDemo(t: ExecutionContext, { directory, env }: Place): Promise<RunningChild> {
  const child = await start(process.execPath, [main, 'demo', directory], { env, cwd: '/' });
  t.teardown(async () => {
    if (await isMounted(directory))
      await run('fusermount3', ['-u', '-z', directory], { timeoutMs: patienceMs });
    if (!child.hasEnded()) child.kill('SIGKILL');
    await child.waitForEnd(patienceMs);
  });
  await waitUntil('the demo says what to try', patienceMs, () => {
    if (child.hasEnded()) throw new Error(`the demo ended: ${child.output()}`);
    return child.output().includes('Ctrl-C here ends the demo');
  });
  return child;
}

/** Of the gateway that has its data there. */
async function gatewayPids({ data }: Place): Promise<number[]> {
  const { stdout } = await run('pgrep', ['-f', `gateway-process.js ${data}/gateway`]);
  return stdout.split('\n').filter(Boolean).map(Number);
}

async function requireNothingLeft(t: ExecutionContext, place: Place): Promise<void> {
  await waitUntil('the gateway ends', patienceMs, async () => (await gatewayPids(place)).length === 0);
  await waitUntil('the directory is unmounted', patienceMs, async () => !(await isMounted(place.directory)));
  t.pass();
}

/** The line of the demo's text that has these words, without its comment. */
function printedLine(child: RunningChild, words: string): string {
  const line = child
    .output()
    .split('\n')
    .find((candidate) => candidate.includes(words));
  if (line === undefined) throw new Error(`no line with ${words} in ${child.output()}`);
  return line.replace(/ {2,}#.*$/, '').trim();
}

test.serial(
  'what the demo prints works, Ctrl-C stores everything, and the next demo has it again',
  async (t) => {
    const place = await makePlace(t);
    const first = await startDemo(t, place);
    t.is((await gatewayPids(place)).length, 1);
    const options = { env: place.env };
    for (const words of ['cp -r', 'ls -lR', 'grep -rl', 'echo hello'])
      await bash(printedLine(first, words), [], options);
    for (const words of ['rclone cat', 'python3 -c']) {
      const lines = `${printedLine(first, '--print-env')}\n${printedLine(first, words).replace('python3', '/usr/bin/python3')}`;
      t.is((await bash(lines, [], options)).trim(), 'hello', words);
    }
    first.kill('SIGINT');
    const { code, stderr } = await first.waitForEnd(patienceMs);
    t.is(code, 0);
    t.is(stderr, '');
    await requireNothingLeft(t, place);

    const second = await startDemo(t, place);
    t.is(await bash('cat "$1/notes.txt"', [place.directory]), 'hello\n');
    t.regex(await bash('cat "$1"/common-licenses/GPL-3', [place.directory]), /GNU GENERAL PUBLIC LICENSE/);
    second.kill('SIGTERM');
    t.is((await second.waitForEnd(patienceMs)).code, 0);
    await requireNothingLeft(t, place);
  },
);

test.serial(
  'a demo that is killed leaves neither gateway nor mount, and the next one starts at once',
  async (t) => {
    const place = await makePlace(t);
    const first = await startDemo(t, place);
    await bash('echo kept > "$1/file"', [place.directory]);
    first.kill('SIGKILL');
    await first.waitForEnd(patienceMs);
    const second = await startDemo(t, place);
    t.is(await bash('cat "$1/file"', [place.directory]), 'kept\n');
    second.kill('SIGINT');
    t.is((await second.waitForEnd(patienceMs)).code, 0);
    await requireNothingLeft(t, place);
  },
);

test.serial('if its gateway ends, the demo says so, unmounts and ends with 1', async (t) => {
  const place = await makePlace(t);
  const child = await startDemo(t, place);
  for (const pid of await gatewayPids(place)) process.kill(pid, 'SIGKILL');
  const { code, stderr } = await child.waitForEnd(patienceMs);
  t.is(code, 1);
  t.regex(stderr, /^osirisfs: the gateway ended by itself \(SIGKILL; see .*gateway\.log\); unmounting\n/);
  await requireNothingLeft(t, place);
});

test.serial('a second demo is refused, by its data or by its directory', async (t) => {
  const place = await makePlace(t);
  await startDemo(t, place);
  const sameData = await run(process.execPath, [main, 'demo', `${place.directory}-2`], { env: place.env });
  t.is(sameData.code, 1);
  t.is(
    sameData.stderr,
    `osirisfs: a demo is running already, and has its data in ${place.data}; end it, or set XDG_DATA_HOME to run another\n`,
  );
  const other = { ...(await makePlace(t)), directory: place.directory };
  const sameDirectory = await run(process.execPath, [main, 'demo', place.directory], { env: other.env });
  t.is(sameDirectory.code, 1);
  t.regex(
    sameDirectory.stderr,
    /^osirisfs: \S+-demo is already mounted \(osirisfs:demo, fuse\.osirisfs\); unmount it first: .*\n$/,
  );
  t.deepEqual(await gatewayPids(other), []);
});

test.serial('bad input is one line and an exit code', async (t) => {
  const { directory, env } = await makePlace(t);
  const full = await makeDirectory(t);
  const file = path.join(full, 'file');
  await writeFile(file, '');
  for (const [args, changed, code, line] of [
    [[full], {}, 1, /is not empty \(1 entry\); give an empty directory$/],
    [[file], {}, 1, /is not a directory; give an empty directory$/],
    [[`${file}/demo`], {}, 1, /\/file\/demo has a file where a directory is needed$/],
    [
      [directory],
      { HOME: file },
      1,
      /^the demo's data cannot be kept in \S+\/demo \(E.*\); set XDG_DATA_HOME to a directory that you may write$/,
    ],
    [[directory], { PATH: '/proc/nowhere' }, 1, /^fusermount3 is not in PATH; install the package fuse3/],
    [[directory, '--port', '1'], {}, 2, /^unknown option --port; see osirisfs demo --help$/],
    [[directory, 'more'], {}, 2, /more/],
  ] as const) {
    const ended = await run(process.execPath, [main, 'demo', ...args], { env: { ...env, ...changed } });
    t.is(ended.code, code, ended.stderr);
    t.regex(ended.stderr.trim().replace(/^osirisfs: /, ''), line);
    t.is(ended.stderr.trim().split('\n').length, 1);
    t.false(await isMounted(directory));
  }
  t.is(await readFile(file, 'utf8'), '');
});
