import test from 'ava';
import { prometheusText } from '../../../src/cli/status/prometheus-text.js';
import { status } from './mount-status.js';

test('every line has the form of the text format, and no metric is there twice', (t) => {
  const text = prometheusText(status);
  t.true(text.endsWith('\n'));
  const types = new Map<string, string>();
  for (const line of text.trimEnd().split('\n')) {
    const [, name, type] = /^# TYPE (\w+) (counter|gauge|histogram)$/.exec(line) ?? [];
    if (name !== undefined && type !== undefined) {
      t.false(types.has(name), name);
      types.set(name, type);
    } else if (!line.startsWith('# HELP ')) {
      t.regex(line, /^osirisfs_\w+\{(?:\w+="(?:[^"\\\n]|\\["\\n])*",?)+\} [\d.e+-]+$/);
    }
  }
  t.is(types.get('osirisfs_errors_total'), 'counter');
});

test('latencies are a histogram of growing counts, in seconds', (t) => {
  const text = prometheusText(status);
  const labels = String.raw`mountpoint="/home/me/\"data\"",source="bucket/folder/",kind="get"`;
  for (const line of [
    `osirisfs_request_duration_seconds_bucket{${labels},le="0.001"} 1`,
    `osirisfs_request_duration_seconds_bucket{${labels},le="0.002"} 1`,
    `osirisfs_request_duration_seconds_bucket{${labels},le="0.003"} 4`,
    `osirisfs_request_duration_seconds_bucket{${labels},le="+Inf"} 4`,
    `osirisfs_request_duration_seconds_sum{${labels}} 0.009`,
    `osirisfs_request_duration_seconds_count{${labels}} 4`,
  ]) {
    t.true(text.includes(`\n${line}\n`), line);
  }
});
