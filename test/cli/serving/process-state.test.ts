import { readFile } from 'node:fs/promises';
import test from 'ava';
import { hasEnded } from '../../../src/cli/serving/process-state.js';
import { start, waitUntil } from '../../mount/child.js';
import { patienceMs } from '../../patience.js';

test('a process at work has not ended, whatever it is called', async (t) => {
  t.false(await hasEnded(process.pid));
  const child = await start('bash', ['-c', 'printf ") Z (" >/proc/$$/comm; while :; do sleep 0.1; done']);
  t.teardown(() => child.kill('SIGKILL'));
  await waitUntil('the strange name', patienceMs, async () =>
    (await readFile(`/proc/${child.pid}/comm`, 'utf8')).includes(') Z ('),
  );
  t.false(await hasEnded(child.pid));
});

test('a process that nobody waits for has ended as soon as it is dead', async (t) => {
  const script = 'sleep 0.01 & echo $!; exec sleep 600';
  const parent = await start('bash', ['-c', script]);
  t.teardown(() => parent.kill('SIGKILL'));
  await waitUntil('the child’s pid', patienceMs, () => parent.output().endsWith('\n'));
  const pid = Number(parent.output());
  await waitUntil('the child’s end', patienceMs, () => hasEnded(pid));
  t.notThrows(() => process.kill(pid, 0), 'it is still in the table');
});

test('a pid that nobody has means that the process has ended', async (t) => {
  t.true(await hasEnded(2 ** 22 + 1));
});
