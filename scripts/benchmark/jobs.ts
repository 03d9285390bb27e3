/** The jobs by name, with the sizes of a scale. */
import { changeJob } from './jobs/change-job.js';
import { fioJob } from './jobs/fio-job.js';
import { gitJob, rsyncJob } from './jobs/tree-jobs.js';
import { firstByteJob, randomJob } from './jobs/latency-jobs.js';
import { listingJob } from './jobs/listing-job.js';
import { sequentialJob } from './jobs/sequential-job.js';
import { smallFilesJob } from './jobs/small-files-job.js';
import type { Job } from './job.js';
import type { Sizes } from './sizes.js';

const makers: Readonly<Record<string, (sizes: Sizes) => Job>> = {
  sequential: sequentialJob,
  random: randomJob,
  'first-byte': firstByteJob,
  'small-files': smallFilesJob,
  listing: listingJob,
  changes: changeJob,
  fio: fioJob,
  git: gitJob,
  rsync: rsyncJob,
};

export const jobNames: readonly string[] = Object.keys(makers);

/** What is run where a network is shaped: with round trips of tens of milliseconds, the rest takes hours. */
export const shapedJobNames: readonly string[] = ['sequential', 'small-files', 'listing'];

export function makeJobs(names: readonly string[], sizes: Sizes): Job[] {
  return names.map((name) => {
    const maker = makers[name];
    if (maker === undefined) throw new Error(`there is no job ${name}`);
    return maker(sizes);
  });
}
