/** Small pieces of big files: where time goes into round trips. */
import { printedSeconds, type Job } from '../job.js';
import type { Sizes } from '../sizes.js';
import { formatSize } from '../statistics.js';

const reads = 300;

export function randomJob({ quarterBytes }: Sizes): Job {
  return {
    name: 'random',
    steps: [
      {
        from: 'cold',
        writes: false,
        script: `node "$READER" random ${reads} "$SHARED/quarter-0"`,
        measures: {
          id: 'random-4k',
          title: `${reads} random reads of 4 KiB of ${formatSize(quarterBytes)}, cold`,
          unit: 's',
          targets: [{ against: 'peer', factor: 2 }],
          value: printedSeconds,
        },
      },
    ],
  };
}

export function firstByteJob({ bigBytes }: Sizes): Job {
  return {
    name: 'first-byte',
    steps: [
      {
        from: 'cold',
        writes: false,
        script: 'node "$READER" first-byte 1 "$SHARED"/quarter-{0,1,2,3} "$SHARED/big"',
        measures: {
          id: 'first-byte',
          title: `open and read one byte, cold (median of five files of up to ${formatSize(bigBytes)})`,
          unit: 's',
          targets: [],
          value: printedSeconds,
        },
      },
    ],
  };
}
