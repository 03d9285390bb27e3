/** What directories of many files cost. The files have been put by osirisfs, with the attributes that s3fs keeps. */
import { seconds, type Job, type Step } from '../job.js';
import type { Target } from '../measurements.js';
import { headRaw } from '../raw-transfers.js';
import type { Sizes } from '../sizes.js';

export function listingJob({ fewEntries, manyEntries }: Sizes): Job {
  return {
    name: 'listing',
    // A listing tells neither owner nor mode.
    raw: [
      { ids: ['ls-few'], measure: (work) => headRaw(work, 'few', fewEntries) },
      { ids: ['ls-many'], measure: (work) => headRaw(work, 'many', manyEntries) },
    ],
    steps: [
      ...listSteps('few', fewEntries, [], []),
      ...listSteps('many', manyEntries, [{ against: 'peer', factor: 5 }], [{ against: 'peer', factor: 2 }]),
      {
        from: 'cold',
        writes: false,
        script: 'find "$SHARED/many" -type f >/dev/null',
        measures: {
          id: 'find',
          title: `find ${manyEntries} files, cold`,
          unit: 's',
          targets: [],
          value: seconds,
        },
      },
    ],
  };
}

function listSteps(folder: string, entries: number, cold: Target[], warm: Target[]): Step[] {
  // Counted, because a listing that lacks some is not done.
  const script = `[ "$(ls -l "$SHARED/${folder}" | wc -l)" = ${entries + 1} ]`;
  const common = { unit: 's', value: seconds } as const;
  return [
    {
      from: 'cold',
      writes: false,
      script,
      measures: { id: `ls-${folder}`, title: `ls -l of ${entries} files, cold`, targets: cold, ...common },
    },
    {
      from: 'warm',
      writes: false,
      script,
      measures: {
        id: `ls-${folder}-again`,
        title: `ls -l of ${entries} files again`,
        targets: warm,
        ...common,
      },
    },
  ];
}
