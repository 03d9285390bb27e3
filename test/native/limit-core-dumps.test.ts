import path from 'node:path';
import test from 'ava';
import { run, start, waitUntil } from '../mount/child.js';
import { ordinaryUser } from '../mount/user.js';

test('a process keeps its memory and environment from others of its own user, and goes on reading its own', async (t) => {
  const user = await ordinaryUser(t);
  const module = path.join(user.programRoot, 'dist/src/native/limit-core-dumps.js');
  const script = `
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
const { limitCoreDumps } = await import(${JSON.stringify(module)});
limitCoreDumps();
console.log(readdirSync('/proc/self/fd').length > 2, readlinkSync('/proc/self/fd/1') !== '', readFileSync(process.argv[1], 'utf8'));
setInterval(() => undefined, 1_000);`;
  // The key as users pipe it: the process has to open a file of its own that belongs to root then.
  const command = 'exec "$1" --input-type=module -e "$2" <(printf "a key")';
  const child = await start('bash', ['-c', command, 'bash', process.execPath, script], { user, cwd: '/' });
  t.teardown(async () => {
    child.kill('SIGKILL');
    await child.waitForEnd(10_000);
  });
  await waitUntil('the process is protected', 30_000, () => {
    if (child.hasEnded()) throw new Error(child.output());
    return child.output().includes('\n');
  });
  t.is(child.output(), 'true true a key\n');
  const reads = async (file: string) =>
    (await run('head', ['-c1', `/proc/${child.pid}/${file}`], { user, cwd: '/' })).code === 0;
  t.true(await reads('stat'));
  t.true(await reads('status'));
  t.false(await reads('environ'));
  t.false((await run('ls', [`/proc/${child.pid}/fd`], { user, cwd: '/' })).code === 0);
  const memory = `open('/proc/${child.pid}/mem', 'rb')`;
  t.regex((await run('/usr/bin/python3', ['-c', memory], { user, cwd: '/' })).stderr, /PermissionError/);
  t.regex(
    (await run('cat', [`/proc/${child.pid}/limits`], { user })).stdout,
    /^Max core file size +[01] +[01] /m,
  );
});
