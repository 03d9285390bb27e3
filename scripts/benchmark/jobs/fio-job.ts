/** Blocks of 256 KiB as fio reads and writes them, limited in time. The set is that of mountpoint-s3's own benchmark. */
import { fioThroughput } from '../fio-report.js';
import type { Job, Step } from '../job.js';
import type { Sizes } from '../sizes.js';

export function fioJob(sizes: Sizes): Job {
  const reads = ['read', 'randread'].flatMap((kind) =>
    [0, 1].flatMap((direct) => [1, 4].map((jobs) => readStep(sizes, kind, direct, jobs))),
  );
  return { name: 'fio', steps: [...reads, ...[1, 4].flatMap((jobs) => writeSteps(sizes, jobs))] };
}

const common = '--bs=256k --ioengine=sync --thread --group_reporting --output-format=json';

function readStep(sizes: Sizes, kind: string, direct: number, jobs: number): Step {
  const files =
    jobs === 1
      ? `--filename="$SHARED/big" --size=${sizes.bigBytes}`
      : `--directory="$SHARED" --filename_format='quarter-$jobnum' --size=${sizes.quarterBytes}`;
  const order = kind === 'read' ? 'sequential' : 'random';
  return {
    from: 'cold',
    writes: false,
    script: `fio --name=bench --readonly --rw=${kind} --direct=${direct} --numjobs=${jobs} --runtime=${sizes.fioSeconds} ${files} ${common}`,
    measures: {
      id: `fio-${order}-${direct === 1 ? 'direct' : 'buffered'}-${jobs}`,
      title: `fio ${order} read, ${direct === 1 ? 'direct' : 'buffered'}, ${describeJobs(jobs)}`,
      unit: 'MiB/s',
      targets: [],
      value: ({ output }) => fioThroughput(output, 'read'),
    },
  };
}

function writeSteps({ bigBytes, quarterBytes }: Sizes, jobs: number): Step[] {
  const each = jobs === 1 ? bigBytes : quarterBytes;
  const bytes = jobs * each;
  return [
    { from: 'cold', writes: true, script: 'mkdir -p "$OWN"; rm -rf "$OWN/fio"; mkdir "$OWN/fio"' },
    {
      from: 'warm',
      writes: true,
      script: `fio --name=bench --rw=write --numjobs=${jobs} --directory="$OWN/fio" --filename_format='written-$jobnum' --size=${each} --create_on_open=1 --fallocate=none --fsync_on_close=1 ${common}`,
      stored: { kind: 'tree', path: 'fio/', files: jobs, bytes },
      measures: {
        id: `fio-write-${jobs}`,
        title: `fio sequential write, fsync on close, ${describeJobs(jobs)}, until stored`,
        unit: 'MiB/s',
        targets: [],
        contentBytes: bytes,
        // fio's own time, without its start, and what was left to be stored after it.
        value: ({ output, seconds, scriptSeconds }) => {
          const mebibytes = bytes / 2 ** 20;
          return mebibytes / (mebibytes / fioThroughput(output, 'write') + seconds - scriptSeconds);
        },
      },
    },
  ];
}

function describeJobs(jobs: number): string {
  return jobs === 1 ? '1 job' : `${jobs} jobs`;
}
