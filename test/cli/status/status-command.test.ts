// `osirisfs status` and `--metrics` of a real mount of a bucket on the gateway.
import { spawn } from 'node:child_process';
import path from 'node:path';
import test from 'ava';
import type { MountStatus } from '../../../src/mount-statistics.js';
import { startGatewayProcess } from '../../gateway/running-gateway.js';
import { createBucket } from '../../mount/bucket.js';
import { bash } from '../../mount/child.js';
import { mountBucket, osirisfs } from '../../mount/mounting.js';
import { makeDirectory, makeKeyFile } from '../../mount/temporary.js';
import { memoryMount } from '../memory-mount.js';

test.serial('a mount is shown in a line, in full, as JSON and as metrics, without secrets', async (t) => {
  const scratch = await makeDirectory(t);
  const { env } = await startGatewayProcess(t, path.join(scratch, 'gateway'));
  const bucket = await createBucket(env);
  const keyFile = await makeKeyFile(t);
  const environment = { ...env, XDG_RUNTIME_DIR: scratch };
  const options = ['--metrics', '0'];
  const mount = await mountBucket(t, { bucket, keyFile, env: environment, options });
  await bash('echo content > "$1/file"; sync "$1/file"; cat "$1/file"', [mount.directory]);

  const status = (...args: readonly string[]) => osirisfs(['status', ...args], { env: environment });
  const line = await status();
  // Root sees the mounts of other tests too.
  t.regex(
    line.stdout,
    new RegExp(`^${mount.directory}  ${bucket}  pid ${mount.pid}, for .* nothing pending`, 'm'),
  );
  const full = await status(mount.directory);
  t.regex(full.stdout, /put +\d +0 +0 +[\d.]+ ms +[\d.]+ ms/);
  t.regex(full.stdout, /nothing: everything is in the bucket/);
  const json = await status(mount.directory, '--json');
  const { statistics, pid } = JSON.parse(json.stdout) as MountStatus;
  t.is(pid, mount.pid);
  t.is(statistics?.bytesSent, 'content\n'.length);
  const all = JSON.parse((await status('--json')).stdout) as MountStatus[];
  t.true(all.some(({ mountpoint }) => mountpoint === mount.directory));

  const port = /"port":(\d+).*serving metrics/.exec(await mount.log())?.[1];
  const metrics = await (await fetch(`http://127.0.0.1:${port ?? ''}/metrics`)).text();
  t.regex(metrics, /^osirisfs_sent_bytes_total\{.*\} 8$/m);
  for (const text of [line.stdout, full.stdout, json.stdout, metrics]) {
    t.false(text.includes(keyFile.keystring));
    t.false(text.includes(env['AWS_SECRET_ACCESS_KEY']!));
  }

  // script(1) gives it a terminal.
  const watching = spawn(
    'script',
    [
      '-qefc',
      `exec '${process.execPath}' dist/src/main.cjs status --watch '${mount.directory}'`,
      '/dev/null',
    ],
    {
      env: { ...process.env, ...environment },
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  );
  t.teardown(() => void watching.kill('SIGKILL'));
  const ended = new Promise<number | null>((resolve) => watching.once('exit', resolve));
  let [output, screens] = ['', 0];
  for await (const chunk of watching.stdout) {
    const before = screens;
    output += String(chunk);
    screens = output.split('\u001b[H').length - 1;
    if (before < 2 && screens >= 2) watching.stdin.write('\u0003'); // Ctrl-C
  }
  t.is(await ended, 0);
  t.true(screens >= 2);
  await mount.unmount();
  t.is((await status(mount.directory)).code, 1);
});

test.serial('a directory without a mount, and --watch without a terminal, are one line', async (t) => {
  const directory = await makeDirectory(t);
  const env = { XDG_RUNTIME_DIR: directory };
  const none = await osirisfs(['status', directory], { env });
  t.is(none.code, 1);
  t.regex(none.stderr, /^osirisfs: \S+ is not mounted by an osirisfs of yours; .*\n$/);
  const watching = await osirisfs(['status', '--watch'], { env });
  t.is(watching.code, 2);
  t.regex(watching.stderr, /^osirisfs: --watch is for a terminal .*\n$/);
  t.is((await osirisfs(['status', '--nonsense'], { env })).code, 2);
});

test.serial('an address for metrics that makes no sense or is taken ends the mount', async (t) => {
  const memory = await memoryMount(t);
  const key = ['--key-file', memory.keyFile.path];
  const senseless = await memory.mountWith([...key, '--metrics', 'here']);
  t.is(senseless.code, 2);
  t.regex(
    senseless.stderr,
    /^osirisfs: --metrics: "here" is not HOST:PORT or PORT, like 127\.0\.0\.1:9464\n$/,
  );
  const foreign = await memory.mountWith([...key, '--metrics', '192.0.2.1:1', '--log-file', memory.logFile]);
  t.is(foreign.code, 1);
  t.regex(foreign.stderr, /^osirisfs: --metrics: listen EADDRNOTAVAIL.*\n$/);
  t.false(await memory.isMounted());
});
