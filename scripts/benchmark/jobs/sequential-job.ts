/** Big files in, until they are stored, and out: one at a time and four at once. */
import { throughput, type Job, type Step } from '../job.js';
import type { Target } from '../measurements.js';
import { getRaw, putRaw } from '../raw-transfers.js';
import type { Sizes } from '../sizes.js';
import { formatSize } from '../statistics.js';

const writeTargets: Target[] = [
  { against: 'peer', factor: 1.3 },
  { against: 'curl', factor: 0.9 },
];
const readTargets: Target[] = [
  { against: 'peer', factor: 1.5 },
  { against: 'curl', factor: 0.9 },
];
const rereadTargets: Target[] = [
  { against: 'peer', factor: 2 },
  { against: 'absolute', factor: 954 }, // 1 GB/s in MiB/s
];

export function sequentialJob({ bigBytes, quarterBytes }: Sizes): Job {
  const kinds = [
    { streams: 1, bytes: bigBytes, what: formatSize(bigBytes) },
    { streams: 4, bytes: 4 * quarterBytes, what: `4 × ${formatSize(quarterBytes)} at once` },
  ];
  return {
    name: 'sequential',
    steps: [...kinds.flatMap(writeSteps), ...kinds.flatMap(readSteps)],
    raw: [
      { ids: ['write-1', 'write-4'], measure: putRaw },
      { ids: ['read-1', 'read-4'], measure: getRaw },
    ],
  };
}

interface Kind {
  readonly streams: number;
  readonly bytes: number;
  readonly what: string;
}

function writeSteps({ streams, bytes, what }: Kind): Step[] {
  const one = streams === 1;
  return [
    // The source is read first, so that the local disk is not what is measured.
    {
      from: 'cold',
      writes: true,
      script:
        'mkdir -p "$OWN"; rm -rf "$OWN/big"; mkdir "$OWN/big"; cat "$SOURCE"/big "$SOURCE"/quarter-* >/dev/null',
    },
    {
      from: 'warm',
      writes: true,
      script: one
        ? 'cp "$SOURCE/big" "$OWN/big/"'
        : 'copy() { cp "$SOURCE/quarter-$1" "$OWN/big/"; }; four_times copy',
      stored: { kind: 'tree', path: 'big/', files: streams, bytes },
      measures: {
        id: `write-${streams}`,
        title: `write ${what}, until stored`,
        unit: 'MiB/s',
        targets: writeTargets,
        contentBytes: bytes,
        value: throughput(bytes),
      },
    },
  ];
}

function readSteps({ streams, bytes, what }: Kind): Step[] {
  const script =
    streams === 1
      ? 'cat "$SHARED/big" >/dev/null'
      : 'read_one() { cat "$SHARED/quarter-$1" >/dev/null; }; four_times read_one';
  const common = { unit: 'MiB/s', contentBytes: bytes, value: throughput(bytes) } as const;
  return [
    {
      from: 'cold',
      writes: false,
      script,
      measures: { id: `read-${streams}`, title: `read ${what}, cold`, targets: readTargets, ...common },
    },
    {
      from: 'warm',
      writes: false,
      script,
      measures: { id: `reread-${streams}`, title: `read ${what} again`, targets: rereadTargets, ...common },
    },
  ];
}
