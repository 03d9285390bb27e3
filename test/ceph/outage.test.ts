// The gateway stops, or hangs, in the middle of things: programs get their data or an error in bounded time, and can
// always be interrupted.
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { bash, run, runOk, start, waitUntil, type RunningChild } from '../mount/child.js';
import { createBucket, python, withBoto3 } from '../mount/bucket.js';
import { startGateway, type Gateway } from '../mount/gateway.js';
import { makeRandomFile } from '../mount/local-tree.js';
import { mountBucket, type Mount } from '../mount/mounting.js';
import { makeDirectory, makeKeyFile, type KeyFile, type Scope } from '../mount/temporary.js';
import { cephTest, mebibyte } from './ceph-test.js';

/** An outage as long as this is over for a program, one way or the other. */
const boundMs = 180_000;
/** Less than the minute for which requests are tried again: who ends within it was interrupted. */
const interruptedMs = 30_000;

interface Setting {
  readonly gateway: Gateway;
  readonly bucket: string;
  readonly keyFile: KeyFile;
  readonly mount: Mount;
}

async function mountOnOwnGateway(scope: Scope, options: readonly string[] = []): Promise<Setting> {
  const gateway = await startGateway(scope);
  const bucket = await createBucket(gateway.env);
  const keyFile = await makeKeyFile(scope);
  const mount = await mountBucket(scope, { bucket, keyFile, env: gateway.env, options });
  return { gateway, bucket, keyFile, mount };
}

/** Resolves when the program has read that much, so that it is in the middle of copying. */
async function waitUntilHasRead(child: RunningChild, bytes: number): Promise<void> {
  await waitUntil(`${bytes} bytes read by ${child.pid}`, 60_000, async () => {
    const io = await readFile(`/proc/${child.pid}/io`, 'utf8');
    return Number(/^rchar: (\d+)/m.exec(io)?.[1]) > bytes;
  });
}

/** Resolves when the program sleeps in the kernel and has done so for a while. */
async function waitUntilBlocked(child: RunningChild, name: string): Promise<void> {
  let quietPolls = 0;
  let before = '';
  await waitUntil(`${name} waits in the kernel`, 30_000, async () => {
    if (child.hasEnded()) throw new Error(`${name} did not wait: ${child.output()}`);
    const stat = await readFile(`/proc/${child.pid}/stat`, 'utf8').catch(() => '');
    const [, program, state] = /^\d+ \((.*)\) (\S)/.exec(stat) ?? [];
    const isQuiet = program === name && state !== 'R' && stat === before;
    before = stat;
    quietPolls = isQuiet ? quietPolls + 1 : 0;
    return quietPolls >= 10;
  });
}

async function listsInTime(mount: Mount): Promise<void> {
  await waitUntil('the mount works again', 60_000, async () => {
    return (await run('ls', ['-l', mount.directory], { timeoutMs: 60_000 })).code === 0;
  });
}

cephTest('a copy goes on after the gateway has stopped and come back, and no byte is lost', async (t) => {
  const { gateway, bucket, keyFile, mount } = await mountOnOwnGateway(t);
  const local = path.join(await makeDirectory(t), 'local.bin');
  await makeRandomFile(local, 192 * mebibyte);
  const copy = await start('cp', [local, path.join(mount.directory, 'copy.bin')]);
  await waitUntilHasRead(copy, 48 * mebibyte);
  await gateway.stop();
  await gateway.start();
  const { code, stderr, durationMs } = await copy.waitForEnd(boundMs);
  t.log(`cp ended with ${code ?? 'a signal'} after ${Math.round(durationMs)} ms ${stderr}`);
  t.is(code, 0, 'the outage was short enough to be sat out');
  await mount.unmount();
  const md5 = (await bash('md5sum <"$1" | cut -c1-32', [local])).trim();
  t.is(
    await withBoto3(
      `answer = hashlib.md5(s3.get_object(Bucket=bucket, Key='copy.bin', **key)['Body'].read()).hexdigest()`,
      { bucket, keyFile },
      { env: gateway.env },
    ),
    md5,
  );
});

