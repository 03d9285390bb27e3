import test from 'ava';
import { jobNames } from '../../scripts/benchmark/jobs.js';
import { OptionError } from '../../scripts/benchmark/option-values.js';
import { parseOptions } from '../../scripts/benchmark/options.js';

test('without options everything is measured three times at the quick scale, with and without delay of the gateway', (t) => {
  const options = parseOptions([]);
  t.deepEqual(
    { ...options, jobs: options.jobs.length },
    {
      rounds: 3,
      jobs: jobNames.length,
      scale: 'quick',
      programs: ['osirisfs', 's3fs', 'rclone'],
      nodelay: [0, 1],
      delaysMs: [],
      growth: false,
      limitSeconds: 180,
      output: 'bench-results',
    },
  );
});

test('options choose programs, jobs and settings', (t) => {
  const options = parseOptions(
    '--rounds 5 --jobs git,changes --programs osirisfs --nodelay 1 --delay 20,50 --scale full'.split(' '),
  );
  t.is(options.rounds, 5);
  t.deepEqual(options.jobs, ['git', 'changes']);
  t.deepEqual(options.programs, ['osirisfs']);
  t.deepEqual(options.nodelay, [1]);
  t.deepEqual(options.delaysMs, [20, 50]);
  t.is(options.limitSeconds, 600);
});

for (const [line, message] of [
  ['--rounds 0', /--rounds takes a whole number from 1 to 100, not 0/],
  ['--rounds many', /not many/],
  ['--jobs sequential,sleep', /--jobs takes sequential, .*, not sleep/],
  ['--jobs ,', /--jobs takes a list/],
  ['--programs goofys', /not goofys/],
  ['--nodelay 2', /--nodelay takes 0, 1, not 2/],
  ['--delay 5000', /--delay takes .* not 5000/],
  ['--scale huge', /--scale takes quick, full, not huge/],
  ['--limit', /--limit/],
  ['--fast', /--fast/],
  ['results', /results/],
] as const) {
  test(`${line} is refused in one line`, (t) => {
    const error = t.throws(() => parseOptions(line.split(' ')), { instanceOf: OptionError, message });
    t.false(error.message.includes('\n'));
  });
}
