import test from 'ava';
import { parseProcessorSeconds } from '../../scripts/benchmark/process-usage.js';
import { beginUsage } from '../../scripts/benchmark/process-usage.js';
import { readTimes } from '../../scripts/benchmark/run-step.js';
import { runLimited, StepFailure } from '../../scripts/benchmark/limited-run.js';
import { waitForCondition } from '../../scripts/benchmark/storing.js';

const { signal } = new AbortController();

test('processor time is that of fields 14 and 15, whatever the program is called', (t) => {
  const line = '4711 (a) b (c) S 1 4711 4711 0 -1 4194560 9 0 0 0 250 50 7 8 20 0 1 0 100 1000 10';
  t.is(parseProcessorSeconds(line), 3);
});

test('use is counted from when it begins', async (t) => {
  const usage = await beginUsage(process.pid);
  const { residentBytes, processorSeconds } = await usage.end();
  t.true(residentBytes > 2 ** 20);
  t.true(processorSeconds >= 0 && processorSeconds < process.uptime());
});

test("a script's last line has its times, and what is before it is its output", (t) => {
  t.deepEqual(readTimes('some\noutput\n\n1700000000.250000 1700000002.500000\n'), {
    scriptSeconds: 2.25,
    output: 'some\noutput\n',
  });
  t.throws(() => readTimes('nothing'), { message: /times are missing/ });
});

test('a program that fails is told by the first line of its complaint', async (t) => {
  const run = runLimited('bash', ['-c', 'echo first >&2; echo second >&2; exit 3'], {
    limitSeconds: 20,
    signal,
  });
  await t.throwsAsync(run, { instanceOf: StepFailure, message: 'fails: first' });
});

test('a program that takes too long is ended with all that it started', async (t) => {
  const run = runLimited('bash', ['-c', 'sleep 1000 & wait'], { limitSeconds: 0.2, signal });
  await t.throwsAsync(run, { instanceOf: StepFailure, message: '> 0.2 s' });
});

test('a program is ended when the bench is', async (t) => {
  const ending = new AbortController();
  const run = runLimited('bash', ['-c', 'sleep 1000 & wait'], { limitSeconds: 100, signal: ending.signal });
  ending.abort(new Error('the end'));
  await t.throwsAsync(run, { message: 'the end' });
});

const stored = { kind: 'changed', path: 'file' } as const;

test('what is stored already when first asked for has cost no time', async (t) => {
  t.is(await waitForCondition(stored, () => Promise.resolve(true), 10, signal), 0);
});

test('what is stored later has cost the time until it was asked for with success', async (t) => {
  let asked = 0;
  t.true((await waitForCondition(stored, () => Promise.resolve(++asked === 3), 10, signal)) > 0);
});

test('what is never stored is waited for until the limit', async (t) => {
  const wait = waitForCondition(stored, () => Promise.resolve(false), 0, signal);
  await t.throwsAsync(wait, { instanceOf: StepFailure, message: /> 0 s/ });
});