cephTest(
  'a copy ends with an error in bounded time when the gateway stays away, and the mount lives on',
  async (t) => {
    const { gateway, bucket, keyFile, mount } = await mountOnOwnGateway(t, ['--retry-time', '5s']);
    await bash('echo before >"$1/kept"', [mount.directory]);
    const local = path.join(await makeDirectory(t), 'local.bin');
    await makeRandomFile(local, 96 * mebibyte);
    const copy = await start('cp', [local, path.join(mount.directory, 'copy.bin')]);
    await waitUntilHasRead(copy, 24 * mebibyte);
    await gateway.stop();
    const { code, stderr, durationMs } = await copy.waitForEnd(boundMs);
    t.log(`cp ended with ${code ?? 'a signal'} after ${Math.round(durationMs)} ms: ${stderr}`);
    t.is(code, 1);
    t.regex(stderr, /Input\/output error|Connection timed out|Host is down/);
    await gateway.start();
    await listsInTime(mount);
    t.is(await runOk('cat', [path.join(mount.directory, 'kept')]), 'before\n');
    await mount.unmount();
    // The data that could not be stored was kept and stored later, or nothing of it is there: never a part of it.
    const size = await withBoto3(
      `answer = [item['Size'] for item in listed() if item['Key'] == 'copy.bin']`,
      { bucket, keyFile },
      { env: gateway.env },
    );
    t.true(
      JSON.stringify(size) === '[]' || JSON.stringify(size) === `[${96 * mebibyte}]`,
      JSON.stringify(size),
    );
  },
);

cephTest('Ctrl-C ends whoever waits for a gateway that hangs, at once', async (t) => {
  const { gateway, bucket, keyFile, mount: first } = await mountOnOwnGateway(t);
  const scratch = await makeDirectory(t);
  const local = path.join(scratch, 'local.bin');
  await makeRandomFile(local, 64 * mebibyte);
  await bash('cp "$1" "$2/stored.bin"; mkdir "$2/folder"', [local, first.directory]);
  await first.unmount();

  // A new mount knows nothing yet, so everything has to ask the gateway.
  const mount = await mountBucket(t, { bucket, keyFile, env: gateway.env });
  const stored = path.join(mount.directory, 'stored.bin');
  // A reader of the page cache hears only signals that end it (Linux, folio_wait_locked_killable); Python would catch this one.
  const readLater = `
import os, signal, time
signal.signal(signal.SIGINT, signal.SIG_DFL)
file = os.open(${JSON.stringify(stored)}, os.O_RDONLY)
os.pread(file, 1, 0)
print('opened', flush=True)
while not os.path.exists(${JSON.stringify(path.join(scratch, 'go'))}): time.sleep(0.02)
os.pread(file, 1, ${50 * mebibyte})`;
  const reader = await start(python, ['-c', readLater]);
  await waitUntil('the reader has opened the file', 30_000, () => reader.output().includes('opened'));
  await gateway.signal('SIGSTOP');
  await runOk('touch', [path.join(scratch, 'go')]);

  const hanging: [string, RunningChild][] = [['python3', reader]];
  for (const [program, ...args] of [
    ['cat', stored],
    ['ls', '-l', path.join(mount.directory, 'folder')],
    ['cp', local, path.join(mount.directory, 'new.bin')],
    ['stat', path.join(mount.directory, 'never-seen')],
  ] as const) {
    hanging.push([program, await start(program, args)]);
  }
  for (const [program, child] of hanging) {
    await waitUntilBlocked(child, program);
    const beganMs = performance.now();
    child.kill('SIGINT');
    const { signal } = await child.waitForEnd(interruptedMs);
    t.is(signal, 'SIGINT', program);
    t.log(`${program}: ${Math.round(performance.now() - beganMs)} ms`);
  }
  await gateway.signal('SIGCONT');
  await listsInTime(mount);
  t.is(await runOk('cmp', [local, stored]), '');
  await mount.unmount();
});
