/** How costs grow with the size of a file, the entries of a directory, and the number of readers. Each step is a point of a plot. */
import { seconds, throughput, type Job, type Step } from '../job.js';
import type { GrowthPoint } from '../measurements.js';
import type { Sizes } from '../sizes.js';
import { formatSize } from '../statistics.js';

const readerCounts = [1, 2, 4, 8, 16, 32, 64];

export function growthJobs(sizes: Sizes): Job[] {
  return [
    ...sizes.growingBytes.map(sizeJob),
    { name: 'growth-entries', steps: sizes.growingEntries.flatMap(entrySteps) },
    { name: 'growth-readers', steps: readerCounts.map((count) => readerStep(count, sizes.bigBytes)) },
  ];
}

/** A chain, as what has not been written cannot be read. */
function sizeJob(bytes: number): Job {
  const what = formatSize(bytes);
  const common = { unit: 'MiB/s', targets: [], contentBytes: bytes, value: throughput(bytes) } as const;
  const point = (curve: string): GrowthPoint => ({ plot: 'size', curve, x: bytes });
  return {
    name: 'growth-size',
    isChain: true,
    steps: [
      { from: 'cold', writes: true, script: 'mkdir -p "$OWN"; rm -rf "$OWN/growth"; mkdir "$OWN/growth"' },
      {
        from: 'warm',
        writes: true,
        script: `head -c ${bytes} /dev/zero >"$OWN/growth/file"`,
        stored: { kind: 'tree', path: 'growth/', files: 1, bytes },
        measures: {
          id: `growth-write-${bytes}`,
          title: `write ${what}, until stored`,
          growth: point('write'),
          ...common,
        },
      },
      {
        from: 'cold',
        writes: false,
        script: 'cat "$OWN/growth/file" >/dev/null',
        measures: {
          id: `growth-read-${bytes}`,
          title: `read ${what}, cold`,
          growth: point('read'),
          ...common,
        },
      },
      { from: 'cold', writes: true, script: 'rm -r "$OWN/growth"' },
    ],
  };
}

function entrySteps(entries: number): Step[] {
  const script = `[ "$(ls -l "$SHARED/entries-${entries}" | wc -l)" = ${entries + 1} ]`;
  return (['cold', 'warm'] as const).map((from) => ({
    from,
    writes: false,
    script,
    measures: {
      id: `growth-ls-${from}-${entries}`,
      title: `ls -l of ${entries} entries, ${from}`,
      unit: 's',
      targets: [],
      growth: { plot: 'entries', curve: `ls -l ${from}`, x: entries },
      value: seconds,
    },
  }));
}

/** Each reader reads its part of one file. */
function readerStep(count: number, bytes: number): Step {
  const each = bytes / count;
  return {
    from: 'cold',
    writes: false,
    script: `pids=
for ((i = 0; i < ${count}; i++)); do
  dd if="$SHARED/big" of=/dev/null bs=1M iflag=skip_bytes,count_bytes skip=$((i * ${each})) count=${each} status=none & pids+=" $!"
done
for pid in $pids; do wait "$pid"; done`,
    measures: {
      id: `growth-readers-${count}`,
      title: `${count} readers of ${formatSize(bytes)}, cold`,
      unit: 'MiB/s',
      targets: [],
      contentBytes: bytes,
      growth: { plot: 'readers', curve: 'read', x: count },
      value: throughput(bytes),
    },
  };
}
