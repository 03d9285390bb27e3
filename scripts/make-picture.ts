/** Runs the demo, types commands into a second terminal, and writes what both showed as a picture. Usage: make-picture.js FILE */
import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { run, start, waitUntil, type RunningChild } from '../test/mount/child.js';
import { isMounted } from '../test/mount/mounting.js';
import { FileScope, makeDirectory } from '../test/mount/temporary.js';
import { projectRoot } from '../test/mount/user.js';
import { drawTerminals, type TerminalLine } from './terminal-picture.js';

const server = '~/.local/share/osirisfs/demo';

/** Typed one after the other; each must succeed. */
const typed = [
  'cp -r /usr/share/common-licenses ~/bucket/',
  'ls -goh ~/bucket/common-licenses | head -5',
  'echo "measured on Monday" > ~/bucket/notes.txt; echo "and on Tuesday" >> ~/bucket/notes.txt',
  'grep -rl -e Tuesday -e Mozilla ~/bucket',
  'osirisfs status ~/bucket | head -6',
  `eval "$(osirisfs gateway ${server}/gateway --print-env)"   # and what the server has:`,
  `osirisfs ls -l demo --key-file ${server}/customer.key`,
  `grep -rl -e Tuesday -e Mozilla ${server}/gateway || echo "nothing: it is encrypted"`,
];

const [file] = process.argv.slice(2);
if (file === undefined) throw new Error('usage: make-picture.js FILE');
const scope = new FileScope();
try {
  await writeFile(file, await takePicture());
} finally {
  await scope.end();
}

async function takePicture(): Promise<string> {
  const home = await makeDirectory(scope);
  const env = await makeEnvironment(home);
  const shown = (text: string): string[] => text.replaceAll(home, '~').trimEnd().split('\n');
  const demo = await startDemo(home, env);
  // What it says first; the rest are things to try.
  const [greeting = ''] = demo.output().trimStart().split('\n\n');
  const first: TerminalLine[] = [
    { kind: 'command', text: 'osirisfs demo ~/bucket' },
    ...shown(greeting).map((text) => ({ kind: 'output', text }) as const),
    {
      kind: 'note',
      text: '[things to try, and how to reach the bucket with other programs; Ctrl-C ends it]',
    },
  ];
  const second: TerminalLine[] = [];
  let before = '';
  for (const line of typed) {
    const output = await type(before, line, home, env);
    // What a line does to the shell counts for those after it.
    if (line.startsWith('eval ')) before = `${line}\n`;
    second.push({ kind: 'command', text: line });
    if (output.trim() !== '')
      second.push(...shown(output).map((text) => ({ kind: 'output', text }) as const));
  }
  demo.kill('SIGINT');
  const { code } = await demo.waitForEnd(60_000);
  if (code !== 0) throw new Error(`the demo ended with ${code ?? 'a signal'}: ${demo.output()}`);
  const windows = [
    { title: 'one terminal', lines: first },
    { title: 'another terminal', lines: second },
  ];
  return drawTerminals(windows, 'osirisfs demo in one terminal, and work on the mounted bucket in another');
}

/** Nothing of whoever runs this: a home of its own, and `osirisfs` in PATH. */
async function makeEnvironment(home: string): Promise<Record<string, string | undefined>> {
  const programs = path.join(home, 'bin');
  const runtime = path.join(home, 'run');
  await mkdir(programs);
  await mkdir(runtime, { mode: 0o700 });
  const main = path.join(projectRoot, 'dist/src/main.cjs');
  await chmod(main, 0o755);
  await symlink(main, path.join(programs, 'osirisfs'));
  const inherited = Object.keys(process.env).filter((name) => /^(AWS|XDG|OSIRISFS)_/.test(name));
  return {
    ...Object.fromEntries(inherited.map((name) => [name, undefined])),
    HOME: home,
    PATH: `${programs}:${process.env['PATH'] ?? ''}`,
    XDG_RUNTIME_DIR: runtime,
    LC_ALL: 'C.UTF-8',
  };
}

async function startDemo(home: string, env: Record<string, string | undefined>): Promise<RunningChild> {
  const directory = path.join(home, 'bucket');
  const demo = await start('osirisfs', ['demo', directory], { env, cwd: home });
  scope.teardown(async () => {
    if (!demo.hasEnded()) demo.kill('SIGTERM');
    await demo.waitForEnd(60_000);
    // The home is deleted next, which must not reach into the bucket.
    if (await isMounted(directory)) await run('fusermount3', ['-u', '-z', directory], { timeoutMs: 10_000 });
    if (await isMounted(directory)) throw new Error(`${directory} is still mounted`);
  });
  await waitUntil('the demo says what to try', 60_000, () => {
    if (demo.hasEnded()) throw new Error(`the demo ended: ${demo.output()}`);
    return demo.output().includes('Ctrl-C here ends the demo');
  });
  return demo;
}

/** Rejects if the line fails. Returns what it printed. */
async function type(
  before: string,
  line: string,
  home: string,
  env: Record<string, string | undefined>,
): Promise<string> {
  const { code, stdout, stderr } = await run('bash', ['-c', before + line], { env, cwd: home });
  if (code !== 0) throw new Error(`${line} ended with ${code ?? 'a signal'}: ${stdout}${stderr}`);
  return stdout + stderr;
}
