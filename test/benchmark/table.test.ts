import test from 'ava';
import type { Outcome, SettingResults } from '../../scripts/benchmark/measurements.js';
import {
  countTargets,
  describeHighest,
  describeOutcome,
  markdownTable,
  settingTables,
  speedTable,
  usageTable,
} from '../../scripts/benchmark/table.js';

const of = (...values: number[]): Outcome => ({ samples: values.map((value) => ({ value })), failures: [] });

const results: SettingResults = {
  setting: { nodelay: 0, delayMs: 20 },
  measured: [
    { id: 'in', title: 'files in', unit: 's', targets: [{ against: 's3fs', factor: 10 }] },
    {
      id: 'read',
      title: 'read',
      unit: 'MiB/s',
      targets: [
        { against: 'curl', factor: 0.9 },
        { against: 'peer', factor: 2 },
      ],
    },
  ],
  outcomes: {
    in: { osirisfs: of(1, 3, 2), s3fs: of(40), rclone: { samples: [], failures: ['> 60 s'] } },
    read: {
      osirisfs: {
        samples: [{ value: 100, residentBytes: 200 * 2 ** 20, processorSeconds: 2, contentBytes: 2 ** 29 }],
        failures: [],
      },
      s3fs: of(80),
      curl: of(200),
    },
  },
};

test('a row has medians, the ratio to the better peer, and each target with what was reached', (t) => {
  const rows = speedTable(results).split('\n');
  t.is(rows[2], '| files in, s | 2.00 | 40.0 | > 60 s |  | 20.0 × | ≥ 10.0 × s3fs: met (20.0) |');
  t.is(
    rows[3],
    '| read, MiB/s | 100 | 80.0 |  | 200 | 1.25 × | ≥ 0.900 × curl: **missed** (0.500); ≥ 2.00 × peer: **missed** (1.25) |',
  );
});

test('processor time is also told for each GiB that was moved', (t) => {
  t.is(usageTable(results).split('\n')[3], '| read | 200 |  |  | 2.00 (4.00 per GiB) |  |  |');
});

test('memory is the highest of all rounds', (t) => {
  const samples = [1, 3, 2].map((size) => ({ value: 1, residentBytes: size * 2 ** 20 }));
  const outcomes = { read: { osirisfs: { samples, failures: [] } } };
  t.regex(usageTable({ ...results, outcomes }), /\| read \| 3 \|/);
});

test('the highest memory of osirisfs in any job is held against its limit', (t) => {
  t.is(describeHighest(results), 'Most memory of osirisfs: 200 MiB (read); ≤ 300 MiB: met');
  const samples = [{ value: 1, residentBytes: 301 * 2 ** 20 }];
  const outcomes = { in: { osirisfs: { samples, failures: [] } } };
  t.regex(describeHighest({ ...results, outcomes }), /301 MiB \(files in\).*missed/);
  t.is(describeHighest({ ...results, outcomes: {} }), '');
});

test('targets are counted that can be judged', (t) => {
  t.deepEqual(countTargets(results), { met: 1, judged: 3 });
  t.deepEqual(countTargets({ ...results, outcomes: {} }), { met: 0, judged: 0 });
});

test('rounds that failed are told beside the median of the others', (t) => {
  t.is(
    describeOutcome({ samples: [{ value: 2 }, { value: 4 }], failures: ['> 60 s'] }),
    '3.00 (1 of 3 rounds: > 60 s)',
  );
});

test('a bar in an error text does not end its cell', (t) => {
  t.is(markdownTable(['a'], [['x | y\nz']]).split('\n')[2], '| x \\| y z |');
});

test('the tables stand under what they were measured with', (t) => {
  t.true(
    settingTables(results).startsWith("### tcp_nodelay=0 (Ceph's default), 20 ms round trip, 1 Gbit/s\n"),
  );
});
