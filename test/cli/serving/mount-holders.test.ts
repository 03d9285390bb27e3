import { copyFile, mkdir, realpath, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { describeHolders, findHolders, type Holder } from '../../../src/cli/serving/mount-holders.js';
import { start, waitUntil } from '../../mount/child.js';
import { makeDirectory } from '../../mount/temporary.js';
import { patienceMs } from '../../patience.js';

// Holders are found by path, so that any directory can stand for a mountpoint.

/** Runs a program that prints `there` when it holds something in `directory`, until the end of the test. */
async function holderOf(
  t: ExecutionContext,
  directory: string,
  command: string,
  ...args: string[]
): Promise<readonly Holder[]> {
  const child = await start(command, args);
  t.teardown(async () => {
    child.kill('SIGKILL');
    await child.waitForEnd(patienceMs);
  });
  await waitUntil('the holder is there', patienceMs, () => child.output().includes('there'));
  const holders = await findHolders(directory);
  t.deepEqual(
    holders.map(({ pid }) => pid),
    [child.pid],
  );
  return holders;
}

const readForever = 'echo there; read -r never';

test('a working directory is found', async (t) => {
  const directory = await realpath(await makeDirectory(t));
  await mkdir(path.join(directory, 'sub'));
  const script = `cd "$1/sub" && exec sh -c 'echo there; exec sleep 600'`;
  const [holder] = await holderOf(t, directory, 'sh', '-c', script, 'sh', directory);
  t.is(holder?.use, 'working directory');
  t.is(holder?.command, 'sleep');
});

test('an open file is found by its path, also after it was deleted', async (t) => {
  const directory = await realpath(await makeDirectory(t));
  const script = `exec 7>"$1/open file"; rm "$1/open file"; echo there; exec sleep 600`;
  const [holder] = await holderOf(t, directory, 'sh', '-c', script, 'sh', directory);
  t.is(holder?.use, `${directory}/open file (deleted)`);
});

test('a running program is found', async (t) => {
  const directory = await realpath(await makeDirectory(t));
  await copyFile('/bin/sleep', path.join(directory, 'doze'));
  const script = `echo there; exec "$1/doze" 600`;
  const child = await start('sh', ['-c', script, 'sh', directory]);
  t.teardown(async () => {
    child.kill('SIGKILL');
    await child.waitForEnd(patienceMs);
  });
  let holders: readonly Holder[] = [];
  await waitUntil(
    'the program runs',
    patienceMs,
    async () => (holders = await findHolders(directory)).length > 0,
  );
  t.deepEqual(holders, [{ pid: child.pid, command: 'doze', use: `runs ${directory}/doze` }]);
});

test('a mapped file is found without an open descriptor', async (t) => {
  const directory = await realpath(await makeDirectory(t));
  await writeFile(path.join(directory, 'mapped'), 'x'.repeat(4096));
  const script = `
import mmap, os, sys, time
descriptor = os.open(sys.argv[1] + '/mapped', os.O_RDONLY)
mapping = mmap.mmap(os.dup(descriptor), 4096, prot=mmap.PROT_READ)
os.closerange(3, 64)
print('there', flush=True)
time.sleep(600)
`;
  const [holder] = await holderOf(t, directory, '/usr/bin/python3', '-c', script, directory);
  t.is(holder?.use, `maps ${directory}/mapped`);
});

test('a directory whose name only begins alike is not held', async (t) => {
  const directory = await realpath(await makeDirectory(t));
  await mkdir(path.join(directory, 'a'));
  await mkdir(path.join(directory, 'ab'));
  const child = await start('sh', ['-c', `cd "$1/ab" && ${readForever}`, 'sh', directory]);
  t.teardown(async () => {
    child.kill('SIGKILL');
    await child.waitForEnd(patienceMs);
  });
  t.deepEqual(await findHolders(path.join(directory, 'a')), []);
});

test('holders are described in one line, the first five by name', (t) => {
  const holder = (pid: number): Holder => ({ pid, command: 'vim', use: `/mnt/${pid}` });
  t.is(describeHolders([]), '');
  t.is(describeHolders([holder(1), holder(2)]), 'vim (pid 1: /mnt/1), vim (pid 2: /mnt/2)');
  t.regex(describeHolders([1, 2, 3, 4, 5, 6, 7].map(holder)), /vim \(pid 5: \/mnt\/5\) and 2 more$/);
});
