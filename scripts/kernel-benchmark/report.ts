/** Medians, ratios and the table. Pure. */
import { median } from '../benchmark/statistics.js';
import type { ContenderName } from './options.js';

export type Unit = 'operations/s' | 'MiB/s';

/** One job of one contender in one round. */
export interface Measurement {
  readonly round: number;
  readonly contender: ContenderName;
  readonly job: string;
  readonly unit: Unit;
  readonly value: number;
  /** Of the process that serves the mount: microseconds for each operation, or seconds for each GiB. */
  readonly processor: number | undefined;
}

const titles: Record<ContenderName, string> = {
  tmpfs: 'tmpfs, no FUSE',
  passthrough: 'passthrough_ll',
  'fuse-native': 'osirisfs, fuse-native',
  other: 'osirisfs, other build',
  osirisfs: 'osirisfs',
};

/** Markdown. Jobs in the order of the measurements; ratios are of osirisfs to the others, above 1 where it is faster. */
export function makeTable(
  measurements: readonly Measurement[],
  contenders: readonly ContenderName[],
): string {
  const others = contenders.filter((name) => name !== 'osirisfs');
  const hasRatios = others.length < contenders.length;
  const header = [
    'job',
    ...contenders.map((name) => titles[name]),
    ...(hasRatios ? others.map((name) => `to ${name}`) : []),
    ...(hasRatios ? ['processor'] : []),
  ];
  const rows = [...new Set(measurements.map(({ job }) => job))].map((job) => {
    const unit = measurements.find((each) => each.job === job)?.unit ?? 'MiB/s';
    const of = (name: ContenderName) =>
      measurements.filter((each) => each.job === job && each.contender === name);
    const middle = (name: ContenderName) => median(of(name).map(({ value }) => value));
    const ours = middle('osirisfs');
    const processor = median(of('osirisfs').flatMap(({ processor: used }) => used ?? []));
    return [
      `${job}, ${unit}`,
      ...contenders.map((name) => show(middle(name))),
      ...(hasRatios ? others.map((name) => show(ratio(ours, middle(name)))) : []),
      ...(hasRatios ? [`${show(processor)} ${unit === 'MiB/s' ? 's/GiB' : 'µs'}`] : []),
    ];
  });
  const lines = [header, header.map(() => '---'), ...rows];
  return lines.map((cells) => `| ${cells.join(' | ')} |\n`).join('');
}

function ratio(ours: number | undefined, theirs: number | undefined): number | undefined {
  return ours === undefined || theirs === undefined || theirs === 0 ? undefined : ours / theirs;
}

/** Three digits that mean something, or a dash. */
function show(value: number | undefined): string {
  if (value === undefined) return '–';
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
