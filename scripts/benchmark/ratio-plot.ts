/** For docs/performance.md: how many times as fast as the better peer osirisfs is, job by job, with the targets. Pure. */
import type { SettingResults, Target } from './measurements.js';
import { judge, ratioToPeer } from './ratios.js';
import { formatNumber } from './statistics.js';
import { colourOf, frame, label, legend, logAxis, round, rule } from './svg.js';

const titleWidth = 390;
const width = 960;
const valueWidth = 90;
const rowHeight = 40;
const barHeight = 12;
const top = 70;

interface Bar {
  readonly series: number;
  /** Undefined where a side has no figure. */
  readonly ratio: number | undefined;
}

interface Row {
  readonly title: string;
  readonly bars: readonly Bar[];
  readonly target: Target | undefined;
}

/** Undefined if there is nothing to show. Only rows with a target that is a ratio to a peer are shown. */
export function drawRatios(settings: readonly SettingResults[]): string | undefined {
  const rows = collectRows(settings);
  const shown = rows.flatMap(({ bars, target }) => [...bars.map(({ ratio }) => ratio), target?.factor, 1]);
  const values = shown.filter((value) => value !== undefined);
  if (rows.every(({ bars }) => bars.every(({ ratio }) => ratio === undefined))) return undefined;
  const axis = logAxis(values, titleWidth, width - valueWidth);
  const height = top + rows.length * rowHeight + 20;
  const names = settings.map(({ setting }) => `tcp_nodelay=${setting.nodelay}`);
  return frame(width, height, 'How many times as fast as the better of s3fs and rclone osirisfs is', [
    label(
      'Times as fast as the program that the target is about: the better of s3fs and rclone, or s3fs. Upright mark: the target',
      16,
      22,
    ),
    legend(names, 16, 46),
    ...axis.ticks.flatMap((tick) => [
      rule(axis.place(tick), top - 6, axis.place(tick), height - 20, tick === 1 ? 'strong' : 'line'),
      label(formatTick(tick), axis.place(tick), height - 5, 'middle'),
    ]),
    ...rows.flatMap((row, index) => drawRow(row, top + index * rowHeight, axis.place)),
  ]);
}

function collectRows(settings: readonly SettingResults[]): Row[] {
  const [first] = settings;
  if (first === undefined) return [];
  return first.measured
    .filter(({ targets }) => targets.some(({ against }) => against !== 'curl' && against !== 'absolute'))
    .map((measured) => ({
      title: measured.title,
      target: measured.targets.find(({ against }) => against !== 'curl' && against !== 'absolute'),
      bars: settings.map(({ outcomes }, series) => ({
        series,
        ratio: ratioOfTarget(measured, outcomes[measured.id] ?? {}),
      })),
    }));
}

/** To what the target is about: for some jobs that is s3fs, as rclone cannot do them. */
function ratioOfTarget(
  measured: Parameters<typeof judge>[0],
  outcomes: Parameters<typeof judge>[1],
): number | undefined {
  const verdict = judge(measured, outcomes).find(
    ({ target }) => target.against !== 'curl' && target.against !== 'absolute',
  );
  return verdict?.reached ?? ratioToPeer(measured.unit, outcomes);
}

function drawRow({ title, bars, target }: Row, y: number, place: (value: number) => number): string[] {
  const middle = y + (bars.length * (barHeight + 2)) / 2;
  const zero = place(1);
  return [
    label(title, titleWidth - 12, middle + 4, 'end'),
    ...bars.flatMap(({ series, ratio }, index) => {
      const barTop = y + index * (barHeight + 2);
      const value = ratio === undefined ? 'no figure' : `${formatNumber(ratio)} ×`;
      const text = label(value, width - 16, barTop + barHeight - 2, 'end');
      if (ratio === undefined) return [text];
      const end = place(ratio);
      const left = Math.min(zero, end);
      return [
        `<rect x="${round(left)}" y="${barTop}" width="${round(Math.max(1, Math.abs(end - zero)))}" height="${barHeight}" fill="${colourOf(series)}"/>`,
        text,
      ];
    }),
    ...(target === undefined ? [] : [drawTarget(place(target.factor), y, bars.length)]),
  ];
}

function drawTarget(x: number, y: number, bars: number): string {
  return `<line class="strong" stroke-width="3" x1="${round(x)}" y1="${y - 3}" x2="${round(x)}" y2="${y + bars * (barHeight + 2) + 1}"/>`;
}

function formatTick(tick: number): string {
  return `${tick < 1 ? formatNumber(tick).replace(/0+$/, '') : String(tick)} ×`;
}
