import test from 'ava';
import { fioThroughput } from '../../scripts/benchmark/fio-report.js';

const report = (jobs: unknown): string => JSON.stringify({ 'fio version': 'fio-3.33', jobs });

test('the throughput of a run is that of its jobs together, in MiB/s', (t) => {
  const job = { error: 0, read: { bw_bytes: 3 * 2 ** 20 }, write: { bw_bytes: 2 ** 20 } };
  t.is(fioThroughput(report([job]), 'read'), 3);
  t.is(fioThroughput(report([job, job]), 'write'), 2);
});

test('what fio says before its report is passed over', (t) => {
  const text = `note: both iodepth >= 1 and synchronous\n${report([{ error: 0, read: { bw_bytes: 2 ** 20 } }])}`;
  t.is(fioThroughput(text, 'read'), 1);
});

test('a run with an error, or that moved nothing, has no throughput', (t) => {
  const failed = { error: 5, read: { bw_bytes: 2 ** 20 } };
  t.throws(() => fioThroughput(report([failed]), 'read'), { message: /error 5/ });
  t.throws(() => fioThroughput(report([{ error: 0, read: { bw_bytes: 0 } }]), 'read'), {
    message: /nothing/,
  });
  t.throws(() => fioThroughput('fio: cannot open', 'read'), { message: /nothing/ });
});
