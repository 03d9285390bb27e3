import test from 'ava';
import { jobNames, makeJobs, shapedJobNames } from '../../scripts/benchmark/jobs.js';
import { emptyResults } from '../../scripts/benchmark/run-setting.js';
import { sizesOf } from '../../scripts/benchmark/sizes.js';

const jobs = makeJobs(jobNames, sizesOf.quick);
const setting = { nodelay: 0, delayMs: 0 } as const;

test('every row of the table has an id and a title of its own', (t) => {
  const { measured } = emptyResults({ setting, jobs });
  t.is(new Set(measured.map(({ id }) => id)).size, measured.length);
  t.is(new Set(measured.map(({ title }) => title)).size, measured.length);
});

test('what curl measures are rows that there are', (t) => {
  const { measured } = emptyResults({ setting, jobs });
  const ids = new Set(measured.map(({ id }) => id));
  for (const { raw } of jobs) {
    for (const id of (raw ?? []).flatMap((measures) => measures.ids)) t.true(ids.has(id), id);
  }
});

test('a job begins on a cold mount, as it does not know what the one before it left', (t) => {
  for (const { name, steps } of jobs) t.is(steps[0]?.from, 'cold', name);
});

test('what is written is measured until the bucket has it', (t) => {
  for (const { steps } of jobs) {
    for (const { measures, writes, stored } of steps) {
      if (measures !== undefined && writes) t.not(stored, undefined, measures.id);
    }
  }
});

test('the jobs of shaped runs are jobs', (t) => {
  t.deepEqual(
    shapedJobNames.filter((name) => !jobNames.includes(name)),
    [],
  );
});
