// At SIGUSR1 Node opens a port through which every user of the machine can run code in the process. Ours must not.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { startGatewayProcess } from '../gateway/running-gateway.js';
import { createBucket } from '../mount/bucket.js';
import { bash, run, start, waitUntil } from '../mount/child.js';
import { isMounted, makeMountpoint } from '../mount/mounting.js';
import { makeDirectory, makeKeyFile } from '../mount/temporary.js';
import { projectRoot } from '../mount/user.js';

const main = path.join(projectRoot, 'dist/src/main.cjs');
/** On any port that is free: an inspector that cannot have its own says so in other words. */
const anyPort = '--inspect-port=127.0.0.1:0';
const opened = /Debugger listening|Starting inspector/;

function unmountAtEnd(t: ExecutionContext, directory: string): void {
  t.teardown(async () => {
    if (await isMounted(directory)) await run('fusermount3', ['-u', '-z', directory], { timeoutMs: 10_000 });
  });
}

test.serial(
  'a mount in the background and a gateway go on at SIGUSR1, and the mount has the flags of Node that its command had',
  async (t) => {
    const scratch = await makeDirectory(t);
    const { child: gateway, env: gatewayEnv } = await startGatewayProcess(t, path.join(scratch, 'gateway'));
    const bucket = await createBucket(gatewayEnv);
    const directory = await makeMountpoint(t);
    unmountAtEnd(t, directory);
    const logFile = path.join(scratch, 'log');
    const env = { ...gatewayEnv, XDG_RUNTIME_DIR: scratch, XDG_CONFIG_HOME: scratch };
    const options = ['--key-file', (await makeKeyFile(t)).path, '--log-file', logFile];
    const mounted = await run(
      process.execPath,
      [anyPort, '--disable-proto=delete', main, 'mount', bucket, directory, ...options],
      { env },
    );
    t.is(mounted.code, 0, mounted.stderr);
    const [, pid] = /"pid":(\d+)/.exec(await readFile(logFile, 'utf8'))!;
    const commandLine = (await readFile(`/proc/${pid!}/cmdline`, 'utf8')).split('\0');
    t.deepEqual(commandLine.slice(1, 4), [anyPort, '--disable-proto=delete', main]);

    process.kill(Number(pid), 'SIGUSR1');
    gateway.kill('SIGUSR1');
    await bash('echo written > "$1/file"; cat "$1/file"', [directory]); // by both of them
    t.is((await run(process.execPath, [main, 'umount', directory], { env })).code, 0);
    t.notRegex(await readFile(logFile, 'utf8'), opened);
    t.notRegex(gateway.output(), opened);
    t.false(gateway.hasEnded());
  },
);

test.serial('a demo and its gateway go on at SIGUSR1', async (t) => {
  const home = await makeDirectory(t);
  const directory = await makeMountpoint(t);
  unmountAtEnd(t, directory);
  const env = { HOME: home, XDG_DATA_HOME: undefined, XDG_CONFIG_HOME: undefined, AWS_PROFILE: undefined };
  const demo = await start(process.execPath, [anyPort, main, 'demo', directory], { env, cwd: '/' });
  t.teardown(async () => {
    if (!demo.hasEnded()) demo.kill('SIGKILL');
    await demo.waitForEnd(10_000);
  });
  await waitUntil('the demo says what to try', 60_000, () => {
    if (demo.hasEnded()) throw new Error(`the demo ended: ${demo.output()}`);
    return demo.output().includes('Ctrl-C here ends the demo');
  });
  const data = path.join(home, '.local/share/osirisfs/demo');
  const { stdout } = await run('pgrep', ['-f', `gateway-process.js ${data}/gateway`]);
  process.kill(Number(stdout), 'SIGUSR1');
  demo.kill('SIGUSR1');
  await bash('echo written > "$1/file"; cat "$1/file"', [directory]);
  demo.kill('SIGINT');
  const ended = await demo.waitForEnd(60_000);
  t.is(ended.code, 0, ended.stderr);
  t.notRegex(ended.stderr, opened);
  t.notRegex(await bash('find "$1" -name "*.log" -exec cat {} +', [home]), opened);
});
